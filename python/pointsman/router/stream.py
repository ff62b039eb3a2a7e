"""An answer as it is written."""

from __future__ import annotations

from time import perf_counter, time
from typing import TYPE_CHECKING, Any, Self

from pointsman.cache.kept import KeptAnswer
from pointsman.cache.replay import StreamRecorder
from pointsman.errors import PointsmanError
from pointsman.execution.direct import AnswerStream, Attempts, within
from pointsman.router.cached import KeptStream, decision_with, patience_s
from pointsman.router.observers import Observers, error_code
from pointsman.router.plans import Plans, fail
from pointsman.router.wiring import (
    Wiring,
    baseline_usd,
    call_of,
    costs_usd,
    decision_answer_id,
    delta_bytes,
    discarded_usd,
    ends_cut,
    estimated_usage,
)
from pointsman.types import CACHE_OFF, Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    from pointsman._native import Decision
    from pointsman.cache.visit import Visit
    from pointsman.execution.cascade import Discarded, HeldStream
    from pointsman.router.admission import Admitted
    from pointsman.router.learner import Learner
    from pointsman.router.request import ChatRequest
    from pointsman.types import AnsweredBy


class CompletionStream:
    """An answer as it is written: an async iterator of OpenAI chunks, with the decision behind it.

    `model` in every chunk is the model that answers. `cost_usd` and `usage` are known after the last chunk.
    """

    def __init__(
        self,
        wiring: Wiring,
        leave: Callable[[Wiring], Awaitable[None]],
        chat: ChatRequest,
        decision: Decision,
        learner: Learner,
        started_s: float,
        admit: Callable[[ChatRequest, Decision, Wiring], Admitted],
        visit: Visit | None = None,
        served: Callable[[ChatRequest, Decision, Visit, KeptAnswer], None] | None = None,
        observers: Observers | None = None,
        plans: Plans | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        self.decision = decision
        self.cache = CACHE_OFF
        self.usage = Usage(is_estimated=True)
        self.cost_usd = 0.0
        self.baseline_cost_usd = 0.0
        self.attempts = attempts or Attempts()
        self._plans = plans or Plans()
        self._discarded: list[Discarded] = []
        self._wiring = wiring
        self._leave = leave
        self._learner = learner
        self._chat = chat
        self.created_s = time()
        self._answer_id = decision_answer_id(decision)
        self._started_s = started_s
        self._admit = admit
        self._admitted: Admitted | None = None
        self._visit = visit
        self._observers = observers or Observers()
        is_recorded = visit is not None or self._observers.wants_answers
        self._recorder = StreamRecorder() if is_recorded else None
        self._served = served
        self._error_code: str | None = None
        self._stream: AnswerStream | HeldStream | KeptStream | None = None
        self._n_answer_bytes = 0
        self._opened_s = 0.0
        self._waited_s = 0.0
        self._is_whole = False
        self._has_ended = False
        self._is_closed = False

    async def open(self) -> Self:
        """Wait for the first token that will be kept; errors as `Router.complete`. Done once, by itself."""
        if self._is_closed and self._stream is None:
            raise PointsmanError("the stream is closed; ask again with Router.stream")
        if self._stream is None:
            self._wiring.n_inflight += 1
            try:
                with within(self._chat.request.constraints.deadline_s, self.attempts):
                    self._stream = await self._open_kept() or await self._open_call()
            except BaseException as error:
                self._is_closed = True
                if self._visit is not None:
                    self._visit.leave()
                if self._admitted is not None:
                    fail(self._admitted, self._wiring, self.decision, self._discarded, error)
                made = self.attempts.made
                self._learner.failed(made)
                self._observers.failed(
                    self._chat, self.decision, self._started_s, made, error, cache=self.cache
                )
                self.attempts.close()
                await self._leave(self._wiring)
                raise
            self._opened_s = perf_counter()
        return self

    async def _open_kept(self) -> KeptStream | None:
        if self._visit is None:
            return None
        decision, visit = self.decision, self._visit
        kept = await visit.find(patience_s(decision))
        self.cache = visit.use
        self.attempts.upstream_s += visit.waited_s
        if kept is None:
            return None
        self.decision = decision_with(decision, visit)
        self.baseline_cost_usd = baseline_usd(self._wiring, decision, kept.usage)
        if self._served is not None:
            self._served(self._chat, decision, visit, kept)
        return KeptStream(kept, decision.decision_id, visit.chars_per_s)

    async def _open_call(self) -> AnswerStream | HeldStream:
        self._admitted = self._admit(self._chat, self.decision, self._wiring)
        return await self._plans.open_stream(
            self._wiring, self._chat, self.decision, self._admitted, self.attempts, self._discarded
        )

    @property
    def target(self) -> AnsweredBy:
        """The deployment that answers, or once answered; known once open."""
        return self._opened.target

    @property
    def expected_costs_usd(self) -> tuple[float, float]:
        """Cost of the answer and of the baseline's, as far as known once open; US dollars."""
        if isinstance(self._stream, KeptStream):
            return 0.0, self.baseline_cost_usd
        return self.decision.predicted_cost_usd, self.decision.baseline_cost_usd

    @property
    def _opened(self) -> AnswerStream | HeldStream | KeptStream:
        if self._stream is None:
            raise RuntimeError("the stream is not open yet; read a chunk, or await open()")
        return self._stream

    @property
    def headers(self) -> Mapping[str, str]:
        """Upstream rate-limit headers, lower-case names; known once open."""
        return self._stream.headers if self._stream is not None else {}

    @property
    def audit(self) -> str | None:
        """Name of the feedback that is waited for, as the request was drawn for an audit; known once open."""
        is_kept = isinstance(self._stream, KeptStream)
        return None if is_kept else self._plans.audit(self._chat, self.decision)

    @property
    def overhead_us(self) -> float:
        """Time until now not spent waiting for providers; read it right after `open`."""
        return (perf_counter() - self._started_s - self.attempts.upstream_s) * 1e6

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        await self.open()
        waited_from_s = perf_counter()
        try:
            chunk = await anext(self._opened)
        except BaseException as error:
            self._has_ended = isinstance(error, StopAsyncIteration)
            self._error_code = None if self._has_ended else error_code(error)
            self._is_whole = self._is_whole and self._has_ended
            await self.aclose()
            raise
        self._waited_s += perf_counter() - waited_from_s
        for choice in chunk.get("choices") or ():
            if choice.get("finish_reason"):
                self._is_whole = not ends_cut(choice)
        chunk["model"] = self.target.model
        chunk["id"] = self._answer_id
        self._n_answer_bytes += delta_bytes(chunk)
        if self._recorder is not None:
            self._recorder.add(chunk)
        return chunk

    async def aclose(self) -> None:
        """Close the upstream call (at once, if the answer is not complete) and settle the cost."""
        was_closed, self._is_closed = self._is_closed, True
        if self._stream is None or was_closed:
            return
        try:
            await self._stream.aclose()
        finally:
            try:
                self._settle(self._stream)
                self._tell()
            finally:
                if self._visit is not None:
                    self._visit.leave()
                self.attempts.close()
                await self._leave(self._wiring)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _settle(self, stream: AnswerStream | HeldStream | KeptStream) -> None:
        if isinstance(stream, KeptStream):
            self.usage = stream.usage
            return
        self.usage = stream.usage or estimated_usage(self.decision, self._n_answer_bytes)
        self.cost_usd, self.baseline_cost_usd = costs_usd(
            self._wiring, self.decision, self.target, self.usage
        )
        self.cost_usd += discarded_usd(self._wiring, self.decision, self._discarded)
        if self._admitted is not None:
            self._admitted.settle(self.cost_usd, self.usage)
        self._learner.settled(self.cost_usd)
        self._learner.failed(self.attempts.made)
        ttft_ms = call_of(self.attempts.made, self.target).latency_ms
        self._learner.answered(
            self.target.deployment,
            self.usage,
            ttft_ms=ttft_ms,
            latency_ms=ttft_ms + self._waited_ms(),
            is_cut=not self._is_whole,
        )
        # Only a stream that was read to its end is known to be whole.
        if self._visit is not None and self._recorder is not None and self._has_ended and self._is_whole:
            by = self.target
            answer = KeptAnswer(self._recorder.body(), by.deployment, by.model, by.provider, self.usage)
            self._visit.keep(answer, self.cost_usd)

    def _tell(self) -> None:
        """Tell the observers what became of it; a reader that left before the end has left."""
        if not self._observers:
            return
        by = self.target
        left = None if self._has_ended or self._is_whole else "caller_gone"
        waited_s = sum(attempt.latency_ms for attempt in self.attempts.made) / 1e3
        ttft_s = self._opened_s - self._started_s
        self._observers.streamed(
            self._chat,
            self.decision,
            self._started_s,
            self.attempts.made,
            deployment=by.deployment,
            model=by.model,
            provider=by.provider,
            answer=self._recorder.body() if self._recorder is not None else None,
            usage=self.usage,
            cost_usd=self.cost_usd,
            baseline_cost_usd=self.baseline_cost_usd,
            ttft_ms=ttft_s * 1e3,
            overhead_us=(ttft_s - waited_s) * 1e6,
            cache=self.cache,
            error_code=self._error_code or left,
            is_cut=not self._is_whole,
        )

    def _waited_ms(self) -> float:
        """Time spent waiting for tokens after the first; 0 if the reader was slower, as nobody knows then."""
        elapsed_s = perf_counter() - self._opened_s
        return self._waited_s * 1e3 if self._waited_s > elapsed_s / 2 else 0.0
