"""Looks at every answer off the reply path, and tells the core what its signals are worth.

An answer's verifiers run in a worker thread, in the order in which answers came. Its reward is told once:
when its gates failed, or when all have spoken that are to (the session's next question or the end of the
retry window, the judge); never when somebody graded it before (`graded`). Nothing of it can fail a request.

Answers of requests that were drawn for an audit (`pointsman.router.audits`) are graded by the slice's
declared grader, whose verdict goes to the floors. The verdict of an exact one, a gate, is the reward too.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, OrderedDict, deque
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from anyio import from_thread, to_thread

from pointsman.cache.background import Background
from pointsman.errors import PointsmanError
from pointsman.router.answers import Case
from pointsman.router.audits import JUDGE_TAG, Audit, Audits, is_drawn, verdict_of
from pointsman.router.teller import Teller
from pointsman.signals.answer import Answer
from pointsman.signals.combine import Combiner
from pointsman.signals.judge import judge_prompt, judge_signal
from pointsman.signals.retry import Retries
from pointsman.signals.signal import Errors
from pointsman.signals.verifiers import VERIFIERS, Selection, missing_packages, run_verifiers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from pointsman._native import Decision
    from pointsman.config import SignalSettings
    from pointsman.router.plans import Plans
    from pointsman.signals.signal import Signal
    from pointsman.types import Outcome, Request, Served

_LOG = logging.getLogger("pointsman.signals")
_MAX_QUEUED = 1_000
_MAX_CASES = 4_096
_BATCH = 32


class RewardObserver:
    """Runs the verifiers of the config's `signals:` section, and feeds what they say to the core.

    Attributes:
        wants_answers: Streams are put together for it.
        counts: How often each verifier ran (`NAME`) and found fault (`NAME_low`), how many rewards were told
            (`rewards`), and answers nobody looked at because too many came at once (`dropped`).
    """

    wants_answers = True

    def __init__(
        self,
        settings: SignalSettings,
        observe: Callable[[Outcome], None],
        ask: Callable[[str, str], Awaitable[str]],
        learn: Callable[[Iterable[Signal], str, float, str], None] = lambda *_: None,
        combiner: Combiner | None = None,
        pair: Callable[..., object] = lambda *_, **__: None,
    ) -> None:
        """Make one.

        Args:
            settings: What runs for which slice.
            observe: Learns an outcome; `Router.observe`.
            ask: What a model says to a text, of a request tagged `JUDGE_TAG`.
            learn: Learns from signals, model, grade and structure too what they are worth.
            combiner: Makes rewards of signals; what it learned so far counts.
            pair: Learns how two models fared on one request.
        """
        # The observer may be another by the time it is called.
        self.audits = Audits(settings, lambda outcome: self._observe(outcome), pair)
        self.counts: Counter[str] = self.audits.counts
        self._combiner = combiner or Combiner()
        self._observe = observe
        self._teller = Teller(self._combiner, self.audits, lambda outcome: self._observe(outcome), learn)
        self.use(settings)
        self._ask = ask
        self._queue: deque[Served] = deque()
        self._is_draining = False
        self._background = Background()
        self._lock = Lock()
        self._cases: OrderedDict[str, Case] = OrderedDict()
        self._waiting: deque[Case] = deque()

    def use(self, settings: SignalSettings) -> None:
        """Go on with other settings; what was learned of signals stays."""
        self._selection = Selection(settings)
        self.audits.use(settings)
        self._judge = judge = settings.judge
        if judge is not None:
            self._combiner.assume("judge", Errors(judge.tpr, judge.fpr))
        self._retries = Retries(settings.retry_window_s)
        wanted = self._selection.of(None, "text", "general") | {one.grader for one in settings.verdicts}
        for name, packages in missing_packages(wanted).items():
            _LOG.warning(
                "signal %s lacks %s; pip install 'pointsman[signals]', or `drop: [%s]` under `signals`",
                name,
                ", ".join(packages),
                name,
            )

    def served(self, served: Served) -> None:
        """Queue an answer of a model; kept answers and failures are nobody's reward."""
        if served.answer is None or served.cache.is_hit or served.error_code is not None:
            return
        if JUDGE_TAG in served.request.constraints.tags:
            return
        if len(self._queue) >= _MAX_QUEUED:
            self.counts["dropped"] += 1
            return
        self._queue.append(served)
        if not self._is_draining:
            self._is_draining = True
            self._background.start(self._drain)

    def graded(self, decision_id: str, reward: float, name: str | None = None) -> float:
        """Learn what signals are worth from a grade of someone who knows.

        Args:
            decision_id: The decision that was graded.
            reward: The grade, in [0, 1].
            name: What was judged; a verdict, if that is waited for.

        Returns:
            What the grade may still count, in [0, 1]: 1, less what the answer's own signals counted already.
            The answer's signals are told no more.
        """
        with self._lock:
            self.audits.answered(decision_id, name, reward)
            case = self._cases.get(decision_id)
            if case is None:
                return 1.0
            model, structure = case.served.model or "", case.served.decision.structure
            if case.served.decision.strategy != "cascade":
                self._teller.learn(case.signals, model, reward, structure)
            else:
                # Only answers that verifiers liked are served: they say little of verifiers.
                self._combiner.learn(case.signals, model, reward, structure)
            case.is_told = True
            return 1.0 - case.weight

    def rejected(
        self,
        decision: Decision,
        request: Request,
        deployment: str,
        signals: Sequence[Signal],
        answer: Answer | None = None,
    ) -> None:
        """Tell the reward of an answer that a cascade did not keep; without those a step would look too good.

        Called in a worker thread.

        Args:
            decision: The cascade's.
            request: What it was decided for.
            deployment: Who gave the answer.
            signals: What verifiers said of it.
            answer: The answer, if it is whole.
        """
        model, task = decision.model_of(deployment), request.constraints.task
        with self._lock:
            for signal in signals:
                self._count(signal)
            audit = self.audits.drawn(decision, task)
            is_asked = audit is not None and audit.settings.grader == "judge" and answer is not None
            value = None
            if audit is not None and not is_asked:
                value = self._step_judged(audit, decision, task, deployment, signals, answer)
            if value is None:
                self._teller.reward(decision, task, deployment, model, signals)
        if is_asked and audit is not None and answer is not None:
            asked = partial(self._step_be_judged, audit, decision, task, deployment, answer)
            # Outside of the lock: the loop may wait for it.
            from_thread.run_sync(self._background.start, asked)

    def _step_judged(
        self,
        audit: Audit,
        decision: Decision,
        task: str | None,
        deployment: str,
        signals: Sequence[Signal],
        answer: Answer | None,
    ) -> float | None:
        """Grade an answer that was not kept, and was drawn; `None`: its reward is not told yet."""
        is_failed = any(signal.is_failed_gate for signal in signals)
        if audit.feedback is not None or answer is None:
            # Nobody will see it, or it was not read to its end: no verdict.
            self.audits.judged(audit, decision, task, deployment, None)
            self.audits.stepped(decision, deployment, 0.0 if is_failed else None)
            return None
        value = verdict_of(signals, audit.settings.grader)
        self.audits.stepped(decision, deployment, value)
        if value is not None:
            self._teller.exact(audit, decision, task, deployment, signals, value)
        return value

    async def _step_be_judged(
        self, audit: Audit, decision: Decision, task: str | None, deployment: str, answer: Answer
    ) -> None:
        signal = await self._asked(answer)
        with self._lock:
            value = signal.value if signal is not None else None
            self.audits.judged(audit, decision, task, deployment, value)

    def signals_of(self, decision_id: str) -> tuple[Signal, ...]:
        """What verifiers said of a recent answer; empty if it is not known, or nothing was said."""
        with self._lock:
            case = self._cases.get(decision_id)
            return tuple(case.signals) if case else ()

    def errors(self, name: str) -> Errors:
        """How often a hint is right, as graded answers have it so far."""
        return self._combiner.errors(name)

    async def settle(self) -> None:
        """Look at all that is queued, and wait for judges."""
        await self._background.settle()

    def expire(self, now_s: float) -> None:
        """Tell the rewards whose retry window is over at `now_s`; every answer that comes does so too."""
        with self._lock:
            self._expire(now_s)

    async def aclose(self) -> None:
        """Look at what is queued, and tell every reward; judges under way are cancelled."""
        if not self._is_draining and self._queue:
            await self._drain()
        await self._background.aclose()
        with self._lock:
            self.audits.close()
            for case in self._cases.values():
                self._tell(case)

    async def _drain(self) -> None:
        try:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
                for case in await to_thread.run_sync(self._look_at, batch):
                    self._background.start(lambda case=case: self._be_judged(case))  # type: ignore[misc]
        finally:
            self._is_draining = False

    def _look_at(self, batch: list[Served]) -> list[Case]:
        """Run the verifiers; returns the cases for the judge."""
        for_judge = []
        for served in batch:
            signals, selected = self._verified(served)
            with self._lock:
                case = self._opened(served, signals, selected)
                if case.is_judged:
                    for_judge.append(case)
                self._expire(time.time())
        return for_judge

    def _verified(self, served: Served) -> tuple[list[Signal], frozenset[str]]:
        decision, task = served.decision, served.request.constraints.task
        selected = self._selection.of(task, decision.structure, decision.domain)
        answer = Answer(
            body=served.answer or {},
            asked=served.body,
            structure=decision.structure,
            domain=decision.domain,
            task=task,
        )
        audit = self.audits.drawn(decision, task)
        names = selected if audit is None else selected | {audit.settings.grader}
        wanted = [verifier for verifier in VERIFIERS if verifier.name in names]
        return run_verifiers(answer, wanted), selected

    def _opened(self, served: Served, signals: list[Signal], selected: frozenset[str]) -> Case:
        """A new case; what it says of its session's former one is told."""
        decision_id, constraints = served.decision.decision_id, served.request.constraints
        case = Case(served, signals, audit=self.audits.drawn(served.decision, constraints.task))
        for signal in signals:
            self._count(signal)
        is_usable = not any(signal.is_failed_gate for signal in signals)
        if constraints.session_id is not None and "retry" in selected:
            session = (served.request.tenant or "", constraints.session_id)
            said = self._retries.asked(session, decision_id, served.body, served.started_at_s)
            if said is not None:
                self._heard(*said)
            case.is_waiting = is_usable
        case.is_judged = is_usable and "judge" in selected and self._is_sampled(decision_id)
        self._audit(case)
        self._cases[decision_id] = case
        if case.is_waiting:
            self._waiting.append(case)
        self._tell_if_complete(case)
        if len(self._cases) > _MAX_CASES:
            self._tell(self._cases.popitem(last=False)[1])
        return case

    def _audit(self, case: Case) -> None:
        """Have an answer that was drawn graded: now, or later by a judge or by feedback."""
        audit, served = case.audit, case.served
        if audit is None:
            return
        decision, task, deployment = served.decision, served.request.constraints.task, served.deployment or ""
        if audit.feedback is not None:
            self.audits.wait(audit, decision, task, deployment, served.started_at_s)
        elif audit.settings.grader == "judge":
            case.is_judged = True
        elif (value := verdict_of(case.signals, audit.settings.grader)) is not None:
            case.is_told = True
            case.weight = self._teller.exact(audit, decision, task, deployment, case.signals, value)
            self.audits.served(decision, served.model or "", value)

    def _heard(self, decision_id: str, signal: Signal) -> None:
        """Take what the next question says of a former answer."""
        case = self._cases.get(decision_id)
        if case is not None and case.is_waiting:
            case.is_waiting = False
            self._add(case, signal)

    def _expire(self, now_s: float) -> None:
        self.audits.expire(now_s)
        while self._waiting:
            case = self._waiting[0]
            is_over = case.served.started_at_s + self._retries.window_s <= now_s
            if case.is_waiting and not is_over:
                return
            self._waiting.popleft()
            if case.is_waiting:
                case.is_waiting = False
                self._add(case, self._retries.unasked())

    async def _be_judged(self, case: Case) -> None:
        served, audit = case.served, case.audit
        signal = await self._asked(Answer(served.answer or {}, served.body))
        with self._lock:
            case.is_judged = False
            if audit is not None and audit.settings.grader == "judge":
                value = signal.value if signal is not None else None
                task = served.request.constraints.task
                self.audits.judged(audit, served.decision, task, served.deployment or "", value)
            self._add(case, signal)

    async def _asked(self, answer: Answer) -> Signal | None:
        """What the judge says of an answer; `None`: it failed, or said neither good nor bad."""
        if self._judge is None:
            return None
        try:
            reply = await self._ask(self._judge.model, judge_prompt(answer.last_user_text, answer.text))
        except PointsmanError as error:
            _LOG.info("the judge failed: %s", error)
            return None
        return judge_signal(reply, self._judge.model)

    def _add(self, case: Case, signal: Signal | None) -> None:
        """Add what was said late, and tell the reward if nothing more is to come."""
        if signal is not None:
            case.signals.append(signal)
            self._count(signal)
        self._tell_if_complete(case)

    def _tell_if_complete(self, case: Case) -> None:
        if not case.is_waiting and not case.is_judged:
            self._tell(case)

    def _tell(self, case: Case) -> None:
        if case.is_told:
            return
        case.is_told = True
        served = case.served
        deployment, model = served.deployment or "", served.model or ""
        task = served.request.constraints.task
        case.weight = self._teller.reward(served.decision, task, deployment, model, case.signals)

    def _count(self, signal: Signal) -> None:
        self.counts[signal.name] += 1
        self.counts[f"{signal.name}_low"] += signal.value < 0.5

    def _is_sampled(self, decision_id: str) -> bool:
        return self._judge is not None and is_drawn(decision_id, self._judge.rate)


def rewarding(
    settings: SignalSettings | None,
    current: RewardObserver | None,
    observe: Callable[[Outcome], None],
    ask: Callable[[str, str], Awaitable[str]],
    plans: Plans,
) -> RewardObserver | None:
    """The observer of a config's `signals:` section, `current` if there is one; `None` without a section."""
    if settings is None:
        return None
    if current is None:
        pair = plans.planner.observe_pair
        return RewardObserver(settings, observe, ask, plans.learn, plans.combiner, pair)
    current.use(settings)
    return current
