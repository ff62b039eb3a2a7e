"""Who is told what became of every request, and how that is put together."""

from __future__ import annotations

import logging
from time import perf_counter, time
from typing import TYPE_CHECKING, Any, Protocol

from pointsman.errors import PointsmanError
from pointsman.types import Served

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pointsman._native import Decision
    from pointsman.router.embeddings import Embedding
    from pointsman.router.request import ChatRequest
    from pointsman.types import Attempt, Completion, Observer, Request, Shadow

_LOG = logging.getLogger("pointsman.router")


class Asked(Protocol):
    """What was asked, and by whom: of a chat or of embeddings."""

    @property
    def request(self) -> Request:
        """As the core sees it."""

    @property
    def body(self) -> Mapping[str, Any]:
        """As OpenAI has it, without the fields that are ours."""

    @property
    def policy_name(self) -> str:
        """Name of the policy it was read under."""

    @property
    def shadow(self) -> Shadow | None:
        """What another version of the policy is to be asked once the answer has left."""

    @property
    def key_id(self) -> str | None:
        """Id of the key it came with."""


class Observers:
    """The observers of a router. An observer that raises is logged, and the others are told all the same."""

    def __init__(self) -> None:
        self._observers: tuple[Observer, ...] = ()

    @property
    def wants_answers(self) -> bool:
        """Whether any of them looks at answers, so that streams must be put together."""
        return any(observer.wants_answers for observer in self._observers)

    def __bool__(self) -> bool:
        return bool(self._observers)

    def add(self, observer: Observer) -> None:
        """Tell this one too, from the next request on."""
        self._observers = (*self._observers, observer)

    def remove(self, observer: Observer) -> None:
        """Tell this one no more."""
        self._observers = tuple(each for each in self._observers if each is not observer)

    def tell(self, served: Served) -> None:
        """Tell every observer."""
        for observer in self._observers:
            try:
                observer.served(served)
            except Exception:  # whatever an observer raises: no request fails of being watched
                _LOG.exception("observer %s failed", type(observer).__name__)

    def completed(self, chat: ChatRequest, answer: Completion, started_s: float) -> None:
        """Tell of a whole answer."""
        if not self._observers:
            return
        finish_reasons = [choice.get("finish_reason") for choice in answer.body.get("choices") or ()]
        self.tell(
            _served(
                chat,
                answer.decision,
                started_s,
                answer.attempts,
                deployment=answer.deployment,
                model=answer.model,
                provider=answer.provider,
                answer=answer.body,
                usage=answer.usage,
                cost_usd=answer.cost_usd,
                baseline_cost_usd=answer.baseline_cost_usd,
                overhead_us=answer.overhead_us,
                cache=answer.cache,
                is_cut="length" in finish_reasons,
            )
        )

    def failed(
        self,
        chat: Asked,
        decision: Decision,
        started_s: float,
        attempts: Sequence[Attempt],
        error: BaseException,
        **said: Any,
    ) -> None:
        """Tell of a request that nobody answered; `said` as the fields of `Served`."""
        if self._observers:
            self.tell(_served(chat, decision, started_s, attempts, error_code=error_code(error), **said))

    def embedded(self, asked: Asked, decision: Decision, started_s: float, made: Embedding) -> None:
        """Tell of embeddings."""
        if self._observers:
            self.tell(
                _served(
                    asked,
                    decision,
                    started_s,
                    made.attempts,
                    deployment=made.deployment,
                    model=made.model,
                    provider=made.provider,
                    usage=made.usage,
                    cost_usd=made.cost_usd,
                    baseline_cost_usd=made.cost_usd,
                    overhead_us=made.overhead_us,
                    operation="embeddings",
                )
            )

    def streamed(
        self,
        chat: ChatRequest,
        decision: Decision,
        started_s: float,
        attempts: Sequence[Attempt],
        **said: Any,
    ) -> None:
        """Tell of a stream that has ended; `said` as the fields of `Served`."""
        if self._observers:
            self.tell(_served(chat, decision, started_s, attempts, **said))


def error_code(error: BaseException) -> str:
    """The code under which the caller sees an error; one that is not ours is the caller's leaving."""
    code = getattr(error, "code", None)
    if isinstance(code, str):
        return code
    if isinstance(error, PointsmanError):
        return "pointsman_error"
    return "pointsman_internal" if isinstance(error, Exception) else "caller_gone"


def _served(
    asked: Asked, decision: Decision, started_s: float, attempts: Sequence[Attempt], **said: Any
) -> Served:
    elapsed_s = perf_counter() - started_s
    waited_ms = sum(attempt.latency_ms for attempt in attempts)
    fields: Mapping[str, Any] = {"overhead_us": elapsed_s * 1e6 - waited_ms * 1e3, **said}
    return Served(
        decision=decision,
        request=asked.request,
        body=asked.body,
        policy=asked.policy_name,
        shadow=asked.shadow,
        is_stream=asked.request.stream,
        started_at_s=time() - elapsed_s,
        key_id=asked.key_id,
        latency_ms=elapsed_s * 1e3,
        attempts=tuple(attempts),
        **fields,
    )
