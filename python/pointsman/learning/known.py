"""What must be remembered of a decision so that a grade of it can be learned from, minutes or days later."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pointsman.types import Outcome

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from pointsman.types import Served

DEFAULT_TENANT = "default"
# 1.5 kilobytes each.
MAX_KNOWN = 10_000

Key = tuple[str, str]


# Not frozen: that would triple the time a request spends on it.
@dataclass(slots=True, kw_only=True)
class Known:
    """A decision, small enough to keep thousands; fields as the columns of `pointsman.store.rows`."""

    decision_id: str
    tenant: str
    deployment: str | None
    domain: str
    complexity: str
    structure: str
    task: str | None
    n_input_tokens: int
    features: bytes
    predicted_quality: float | None
    decided_at_s: float
    is_hit: bool
    policy: str
    version: str
    arm: str | None
    session_id: str | None
    cost_usd: float

    @property
    def slice(self) -> Hashable:
        """The cell that shares of feedback are kept for; the core's."""
        return self.domain, self.complexity, self.structure, self.task

    def outcome(self, **seen: Any) -> Outcome:
        """What is to be told the core of the answer; fields as `Outcome`."""
        return Outcome(
            deployment=self.deployment or "",
            domain=self.domain,
            complexity=self.complexity,
            structure=self.structure,
            task=self.task,
            n_input_tokens=self.n_input_tokens,
            features=self.features,
            predicted_quality=self.predicted_quality,
            **seen,
        )


def known_of(served: Served) -> Known:
    """What is remembered of a request; a few microseconds."""
    decision = served.decision
    return Known(
        decision_id=decision.decision_id,
        tenant=served.request.tenant or DEFAULT_TENANT,
        deployment=served.deployment,
        domain=decision.domain,
        complexity=decision.complexity,
        structure=decision.structure,
        task=served.request.constraints.task,
        n_input_tokens=decision.n_input_tokens,
        features=decision.features,
        # Of a fallback nothing is at hand; the core predicts anew.
        predicted_quality=decision.predicted_quality if served.deployment == decision.deployment else None,
        decided_at_s=served.started_at_s,
        is_hit=served.cache.is_hit,
        policy=served.policy,
        version=policy_version(decision.policy_version),
        arm=decision.arm,
        session_id=served.request.constraints.session_id,
        cost_usd=served.cost_usd,
    )


def known_of_row(row: Mapping[str, Any]) -> Known:
    """The same of a row of the decision log."""
    return Known(
        decision_id=row["decision_id"],
        tenant=row["tenant"],
        deployment=row["deployment"],
        domain=row["domain"],
        complexity=row["complexity"],
        structure=row["structure"],
        task=row["task"],
        n_input_tokens=row["n_expected_input_tokens"],
        features=bytes(row["features"]),
        predicted_quality=row["predicted_quality"] if row["deployment"] == row["chosen"] else None,
        decided_at_s=row["decided_at_s"],
        is_hit=row["cache_layer"] is not None,
        policy=row["policy"],
        version=policy_version(row["policy_version"]),
        arm=row["arm"],
        session_id=row["session_id"],
        cost_usd=row["cost_usd"],
    )


def policy_version(logged: str) -> str:
    """The version of the policy's document in a decision's `policy_version`; empty if it names none.

    Example:
        >>> policy_version("default@1f0c9a2b+feasible-score-4"), policy_version("feasible-score-4")
        ('default@1f0c9a2b', '')
    """
    return logged.rpartition("+")[0]


@dataclass(slots=True)
class Case:
    """A decision and what was said of its answer.

    Attributes:
        known: The decision.
        given: Value and weight by name and source; what is said again replaces.
        taught: Reward that the core learned of it, and the weight it learned it with.
        preferred: The decisions it was preferred to, by name and source.
        share: What a grade counts for the rarity of its kind (`pointsman.learning.delay`).
    """

    known: Known
    given: dict[Key, tuple[float, float]] = field(default_factory=dict)
    taught: tuple[float, float] | None = None
    preferred: set[tuple[Key, str]] = field(default_factory=set)
    share: float = 1.0

    @property
    def weight(self) -> float:
        """What all that was said counts for, as outcomes."""
        return self.share * min(sum(weight for _, weight in self.given.values()), 1.0)

    @property
    def reward(self) -> float | None:
        """Mean of what was said, each by its weight; `None`: nothing that weighs."""
        weight = sum(weight for _, weight in self.given.values())
        if weight <= 0:
            return None
        mean = sum(value * weight for value, weight in self.given.values()) / weight
        return min(max(mean, 0.0), 1.0)


def case_of_rows(row: Mapping[str, Any], feedback: Iterable[Mapping[str, Any]]) -> Case:
    """A case as the log has it; what it was graded is taken for learned."""
    case = Case(known_of_row(row))
    for one in feedback:
        key = (one["name"], one["source"])
        if one["rejected_id"]:
            if one["weight"] > 0:
                case.preferred.add((key, one["rejected_id"]))
        else:
            case.given[key] = (one["value"], one["weight"])
    if (reward := case.reward) is not None:
        case.taught = (reward, case.weight)
    return case


class RecentCases:
    """The newest decisions, by id. Thread-safe."""

    def __init__(self, n_most: int = MAX_KNOWN) -> None:
        self._n_most = n_most
        self._cases: OrderedDict[str, Case | Known] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._cases)

    def add(self, known: Known) -> None:
        """Remember a decision that was made now."""
        with self._lock:
            self._cases[known.decision_id] = known
            if len(self._cases) > self._n_most:
                self._cases.popitem(last=False)

    def get(self, decision_id: str) -> Case | None:
        """The case of a decision, if it is remembered."""
        with self._lock:
            found = self._cases.get(decision_id)
            if isinstance(found, Known):
                found = self._cases[decision_id] = Case(found)
            return found

    def adopt(self, case: Case) -> Case:
        """Remember a case that came from the log, unless another thread was first; the one remembered."""
        with self._lock:
            decision_id = case.known.decision_id
            found = self._cases.get(decision_id)
            if isinstance(found, Case):
                return found
            self._cases[decision_id] = case
            if len(self._cases) > self._n_most:
                self._cases.popitem(last=False)
            return case
