"""What is told of an answer: the reward that its signals make, or the verdict of an exact grader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.errors import InvalidInput, UnknownName
from pointsman.router.audits import Audit, Audits, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pointsman._native import Decision
    from pointsman.signals.combine import Combiner
    from pointsman.signals.signal import Signal
    from pointsman.types import Outcome


class Teller:
    """Makes rewards of signals and tells them, and learns from verdicts what signals are worth.

    Its caller locks.
    """

    def __init__(
        self,
        combiner: Combiner,
        audits: Audits,
        observe: Callable[[Outcome], object],
        learn: Callable[[Iterable[Signal], str, float, str], None],
    ) -> None:
        """Make one; arguments as of `RewardObserver`."""
        self._combiner = combiner
        self._audits = audits
        self._observe = observe
        self._learn = learn

    def learn(self, signals: Sequence[Signal], model: str, value: float, structure: str) -> None:
        """Learn what signals are worth from a grade of someone who knows, in [0, 1]."""
        self._combiner.learn(signals, model, value, structure)
        self._learn(signals, model, value, structure)

    def exact(
        self,
        audit: Audit,
        decision: Decision,
        task: str | None,
        deployment: str,
        signals: Sequence[Signal],
        value: float,
    ) -> float:
        """Tell an exact grader's verdict, which is the reward too; returns what that counts."""
        model = decision.model_of(deployment)
        self._audits.judged(audit, decision, task, deployment, value)
        # Drawn, and graded at every step: a cascade's answers say as much of verifiers as any.
        self.learn(signals, model, value, decision.structure)
        return self._told(outcome_of(decision, task, deployment, reward=value, grader=audit.grader))

    def reward(
        self, decision: Decision, task: str | None, deployment: str, model: str, signals: Sequence[Signal]
    ) -> float:
        """Tell what signals are worth; returns what that counts beside a grade, 0 if it is not told."""
        cell = (decision.structure, decision.domain, task or "")
        reward = self._combiner.reward(signals, model, cell, _quality(decision, deployment))
        if reward is None:
            return 0.0
        return self._told(outcome_of(decision, task, deployment, reward=reward.value, weight=reward.weight))

    def _told(self, outcome: Outcome) -> float:
        """Tell a reward; returns what it counts, 0 if nobody is left to learn of."""
        try:
            self._observe(outcome)
        except (InvalidInput, UnknownName):
            return 0.0
        self._audits.counts["rewards"] += 1
        return outcome.weight


def _quality(decision: Decision, deployment: str) -> float:
    """What was predicted of the answer by whoever answered, which need not be whom the decision chose."""
    try:
        return decision.quality_of(deployment)
    except UnknownName:
        return decision.predicted_quality
