"""The gate before every call: who may be called now, what came of it, and who is told when that changes."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import anyio
import orjson

from pointsman._native import Refusal, Ticket
from pointsman.errors import InvalidInput, UnknownName
from pointsman.providers.limits import has_limits, limit_news

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pointsman._native import Core
    from pointsman.errors import ProviderError
    from pointsman.types import Usage

_LOG = logging.getLogger("pointsman.health")
_EPISODE_S = 60.0
"""A deployment that is full again within this is told of once."""
_LONGEST_WAIT_S = 1.0
"""A wait for a call to end is looked at again after this, should the call have ended unseen."""

Change = Literal["open", "half_open", "closed", "held", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthEvent:
    """A deployment's state has changed.

    Attributes:
        deployment: Its name.
        change: `open` (ejected), `half_open` (a probe is under way), `closed` (well again), `held` (its rate
            limit keeps it away), `full` (it takes no more calls at once; told once a minute at most).
        until_s: Unix time at which it may be called again; `None`: now, or nobody knows.
        code: `provider_*` code of the failure that did it, if one did.
        at_s: Unix time of the change.
    """

    deployment: str
    change: Change
    until_s: float | None
    code: str | None
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """What is left of a rate limit: of requests or tokens a minute.

    Attributes:
        limit: All there are.
        remaining: What is left now.
        reset_s: Seconds until all are back.
    """

    limit: float
    remaining: float
    reset_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentState:
    """How a deployment is now.

    Attributes:
        deployment: Its name.
        model: Name of its model.
        provider: Name of its provider.
        state: In one word: `well`, `degraded`, `full`, `held` (by a rate limit), `half_open` or `open`.
        breaker: `closed`, `half_open` or `open`.
        refused_by: Why it may not be called now; `None`: it may.
        available_in_s: Seconds until it may be; `None`: it may, or nobody knows.
        peak_ttft_ms: Peak-EWMA of the time to first token; `None`: none was seen.
        usual_ttft_ms: Usual time to first token; `None`: none was seen.
        n_pending: Calls under way.
        concurrency_limit: Calls it takes at once; `None`: not limited.
        failure_rate: Share of the last calls that failed, in [0, 1).
        n_calls: Calls seen, faded by age.
        n_consecutive_failures: Failures in a row.
        pressure: How much dearer than its price its health makes a call; 0 if idle and well.
        requests: Left of its requests per minute; `None`: no limit known.
        tokens: Left of its tokens per minute; `None`: no limit known.
    """

    deployment: str
    model: str
    provider: str
    state: Literal["well", "degraded", "full", "held", "half_open", "open"]
    breaker: Literal["closed", "half_open", "open"]
    refused_by: Literal["breaker", "retry_after", "requests_per_min", "tokens_per_min", "concurrency"] | None
    available_in_s: float | None
    peak_ttft_ms: float | None
    usual_ttft_ms: float | None
    n_pending: int
    concurrency_limit: float | None
    failure_rate: float
    n_calls: float
    n_consecutive_failures: int
    pressure: float
    requests: Headroom | None
    tokens: Headroom | None


class Gate:
    """Leave to call the deployments of a core. Lives on one event loop; `states` is for any thread."""

    __slots__ = ("_clock", "_core", "_full_until_s", "_held_until_s", "_listeners", "_waiting")

    def __init__(self, core: Core, clock: Callable[[], float] = time.time) -> None:
        self._core = core
        self._clock = clock
        self._listeners: tuple[Callable[[HealthEvent], None], ...] = ()
        self._waiting: dict[str, list[anyio.Event]] = {}
        self._held_until_s: dict[str, float] = {}
        """When the holds end that were told; one of many refusals at once is told."""
        self._full_until_s: dict[str, float] = {}
        """Until when it is not told again that a deployment is full."""

    def listen(self, listener: Callable[[HealthEvent], None]) -> None:
        """Tell `listener` of every change of state from now on; it must be quick."""
        self._listeners = (*self._listeners, listener)

    def states(self) -> list[DeploymentState]:
        """How the deployments are now, in the catalog's order."""
        found = orjson.loads(self._core.health(now_s=self._clock()))
        for state in found:
            for name in ("requests", "tokens"):
                state[name] = Headroom(**state[name]) if state[name] else None
        return [DeploymentState(**state) for state in found]

    def begin(self, deployment: str, n_tokens: int) -> Ticket | Refusal | None:
        """Ask leave for a call; `None`: the deployment has left the config, so nothing is known of it."""
        try:
            begun = self._core.begin(deployment, n_tokens=n_tokens, now_s=self._clock())
        except UnknownName:
            return None
        if isinstance(begun, Ticket):
            if begun.is_probe:
                self._tell(deployment, "half_open", None)
        elif begun.cause == "concurrency":
            self._note_full(deployment)
        return begun

    def first_token(self, ticket: Ticket | None, ttft_ms: float) -> None:
        """The first token of a stream is there."""
        if ticket is not None:
            self._core.first_token(ticket, ttft_ms, now_s=self._clock())

    def answered(self, ticket: Ticket | None, usage: Usage | None, latency_ms: float | None) -> None:
        """A call was answered; `latency_ms` of an answer in one piece, `None` of a stream."""
        if ticket is None:
            return
        known = usage if usage is not None and not usage.is_estimated else None
        self._end(
            ticket,
            "answered",
            None,
            latency_ms=latency_ms,
            n_output_tokens=known.n_output_tokens if known else None,
            n_tokens=known.n_input_tokens + known.n_output_tokens if known else None,
        )

    def failed(self, ticket: Ticket | None, failure: ProviderError, latency_ms: float) -> None:
        """A call failed; whose fault it was is told by the failure."""
        if ticket is None:
            return
        wait_s = failure.retry_after_s
        self.learn(ticket.deployment, failure.headers)
        if not failure.retryable:
            self._end(ticket, "rejected", failure)
        elif failure.code == "provider_rate_limited":
            self._end(ticket, "rate_limited", failure, retry_after_s=wait_s)
        else:
            self._end(ticket, "failed", failure, latency_ms=latency_ms, retry_after_s=wait_s)

    def abandoned(self, ticket: Ticket | None, *, is_overdue: bool = False) -> None:
        """Nobody waits for the call any more; one that was overdue counts as failed."""
        if ticket is not None:
            self._end(ticket, "failed" if is_overdue else "abandoned", None)

    def learn(self, deployment: str, headers: Mapping[str, str]) -> None:
        """Learn what headers say of the rate limits."""
        if not has_limits(headers):
            return
        now_s = self._clock()
        requests, tokens = limit_news(headers, "requests", now_s), limit_news(headers, "tokens", now_s)
        with suppress(UnknownName):
            self._core.learn_limits(deployment, requests=requests, tokens=tokens, now_s=now_s)

    async def wait(self, deployments: Iterable[str], at_most_s: float) -> None:
        """Wait until a call of one of the deployments ends, or the time is over."""
        event = anyio.Event()
        names = list(deployments)
        for name in names:
            self._waiting.setdefault(name, []).append(event)
        try:
            with anyio.move_on_after(min(at_most_s, _LONGEST_WAIT_S) if names else at_most_s):
                await event.wait()
        finally:
            for name in names:
                waiting = self._waiting.get(name, [])
                if event in waiting:
                    waiting.remove(event)
                if not waiting:
                    self._waiting.pop(name, None)

    def _end(
        self,
        ticket: Ticket,
        result: Literal["answered", "failed", "rate_limited", "rejected", "abandoned"],
        failure: ProviderError | None,
        *,
        latency_ms: float | None = None,
        n_output_tokens: int | None = None,
        n_tokens: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        now_s = self._clock()
        try:
            change = self._core.end(
                ticket,
                result,
                now_s=now_s,
                latency_ms=latency_ms,
                n_output_tokens=n_output_tokens,
                n_tokens=n_tokens,
                retry_after_s=retry_after_s,
            )
        except InvalidInput:  # An upstream that counts nonsense.
            change = self._core.end(ticket, "abandoned", now_s=now_s)
        code = failure.code if failure is not None else None
        if change is not None:
            self._tell(ticket.deployment, change, code)
        elif result == "rate_limited" and now_s >= self._held_until_s.get(ticket.deployment, 0.0):
            self._tell(ticket.deployment, "held", code)
        if waiting := self._waiting.get(ticket.deployment):
            waiting.pop(0).set()

    def _note_full(self, deployment: str) -> None:
        """As many calls are under way as it takes: tell it once, not for each call that is refused."""
        now_s = self._clock()
        is_new = now_s >= self._full_until_s.get(deployment, 0.0)
        self._full_until_s[deployment] = now_s + _EPISODE_S
        if is_new:
            self._tell(deployment, "full", None)

    def _tell(self, deployment: str, change: Change, code: str | None) -> None:
        now_s = self._clock()
        state = next((one for one in self.states() if one.deployment == deployment), None)
        ends_in_s = state.available_in_s if state is not None else None
        event = HealthEvent(
            deployment=deployment,
            change=change,
            until_s=None if ends_in_s is None else now_s + ends_in_s,
            code=code,
            at_s=now_s,
        )
        if change == "held":
            self._held_until_s[deployment] = event.until_s or now_s
        told = {"deployment": deployment, "change": change, "until_s": event.until_s, "code": code}
        until = "" if ends_in_s is None else f", for {ends_in_s:.1f} s"
        level = logging.INFO if change in ("closed", "half_open") else logging.WARNING
        _LOG.log(level, "%s is %s%s%s", deployment, change, until, f" ({code})" if code else "", extra=told)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # whatever a listener raises: no request fails of being watched
                _LOG.exception("a listener of health failed")
