"""Random audits by a declared grader: drawn before there is an answer, so that what they find holds for all.

Which requests are audited follows from the decision's id alone, with a probability that the config names;
nothing that is seen of an answer has a say. Every answer of an audited request is graded, those too that a
cascade did not keep, and the verdicts go to the core's floors, which certify and alarm by them.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pointsman.errors import InvalidInput, UnknownName
from pointsman.types import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pointsman._native import Decision
    from pointsman.config import SignalSettings, VerdictSettings
    from pointsman.signals.signal import Signal

JUDGE_TAG = "pointsman-judge"
"""Marks requests that ask a judge: nobody judges those."""
_MAX_PENDING = 20_000
_MAX_CASCADES = 4_096
_MAX_EARLY = 1_000


@dataclass(frozen=True, slots=True)
class Audit:
    """That a request was drawn, and who is to grade its answers.

    Attributes:
        settings: The entry of `signals.verdicts` it was drawn by.
        grader: The grader's name, as certificates have it.
        tpr: Share of good answers it passes.
        fpr: Share of bad answers it passes.
    """

    settings: VerdictSettings
    grader: str
    tpr: float = 1.0
    fpr: float = 0.0

    @property
    def is_exact(self) -> bool:
        """Whether the verdict is what quality means here, and not a sign of it."""
        return self.tpr == 1.0 and self.fpr == 0.0

    @property
    def feedback(self) -> str | None:
        """Name of the feedback that is waited for; `None`: another grades."""
        return self.settings.name if self.settings.grader == "feedback" else None


@dataclass(frozen=True, slots=True)
class _Pending:
    """An answer whose feedback is waited for."""

    audit: Audit
    decision: Decision
    task: str | None
    deployment: str
    until_s: float


class Audits:
    """Draws, keeps what feedback is waited for, and tells the core's floors. Its caller locks.

    Attributes:
        counts: Verdicts told (`audits`), audits that brought none (`audits_unanswered`).
    """

    def __init__(
        self,
        settings: SignalSettings,
        tell: Callable[[Outcome], object],
        pair: Callable[..., object] = lambda *_, **__: None,
    ) -> None:
        """Make one.

        Args:
            settings: What is audited, slice by slice.
            tell: Takes an outcome with a verdict; `Router.observe`.
            pair: Takes how two models fared on one request; `Planner.observe_pair`.
        """
        self.counts: Counter[str] = Counter()
        self._tell = tell
        self._pair = pair
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        # Feedback that was quicker than whoever looks at answers, by decision and name.
        self._early: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._steps: OrderedDict[str, list[tuple[str, float, float | None]]] = OrderedDict()
        self.use(settings)

    def use(self, settings: SignalSettings) -> None:
        """Draw by other settings from now on."""
        self._settings = settings
        self._awaited = {one.name for one in settings.verdicts if one.grader == "feedback"}

    def drawn(self, decision: Decision, task: str | None) -> Audit | None:
        """The audit a request was drawn for; `None`: it was not, or nobody grades its slice."""
        of_slice = self._settings.verdict_of(task, decision.structure, decision.domain)
        if of_slice is None or not is_drawn(decision.decision_id, of_slice.audit_share):
            return None
        judge = self._settings.judge
        if of_slice.grader == "judge" and judge is not None:
            return Audit(of_slice, f"judge {judge.model}", judge.tpr, judge.fpr)
        name = f"feedback {of_slice.name}" if of_slice.grader == "feedback" else of_slice.grader
        return Audit(of_slice, name)

    def judged(
        self, audit: Audit, decision: Decision, task: str | None, deployment: str, value: float | None
    ) -> None:
        """Tell the floors a verdict in [0, 1]; `None`: it should have come, and did not."""
        self.counts["audits" if value is not None else "audits_unanswered"] += 1
        outcome = outcome_of(
            decision,
            task,
            deployment,
            verdict=value,
            audit_share=audit.settings.audit_share,
            grader=audit.grader,
            grader_tpr=audit.tpr,
            grader_fpr=audit.fpr,
        )
        try:
            self._tell(outcome)
        except (InvalidInput, UnknownName):
            return  # a deployment swapped away: nobody is left to certify

    # ---- feedback

    def wait(self, audit: Audit, decision: Decision, task: str | None, deployment: str, now_s: float) -> None:
        """Wait for feedback on an answer; with too many waited for, the oldest brings no verdict."""
        early = self._early.pop((decision.decision_id, audit.settings.name), None)
        if early is not None:
            self.judged(audit, decision, task, deployment, early)
            self.served(decision, decision.model_of(deployment), early)
            return
        until_s = now_s + audit.settings.wait_s
        self._pending[decision.decision_id] = _Pending(audit, decision, task, deployment, until_s)
        if len(self._pending) > _MAX_PENDING:
            self._give_up(self._pending.popitem(last=False)[1])

    def answered(self, decision_id: str, name: str | None, value: float) -> None:
        """Take feedback, if it is what is waited for; what is said of the answer later is no verdict."""
        pending = self._pending.get(decision_id)
        if pending is None and name in self._awaited:
            self._early.setdefault((decision_id, name or ""), value)
            if len(self._early) > _MAX_EARLY:
                self._early.popitem(last=False)
        if pending is None or pending.audit.feedback != name:
            return
        del self._pending[decision_id]
        self.judged(pending.audit, pending.decision, pending.task, pending.deployment, value)
        self.served(pending.decision, pending.decision.model_of(pending.deployment), value)

    def expire(self, now_s: float) -> None:
        """Wait no longer for what should have come by now."""
        while self._pending:
            pending = next(iter(self._pending.values()))
            if pending.until_s > now_s:
                return
            del self._pending[pending.decision.decision_id]
            self._give_up(pending)

    def close(self) -> None:
        """Wait for nothing: after a restart nobody knows what was waited for."""
        while self._pending:
            self._give_up(self._pending.popitem()[1])

    def _give_up(self, pending: _Pending) -> None:
        self.judged(pending.audit, pending.decision, pending.task, pending.deployment, None)

    # ---- cascades

    def stepped(self, decision: Decision, deployment: str, value: float | None) -> None:
        """Note what an answer that was not kept is worth, for the pair with the next one; `None`: unknown."""
        steps = self._steps.setdefault(decision.decision_id, [])
        steps.append((decision.model_of(deployment), decision.quality_of(deployment), value))
        if len(self._steps) > _MAX_CASCADES:
            self._steps.popitem(last=False)

    def served(self, decision: Decision, model: str, value: float) -> None:
        """Tell how the answers of a cascade's steps fared beside each other, now that the last is graded."""
        steps = self._steps.pop(decision.decision_id, [])
        if not steps:
            return
        chain = [*steps, (model, _quality_of_model(decision, model), value)]
        for (first, believed, was_good), (second, believed_next, is_good) in pairwise(chain):
            if was_good is not None and is_good is not None and first != second:
                predicted, rewards = (believed, believed_next), (was_good, is_good)
                self._pair((first, second), predicted=predicted, rewards=rewards)


def verdict_of(signals: Sequence[Signal], grader: str) -> float | None:
    """What a verifier that grades says: 1 without fault, else 0; `None`: it does not apply."""
    found = next((signal for signal in signals if signal.name == grader), None)
    return None if found is None else float(found.value >= 1.0)


def outcome_of(decision: Decision, task: str | None, deployment: str, **seen: Any) -> Outcome:
    """An outcome of a deployment's answer to what was decided; fields as `Outcome`."""
    return Outcome(
        deployment=deployment,
        domain=decision.domain,
        complexity=decision.complexity,
        structure=decision.structure,
        task=task,
        decision=decision,
        **seen,
    )


def is_drawn(decision_id: str, share: float) -> bool:
    """A draw with this probability; its randomness is a hash's hex digits, so a replay draws the same."""
    digits = decision_id[-16:-8]
    return int(digits, 16) < share * 16.0 ** len(digits)


def _quality_of_model(decision: Decision, model: str) -> float:
    for deployment, _ in decision.steps:
        if decision.model_of(deployment) == model:
            return decision.quality_of(deployment)
    return decision.predicted_quality
