"""Tells what happened in a town: a short sentence per record, its category and who was in it."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from townlet_jax.masked import NONE
from townlet_jax.ops.events import Record, decode
from townlet_jax.ops.highlights import KINDS
from townlet_jax.ops.labels import Labels
from townlet_jax.state import TownState
from townlet_jax.state.events import TickEvents

CATEGORIES = ("talk", "queue", "work", "money", "life", "town", "daily")
"""What a story may be about; `daily` is what everybody does every day."""


@dataclasses.dataclass(frozen=True)
class Story:
    """One thing that happened.

    Attributes:
      tick: in which it happened [tick].
      category: one of `CATEGORIES`. event: name of the record.
      text: a sentence.
      slots: of the residents it names, in the order of the record.
    """

    tick: int
    category: str
    event: str
    text: str
    slots: tuple[int, ...]


ACTIVITIES = {
    "use_shower": "taking a shower",
    "eat_meal": "eating a meal",
    "eat_out": "eating out",
    "cook_meal": "cooking",
    "rest_sleep": "sleeping",
    "work_shift": "working",
}
"""What to call the affordances that come with the package; others are named after their id."""
INTENTIONS = {
    "rest": "resting",
    "get_fed": "looking for a meal",
    "get_clean": "off to wash",
    "sleep": "off to bed",
    "go_to_work": "off to work",
    "socialise": "looking for company",
    "cook": "off to the stove",
    "wait": "waiting",
}
"""What to call actions that have not led to an activity yet."""
_VOWELS = "aeiou"


def activity(affordance: str) -> str:
    """Returns what somebody is doing who runs an affordance: `feed_ducks` is feeding ducks."""
    if affordance in ACTIVITIES:
        return ACTIVITIES[affordance]
    verb, *rest = affordance.split("_")
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        verb = verb[:-1]
    elif 3 <= len(verb) <= 4 and verb[-1] not in _VOWELS + "wxy":
        is_short = verb[-2] in _VOWELS and verb[-3] not in _VOWELS
        verb += verb[-1] if is_short else ""
    return " ".join([verb + "ing", *rest])


def intention(action: str) -> str:
    """Returns what somebody is about who has chosen an action."""
    return INTENTIONS.get(action, action.replace("_", " "))


def shown(name: str) -> str:
    """Returns an id as a name: `resident_3` is Resident 3, and a seat goes by its object."""
    words = name.partition(".")[0].replace("_", " ")
    return words[:1].upper() + words[1:]


def tell(labels: Labels, states: TownState, events: TickEvents) -> list[Story]:
    """Tells a chunk of a town, oldest first.

    Args:
      labels: names.
      states: after each tick, numpy leaves `[T, ...]`.
      events: of these ticks, numpy leaves `[T, ...]`.
    """
    # The first state is one tick late for who lived here before.
    spawned = np.asarray(events.lifecycle.spawned[0], np.int32)
    generation = np.asarray(states.agents.generation[0]) - spawned
    first_tick = int(states.clock.tick[0]) - 1
    return stories(decode(events, labels, generation, first_tick), labels.names.agents)


def stories(records: Iterable[Record], agents: Sequence[str]) -> list[Story]:
    """Tells records; those that say what another one says as well are left out.

    Args:
      records: as `events.decode` returns them.
      agents: names of the slots.
    """
    told = []
    for record in records:
        event = record["event"]
        category, sentence = _TALES.get(event, ("", lambda record: None))
        text = sentence(_readable(record))
        if text is not None:
            slots = tuple(_slot(name, agents) for name in _people(record))
            text = text[:1].upper() + text[1:]
            told.append(Story(record["tick"], category, event, text, slots))
    return told


def _people(record: Record) -> list[str]:
    """Returns whom a record names."""
    names = [record[key] for key in ("agent_id", "actor", "speaker") if key in record]
    names += [record[key] for key in ("rival", "listener") if key in record]
    return [*names, *record.get("agents", ()), *record.get("coworkers", ())]


def _slot(name: str, agents: Sequence[str]) -> int:
    """Returns the slot of a resident, newcomers included."""
    base = name if name in agents else name.rpartition("#")[0]
    return agents.index(base) if base in agents else NONE


def _readable(record: Record) -> Record:
    """Puts names in the place of ids."""
    single = ("agent_id", "actor", "rival", "speaker", "listener")
    readable = dict(record)
    readable |= {key: shown(record[key]) for key in single if key in record}
    for key in ("agents", "coworkers"):
        if key in record:
            readable[key] = [shown(name) for name in record[key]]
    if record.get("object_id"):
        readable["object_id"] = shown(record["object_id"]).lower()
    return readable


def _start(r: Record) -> str:
    return f"{r['agent_id']} started {activity(r['affordance_id'])} at {r['object_id']}"


def _finish(r: Record) -> str:
    return f"{r['agent_id']} finished {activity(r['affordance_id'])} at {r['object_id']}"


_TROUBLES = {
    "power_off": "the power was off",
    "water_off": "the water was off",
    "insufficient_funds": "the money did not reach",
    "insufficient_stock": "the stock was out",
    "precondition_failed": "it was not the moment",
    "type_mismatch": "that is not the place for it",
    "ghost_step": "somebody else took over",
}


def _fail(r: Record) -> str | None:
    """Tells of an affordance that failed; a collapse and a removal are told by themselves."""
    if r["affordance_id"] is None or r["reason"] in ("collapsed", "removed"):
        return None
    what = f"{activity(r['affordance_id'])} at {r['object_id']}"
    if r["reason"] == "abandoned":
        return f"{r['agent_id']} stopped {what}"
    return f"{what} came to nothing for {r['agent_id']}: {_TROUBLES[r['reason']]}"


def _talk(r: Record) -> str:
    how = "a great" if r["quality"] >= 0.8 else "a good" if r["quality"] >= 0.5 else "a short"
    return f"{r['speaker']} and {r['listener']} had {how} talk"


_STARTS = {
    "blackout": "the power went out",
    "outage": "the water went off",
    "price_spike": "prices rose",
    "arranged_meet": "a meeting was called",
}
_ENDS = {
    "blackout": "the power came back",
    "outage": "the water came back",
    "price_spike": "prices fell again",
    "arranged_meet": "the meeting was over",
}


def _befall(phrases: dict[str, str]) -> "Sentence":
    """Tells of a perturbation, with its name where that says more than its kind."""

    def sentence(r: Record) -> str:
        is_plain = r["spec"] == r["kind"]
        return phrases[r["kind"]] + ("" if is_plain else f" ({r['spec'].replace('_', ' ')})")

    return sentence


Sentence = Callable[[Record], str | None]
"""Turns a record with readable names into a sentence; None = not worth one."""
_KNOWN: dict[str, Sentence] = {kind.event: kind.tell for kind in KINDS}
_TALES: dict[str, tuple[str, Sentence]] = {
    "chat_success": ("talk", _talk),
    "chat_failure": ("talk", _KNOWN["chat_failure"]),
    "shared_meal": ("talk", _KNOWN["shared_meal"]),
    "queue_conflict": ("queue", _KNOWN["queue_conflict"]),
    "queue_interaction": ("queue", _KNOWN["queue_interaction"]),
    "queue_avoided": ("queue", lambda r: f"{r['agent_id']} kept away from {r['rival']}"),
    "shift_late_start": ("work", _KNOWN["shift_late_start"]),
    "shift_absent": ("work", _KNOWN["shift_absent"]),
    "shift_departed_early": ("work", _KNOWN["shift_departed_early"]),
    "employment_helped_when_late": ("work", _KNOWN["employment_helped_when_late"]),
    "employment_took_my_shift": ("work", _KNOWN["employment_took_my_shift"]),
    "employment_exit_pending": ("work", _KNOWN["employment_exit_pending"]),
    "employment_exit_manual_request": (
        "work",
        lambda r: f"an operator asked {r['agent_id']} to go",
    ),
    "employment_exit_deferred": ("work", lambda r: f"{r['agent_id']} may keep the job for now"),
    "rent_paid": ("money", lambda r: f"{r['agent_id']} paid the rent"),
    "rent_missed": ("money", _KNOWN["rent_missed"]),
    "stock_replenish": (
        "money",
        lambda r: f"{r['amount']} {r['type'].replace('_', ' ')} arrived at {r['object_id']}",
    ),
    "economy_price_update": (
        "money",
        lambda r: f"an operator set the price of {r['key'].replace('_', ' ')}",
    ),
    "agent_spawn": ("life", _KNOWN["agent_spawn"]),
    "agent_collapsed": ("life", _KNOWN["agent_collapsed"]),
    "agent_exit": ("life", _KNOWN["agent_exit"]),
    **{f"perturbation_{kind}": ("town", _befall(_STARTS)) for kind in _STARTS},
    "perturbation_ended": ("town", _befall(_ENDS)),
    "perturbation_cancelled": (
        "town",
        lambda r: f"an operator called off: {r['spec'].replace('_', ' ')}",
    ),
    "console_reply": ("town", lambda r: "an operator's command was refused"),
    "affordance_start": ("daily", _start),
    "affordance_finish": ("daily", _finish),
    "affordance_fail": ("daily", _fail),
    "movement_ghost_step": ("daily", lambda r: f"{r['agent_id']} squeezed past somebody"),
}
"""Category and sentence by record; what is not here, others tell as well."""
