"""How a decision is carried out: one call, a cascade, or a race; and what verifiers are worth there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman._native import Planner
from pointsman.cache.replay import StreamRecorder
from pointsman.execution import cascade, direct, race
from pointsman.execution.cascade import Discarded, Verdict
from pointsman.execution.race import Entrants, HedgeBudget
from pointsman.router.audits import JUDGE_TAG
from pointsman.router.wiring import discarded_usd
from pointsman.signals.answer import Answer
from pointsman.signals.combine import DEFAULT_ERRORS, Combiner
from pointsman.signals.verifiers import BY_NAME, DETERMINISTIC, run_verifiers
from pointsman.types import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pointsman._native import Decision
    from pointsman.execution.cascade import HeldStream
    from pointsman.execution.direct import AnswerStream, Attempts, Target
    from pointsman.providers.provider import ProviderReply
    from pointsman.router.admission import Admitted
    from pointsman.router.learned import Learns
    from pointsman.router.request import ChatRequest
    from pointsman.router.rewards import RewardObserver
    from pointsman.router.wiring import Wiring
    from pointsman.signals.signal import Signal

_GATE_RATES = {
    "empty": (0.999, 0.98),
    "json": (0.995, 0.85),
    "json_schema": (0.999, 0.75),
    "tool_arguments": (0.999, 0.8),
    "code": (0.97, 0.7),
}
"""Shares of good and bad answers that pass gates, before graded outcomes have said; chosen, and cautious."""
_HINTS = ("truncation", "refusal", "repetition", "token_probability")
_OF_PARTS = ("refusal", "repetition", "token_probability")
"""Verifiers that an answer need not be whole for."""
_MIN_HEDGE_MS = 50.0
"""A second call is not worth less waiting than this (science.md 2.11)."""
_HURRIED = 0.5
"""A race begins at once where the predicted 95th percentile takes more than this share of a limit; chosen."""


class Plans:
    """Plans decisions of one router, and carries the plans out.

    Attributes:
        planner: What verifiers are worth and which models fail together, learned.
        combiner: What verifiers are worth in rewards, learned.
        rewards: Is told of answers that are not kept, if the config has `signals`.
    """

    def __init__(self) -> None:
        hints = ((name, errors.tpr, errors.fpr) for name, errors in DEFAULT_ERRORS.items())
        gates = ((name, tpr, fpr) for name, (tpr, fpr) in _GATE_RATES.items())
        self.planner = Planner([*{name: (name, tpr, fpr) for name, tpr, fpr in (*hints, *gates)}.values()])
        self.combiner = Combiner()
        self.rewards: RewardObserver | None = None
        self._hedges = HedgeBudget()

    def planned(self, decision: Decision, chat: ChatRequest, wiring: Wiring) -> Decision:
        """The decision with the plan that the request's strategy and its policy allow."""
        policy = chat.policy
        strategy = chat.request.constraints.strategy
        explores = chat.request.constraints.exploration
        # A draw must be carried out as drawn, or its propensity on record is wrong.
        by_itself = strategy == "auto" and not explores and policy.cascade
        may_cascade = strategy == "cascade" or by_itself
        if may_cascade and chat.request.n_choices == 1:
            names = _verifiers_of(chat, decision)
            if not any(_gives_logprobs(wiring, model) for model in wiring.registry.config.models):
                names.remove(verifier_name("token_probability", decision.structure))
            planned = self.planner.plan(decision, verifiers=names, is_forced=strategy == "cascade")
            if planned is not None:
                return planned
        may_hedge = strategy == "race" or (strategy == "auto" and policy.hedge)
        if may_hedge and _is_idempotent(chat):
            return _raced(decision, chat)
        return decision

    def learners(self) -> dict[str, Learns]:
        """What is learned here, by the names it is kept under."""
        return {"planner": self.planner, "signals": self.combiner}

    async def complete(
        self,
        wiring: Wiring,
        chat: ChatRequest,
        decision: Decision,
        admitted: Admitted,
        attempts: Attempts,
        discarded: list[Discarded],
    ) -> tuple[Target, ProviderReply]:
        """Get the whole answer that a decision's plan leads to; errors as `direct.complete`."""
        if decision.strategy == "direct":
            return await direct.complete(admitted.targets, chat.body, attempts)
        steps, spare = _steps_of(admitted, decision)
        if decision.strategy == "cascade" and len(steps) > 1:
            judge = StepJudge(self.planner, wiring, chat, decision, self.rewards)
            return await cascade.complete(steps, spare, judge, attempts, discarded)
        if decision.strategy == "race" and len(steps) == 2:
            entrants = self._entrants(decision, steps, spare)

            def is_good(body: Mapping[str, Any]) -> bool:
                return not any(map(_is_failed, run_verifiers(_answer(body, chat, decision), DETERMINISTIC)))

            permit = self._hedges.spend
            return await race.complete(
                entrants, chat.body, attempts, discarded, permit=permit, is_good=is_good
            )
        return await direct.complete([*steps, *spare], chat.body, attempts)

    async def open_stream(
        self,
        wiring: Wiring,
        chat: ChatRequest,
        decision: Decision,
        admitted: Admitted,
        attempts: Attempts,
        discarded: list[Discarded],
    ) -> AnswerStream | HeldStream:
        """Open the stream that a decision's plan leads to; errors as `direct.open_stream`."""
        if decision.strategy == "direct":
            return await direct.open_stream(admitted.targets, chat.body, attempts)
        steps, spare = _steps_of(admitted, decision)
        if decision.strategy == "cascade" and len(steps) > 1:
            judge = StepJudge(self.planner, wiring, chat, decision, self.rewards)
            max_chunks = chat.policy.cascade_buffer_tokens
            return await cascade.open_stream(steps, spare, judge, attempts, discarded, max_chunks=max_chunks)
        if decision.strategy == "race" and len(steps) == 2:
            entrants = self._entrants(decision, steps, spare)
            return await race.open_stream(entrants, chat.body, attempts, discarded, permit=self._hedges.spend)
        return await direct.open_stream([*steps, *spare], chat.body, attempts)

    def learn(self, signals: Iterable[Signal], model: str, reward: float, structure: str) -> None:
        """Learn what verifiers are worth from an answer of a structure that was graded, in [0, 1]."""
        for signal in signals:
            name = verifier_name(signal.name, structure)
            self.planner.observe_verdict(name, model, signal.value, reward)

    def audit(self, chat: ChatRequest, decision: Decision) -> str | None:
        """Name of the feedback that is waited for on a request's answer; `None`: none is."""
        if self.rewards is None or JUDGE_TAG in chat.request.constraints.tags:
            return None
        drawn = self.rewards.audits.drawn(decision, chat.request.constraints.task)
        return drawn.feedback if drawn is not None else None

    def _entrants(self, decision: Decision, steps: Sequence[Target], spare: Sequence[Target]) -> Entrants:
        self._hedges.earn()
        after_s = (decision.hedge_after_ms or 0.0) / 1e3
        return Entrants(first=steps[0], second=steps[1], after_s=after_s, spare=spare)


class StepJudge:
    """Looks at the answers of a cascade's steps; a `cascade.Judge`.

    Deterministic gates always run. What the verifiers that were planned with say moves the predicted quality
    of the step, given what was believed of the one before. An answer is kept if even the lower bound of that
    reaches the step's threshold: a model is not taken at its word where few of its answers were graded.
    """

    def __init__(
        self,
        planner: Planner,
        wiring: Wiring,
        chat: ChatRequest,
        decision: Decision,
        rewards: RewardObserver | None = None,
    ) -> None:
        self._planner = planner
        self._rewards = rewards
        self._wiring = wiring
        self._chat = chat
        self._decision = decision
        self._thresholds = [threshold for _, threshold in decision.steps]
        self._counted = frozenset(_verifiers_of(chat, decision))
        self._belief = decision.quality_of(decision.deployment)
        self._adds_logprobs = False
        constraints = chat.request.constraints
        # What a named model would have given nobody can tell of another's answer.
        self.floor = 1.0 if constraints.quality_like is not None else constraints.min_quality or 0.0

    def body(self, step: int, target: Target) -> Mapping[str, Any]:
        """The request, with `logprobs` where they help to look at the answer."""
        asked = self._chat.body
        is_last = step + 1 >= len(self._thresholds)
        self._adds_logprobs = (
            not is_last and not asked.get("logprobs") and _gives_logprobs(self._wiring, target.model)
        )
        return {**asked, "logprobs": True} if self._adds_logprobs else asked

    def clean(self, answer: dict[str, Any]) -> None:
        """Take out the `logprobs` that the caller did not ask for."""
        if self._adds_logprobs:
            for choice in answer.get("choices") or ():
                choice.pop("logprobs", None)

    def look(self, step: int, body: Mapping[str, Any], *, is_whole: bool) -> Verdict:
        """Run the verifiers, and compare what they make likely with the step's threshold."""
        names = [each.name for each in DETERMINISTIC] + list(_HINTS) if is_whole else _OF_PARTS
        answer = _answer(body, self._chat, self._decision)
        signals = run_verifiers(answer, [BY_NAME[name] for name in names])
        deployment = self._decision.steps[step][0]
        model = self._decision.model_of(deployment)
        if any(map(_is_failed, signals)):
            p_good, is_kept = 0.0, False
        else:
            named = [(verifier_name(each.name, self._decision.structure), each.value) for each in signals]
            said = [each for each in named if each[0] in self._counted]
            p_good = self._planner.posterior(model, self._belief, said)
            least = self._planner.posterior(model, self._belief * self._caution(deployment), said)
            is_kept = least >= (self._thresholds[step] or 0.0)
        self._belief = self._planner.belief_after(self._decision, step + 1, p_good)
        if not is_kept and self._rewards is not None:
            whole = answer if is_whole else None
            self._rewards.rejected(self._decision, self._chat.request, deployment, signals, whole)
        return Verdict(is_kept=is_kept, p_good=p_good)

    def _caution(self, deployment: str) -> float:
        """The lower bound of a prediction as a share of it."""
        quality = self._decision.quality_of(deployment)
        return self._decision.quality_lcb_of(deployment) / quality if quality > 0.0 else 1.0

    def passed_over(self, step: int) -> None:
        """Believe of the next step what was predicted of it."""
        if step + 1 < len(self._thresholds):
            self._belief = self._decision.quality_of(self._decision.steps[step + 1][0])

    def assembled(self, chunks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """The answer that chunks of a stream make."""
        recorder = StreamRecorder()
        for chunk in chunks:
            recorder.add(chunk)
        return recorder.body()


def verifier_name(name: str, structure: str) -> str:
    """The planner's name of a verifier: `token_probability/json` means another thing than `.../text`.

    SmolLM2 is surer of every extraction under a grammar than of any answer in prose, and wrong in four of six
    (`benches/real_cascade.py`).
    """
    return f"{name}/{structure}" if name == "token_probability" else name


def _is_failed(signal: Signal) -> bool:
    return signal.is_failed_gate


def _answer(body: Mapping[str, Any], chat: ChatRequest, decision: Decision) -> Answer:
    task = chat.request.constraints.task
    return Answer(body, chat.body, decision.structure, decision.domain, task)


def _verifiers_of(chat: ChatRequest, decision: Decision) -> list[str]:
    """The planner's names of the verifiers that count for a request's answers.

    Of two that say the same, as JSON that parses and JSON that follows its schema do, one counts.
    """
    names = ["empty", "truncation", "refusal", "repetition"]
    names.append(verifier_name("token_probability", decision.structure))
    kind = (chat.request.response_format or {}).get("type")
    if kind in ("json_object", "json_schema") or decision.structure == "json":
        names.append("json_schema" if kind == "json_schema" else "json")
    if chat.request.tools:
        names.append("tool_arguments")
    if decision.structure in ("code", "sql"):
        names.append("code")
    return names


def _gives_logprobs(wiring: Wiring, model: str) -> bool:
    """Whether the config says so of a model."""
    settings = wiring.registry.config.models.get(model)
    return settings is not None and "logprobs" in (settings.capabilities or ())


def _is_idempotent(chat: ChatRequest) -> bool:
    """Whether asking twice does no more than asking once."""
    body = chat.body
    if body.get("store") or body.get("web_search_options"):
        return False
    has_tools = bool(chat.request.tools or body.get("functions"))
    return not has_tools or chat.policy.hedge_tools


def _raced(decision: Decision, chat: ChatRequest) -> Decision:
    """The decision as a race against the next, elsewhere if possible; itself if there is no next."""
    others = decision.ranking[1:]
    if not others:
        return decision
    elsewhere = [name for name in others if decision.provider_of(name) != decision.provider]
    same = [name for name in elsewhere if decision.model_of(name) == decision.model]
    second = (same or elsewhere or others)[0]
    constraints = chat.request.constraints
    late_ms = decision.predicted_ttft_p95_ms if chat.request.stream else decision.predicted_latency_p95_ms
    limits = [(constraints.max_latency_ms, decision.predicted_latency_p95_ms)]
    limits.append((constraints.max_ttft_ms, decision.predicted_ttft_p95_ms))
    is_hurried = any(limit is not None and p95_ms > _HURRIED * limit for limit, p95_ms in limits)
    at_once = constraints.strategy == "race" and is_hurried
    return decision.raced(second, hedge_after_ms=0.0 if at_once else max(_MIN_HEDGE_MS, late_ms))


def _steps_of(admitted: Admitted, decision: Decision) -> tuple[list[Target], list[Target]]:
    """The plan's deployments that are there, and who else may be asked; no plan where money is short."""
    if admitted.is_restricted:
        return [], admitted.targets
    targets = {target.deployment: target for target in admitted.targets}
    steps = [targets.pop(name) for name, _ in decision.steps if name in targets]
    return steps, list(targets.values())


def fail(
    admitted: Admitted,
    wiring: Wiring,
    decision: Decision,
    discarded: Sequence[Discarded],
    error: BaseException,
) -> None:
    """Settle a request that nobody answered: what was discarded on the way was paid for."""
    if discarded and isinstance(error, Exception):
        admitted.settle(discarded_usd(wiring, decision, discarded), Usage())
    else:
        admitted.fail(error)
