import pytest

from townlet_jax.ops.cluster import SLURM_PORTS, Place, place_in_slurm, place_of
from townlet_jax.ops.peers import PeerError

SRUN = {
    "SLURM_JOB_ID": "4100", "SLURM_STEP_NODELIST": "node7", "SLURM_NTASKS": "4", "SLURM_PROCID": "2"
}  # fmt: skip


@pytest.mark.parametrize(
    ("nodes", "host"),
    [
        ("node7", "node7"),
        ("node7,other9", "node7"),
        ("node[007-012,020],x", "node007"),
        ("gpu-a[3,5]", "gpu-a3"),
    ],
)
def test_srun_says_where_the_first_process_is(nodes, host):
    place = place_in_slurm({**SRUN, "SLURM_STEP_NODELIST": nodes})
    assert place == Place(host, SLURM_PORTS + 2 * (4100 % 2047), 4, 2)
    assert place.port + 1 < 65536


BATCH = {name: value for name, value in SRUN.items() if "STEP" not in name}
"""Of a script that sbatch runs, before any srun."""


@pytest.mark.parametrize("environ", [{}, BATCH, {**SRUN, "SLURM_NTASKS": "1"}])
def test_a_process_that_srun_did_not_multiply_is_alone(environ):
    assert place_in_slurm(environ) is None


def test_a_place_is_what_a_user_says():
    assert place_of("[::1]:1234", 2, 1) == Place("::1", 1234, 2, 1)


@pytest.mark.parametrize(
    ("coordinator", "own", "reason"),
    [
        ("host", 0, "is not HOST:PORT"),
        ("host:0", 0, "is not HOST:PORT"),
        ("host:65535", 0, "below 65535"),
        ("host:99", 2, "process 2 is not one of 0 to 1"),
    ],
)
def test_places_that_cannot_be_are_refused(coordinator, own, reason):
    with pytest.raises(PeerError, match=reason):
        place_of(coordinator, 2, own)
