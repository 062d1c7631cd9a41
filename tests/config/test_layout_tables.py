"""Tables of objects that come from more than one row of a file."""

from townlet_jax.config import load


def test_rows_serve_the_needs_that_a_run_raises_noticeably():
    """A stove feeds by .05, a table rests by .03: too little to be what somebody looks for."""
    town = load("configs/town.yaml")
    serves = town.layout.objects.serves
    kinds = [
        {town.names.types[int(town.layout.objects.type[o])] for o in row.nonzero()[0].tolist()}
        for row in serves
    ]
    assert kinds == [{"fridge", "cafe_table"}, {"shower"}, {"bed"}]
    assert not serves[:, ~town.layout.objects.is_object].any()
