"""Events of a tick in which nothing has happened yet."""

from types import SimpleNamespace

import numpy as np

from tests.oracle.twin import NONE


def _none(*axes: int) -> np.ndarray:
    return np.full(axes, NONE, np.int32)


def _no(*axes: int) -> np.ndarray:
    return np.zeros(axes, bool)


def _zero(*axes: int) -> np.ndarray:
    return np.zeros(axes, np.float32)


def _records(o: int) -> SimpleNamespace:
    return SimpleNamespace(
        is_set=_no(o),
        actor=_none(o),
        rival=_none(o),
        length=np.zeros(o, np.int32),
        intensity=_zero(o),
    )


def empty_events(shape) -> SimpleNamespace:
    """Makes the twin of a `TickEvents` without any event."""
    a, o, k = shape.num_agents, shape.num_objects, shape.num_perturbations
    return SimpleNamespace(
        ghost_stepped=_no(a),
        level_before=_zero(a, 3),
        op_ok=np.ones(shape.num_ops, bool),
        num_refused_requests=0,
        affordances=SimpleNamespace(
            started=_none(a),
            started_obj=_none(a),
            finished=_none(a),
            finished_obj=_none(a),
            failed=_none(5, a),
            failed_affordance=_none(5, a),
            failed_obj=_none(5, a),
            shared_meal=_no(a, a),
            meal_obj=_none(a),
        ),
        conflicts=_records(o),
        handovers=_records(o),
        economy=SimpleNamespace(
            restocked=np.zeros((o, shape.num_stock_kinds), np.int32),
            rent_paid=_no(a),
            rent_missed=_no(a),
            price_changed=_no(shape.num_price_keys),
        ),
        employment=SimpleNamespace(
            late_start=_none(a),
            absent=_no(a),
            departed=_no(a),
            shift_closed=_no(a),
            shift_closed_late=_no(a),
            helped=_no(a, a),
            took=_no(a, a),
            exit_pending=_no(a),
            exit_requested=_no(a),
            exit_deferred=_no(a),
            exit_processed=_no(a),
            exit_overflow=0,
            wage_paid=_zero(a),
            wage_withheld=_zero(a),
            first_presence=_none(a),
        ),
        lifecycle=SimpleNamespace(
            exited=np.zeros(a, np.int32),
            spawned=_no(a),
            collapsed=_no(a),
            slot_forced=_no(a),
            context_reset=_no(a),
        ),
        perturbations=SimpleNamespace(
            started=_no(k),
            ended=_no(k),
            cancelled=_no(k),
            started_spec=_none(k),
            ended_spec=_none(k),
            cancelled_spec=_none(k),
            started_id=_none(k),
            ended_id=_none(k),
            cancelled_id=_none(k),
        ),
        chat=SimpleNamespace(listener=_none(a), is_success=_no(a), quality=_zero(a)),
        relationships=SimpleNamespace(
            evicted=np.zeros((a, 4), np.int32),
            settled_trust=_zero(a),
            settled_familiarity=_zero(a),
        ),
        conflict=SimpleNamespace(avoided=_no(a), rival=_none(a)),
    )
