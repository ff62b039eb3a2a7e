"""Feedback joined to decisions: an answer is one outcome to the core, however much is said of it.

All that is said of an answer makes one reward, its mean by weight; it counts the weights' sum, at most 1. The
core learns the first; when the mean changes, because somebody says something else or somebody else says
something, the new one takes the old one's place (`Outcome.replaces`). So nothing counts twice.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pointsman.errors import InvalidInput, RequestError, UnknownName
from pointsman.learning.delay import Arrivals

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman._native import Core
    from pointsman.learning.known import Case, Key, Known

DEFAULT_NAME, DEFAULT_SOURCE = "feedback", "user"
SIGNALS_NAME = "signals"
"""Name of what verifiers say of an answer."""
# Of two preferences that contradict each other the later one undoes the earlier.
_UNDOING = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackTaken:
    """What became of feedback.

    Attributes:
        decision_id: The decision it is about (of a preference: the one preferred).
        is_hit: Whether the answer came from the cache, which then learns, and not the core.
        grade: What was said, in [0, 1]; `None` of a preference.
        is_learned: Whether what is believed has changed by it; not if it was said before, or the deployment
            is gone.
        reward: Mean of all that was said of the answer so far, in [0, 1]; `None` of a preference.
        entry_id: The cache's entry that answered, if it did and is known still.
        is_deleted: Whether that entry was deleted, as it is wrong for certain.
    """

    decision_id: str
    is_hit: bool = False
    grade: float | None = None
    is_learned: bool = True
    reward: float | None = None
    entry_id: str | None = None
    is_deleted: bool = False


class FeedbackDesk:
    """Takes feedback on decisions at hand, teaches the core, and hands rows on to be logged. Thread-safe."""

    def __init__(
        self,
        core: Core,
        log: Callable[[dict[str, Any]], object],
        *,
        graded: Callable[[Known, float, str], None] | None = None,
        arrivals: Arrivals | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make one.

        Args:
            core: What learns.
            log: Takes a row of the table `feedback`.
            graded: Told of each grade that is the first of its name and source, and its name.
            arrivals: How often feedback comes.
            clock: Unix time, seconds.
        """
        self.arrivals = arrivals or Arrivals()
        self._core = core
        self._log = log
        self._graded = graded
        self._clock = clock
        self._lock = threading.Lock()

    def grade(
        self, case: Case, value: float, name: str, source: str, *, weight: float = 1.0
    ) -> FeedbackTaken:
        """Take a grade of an answer; what was said by the same name and source before is replaced.

        Args:
            case: The answer's decision.
            value: How good it was, in [0, 1].
            name: What was judged.
            source: Who judged.
            weight: What it counts beside other feedback on the same answer, in [0, 1].

        Raises:
            RequestError: Nobody answered.
        """
        known, key, now_s = case.known, (name, source), self._clock()
        if known.deployment is None:
            raise RequestError(
                f"nobody answered {known.decision_id}, so there is nothing to grade",
                code="caller_nothing_to_grade",
                param="decision_id",
            )
        with self._lock:
            is_first = key not in case.given
            case.given[key] = (value, weight)
            reward = case.reward
            is_learned = (
                reward is not None and not known.is_hit and self._teach(case, reward, key, is_first, now_s)
            )
        if self._graded is not None and is_first and weight > 0:
            self._graded(known, value, name)
        self._log(_row(case, key, now_s, value=value, weight=weight))
        return FeedbackTaken(
            decision_id=known.decision_id,
            is_hit=known.is_hit,
            grade=value,
            is_learned=is_learned,
            reward=reward,
        )

    def prefer(
        self, chosen: Case, rejected: Case, name: str, source: str, *, weight: float = 1.0
    ) -> FeedbackTaken:
        """Take a preference of one answer over another; said again it changes nothing, reversed it turns.

        Raises:
            RequestError: Nobody answered one of them, or they are the same.
        """
        key, now_s = (name, source), self._clock()
        ids = chosen.known.decision_id, rejected.known.decision_id
        if ids[0] == ids[1]:
            raise RequestError(f"chosen and rejected are both {ids[0]}; give two decisions", param="value")
        for case in (chosen, rejected):
            if case.known.deployment is None:
                raise RequestError(
                    f"nobody answered {case.known.decision_id}, so it cannot be compared",
                    code="caller_nothing_to_grade",
                    param="value",
                )
        with self._lock:
            is_new = (key, ids[1]) not in chosen.preferred
            was_other = (key, ids[0]) in rejected.preferred
            chosen.preferred.add((key, ids[1]))
            rejected.preferred.discard((key, ids[0]))
            times = _UNDOING if was_other else 1.0
            is_learned = is_new and self._prefer(chosen, rejected, weight * times, now_s)
        self._log(_row(chosen, key, now_s, weight=weight, rejected_id=ids[1]))
        if was_other:
            self._log(_row(rejected, key, now_s, weight=0.0, rejected_id=ids[0]))
        return FeedbackTaken(decision_id=ids[0], is_learned=is_learned)

    def _teach(self, case: Case, reward: float, key: Key, is_first: bool, now_s: float) -> bool:
        """Bring what the core knows of an answer up to date; whether that changed anything."""
        known, before = case.known, case.taught
        if is_first:
            delay_s = now_s - known.decided_at_s
            share = self.arrivals.graded(known.slice, key, delay_s, now_s)
            case.share = share if before is None else case.share
        weight = case.weight
        told = []
        if before is None:
            told.append(known.outcome(reward=reward, weight=weight))
        else:
            if before[0] != reward:
                told.append(known.outcome(reward=reward, weight=before[1], replaces=before[0]))
            if weight > before[1]:
                told.append(known.outcome(reward=reward, weight=weight - before[1], is_top_up=True))
        try:
            for outcome in told:
                self._core.observe(outcome, now_s=now_s)
        except (UnknownName, InvalidInput):  # a deployment that is gone, features of another release
            return False
        case.taught = (reward, weight if before is None else max(weight, before[1]))
        return bool(told)

    def _prefer(self, chosen: Case, rejected: Case, weight: float, now_s: float) -> bool:
        if chosen.known.is_hit or rejected.known.is_hit:
            return False
        try:
            self._core.prefer(chosen.known.outcome(), rejected.known.outcome(), now_s=now_s, weight=weight)
        except (UnknownName, InvalidInput):
            return False
        return True


def read_value(value: Any, param: str = "value") -> float | tuple[str, str]:
    """A grade in [0, 1], or the ids of a preference: chosen, rejected.

    Raises:
        RequestError: Neither.

    Example:
        >>> read_value(True), read_value(0.5), read_value({"chosen": "a", "rejected": "b"})
        (1.0, 0.5, ('a', 'b'))
    """
    if isinstance(value, bool | int | float) and 0 <= value <= 1:
        return float(value)
    if isinstance(value, dict):
        ids = value.get("chosen"), value.get("rejected")
        if set(value) == {"chosen", "rejected"} and all(isinstance(one, str) and one for one in ids):
            return str(ids[0]), str(ids[1])
    raise RequestError(
        f"{param} must be true, false, a number in [0, 1] or "
        f'{{"chosen": ID, "rejected": ID}}, got {_kind(value)}',
        param=param,
    )


def decision_id_of(given: str) -> str:
    """The decision's id in what a caller took for one: an answer's id holds it (`chatcmpl-dec_...`)."""
    place = given.find("dec_")
    return given[place:] if place > 0 else given


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool | int | float):
        return f"{value!r:.40}"
    names: dict[type, str] = {str: "a string", list: "a list", dict: "an object of other fields"}
    return names.get(type(value)) or type(value).__name__


def _row(
    case: Case,
    key: Key,
    now_s: float,
    *,
    weight: float,
    value: float | None = None,
    rejected_id: str = "",
) -> dict[str, Any]:
    return {
        "decision_id": case.known.decision_id,
        "name": key[0],
        "source": key[1],
        "rejected_id": rejected_id,
        "value": value,
        "weight": weight,
        "tenant": case.known.tenant,
        "given_at_s": now_s,
    }
