"""The calls made for one request: who was asked, who could not be, and the error when nobody answered."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from time import perf_counter
from typing import TYPE_CHECKING

from anyio import current_time, fail_after

from pointsman.errors import DeploymentsUnavailable, ProviderError, ProvidersExhausted, ProviderTimeout
from pointsman.types import Attempt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from pointsman._native import Decision, Refusal
    from pointsman.errors import RequestError
    from pointsman.execution.direct import Target
    from pointsman.execution.dispatch import Dispatch

_LIMITED = frozenset({"retry_after", "requests_per_min", "tokens_per_min"})


class Attempts:
    """Calls made for one request, and the time they took.

    Args:
        dispatch: What the calls of a router share; `None`: every target may be called, once.
        decision: Whose calls they are.
        may_repeat: Whether a deployment that failed may be asked again.
    """

    __slots__ = (
        "away",
        "deadline_at_s",
        "deadline_s",
        "decision",
        "dispatch",
        "failures",
        "made",
        "may_repeat",
        "may_wait",
        "refusal",
        "upstream_s",
    )

    def __init__(
        self,
        dispatch: Dispatch | None = None,
        decision: Decision | None = None,
        *,
        may_repeat: bool = True,
    ) -> None:
        self.dispatch = dispatch
        self.decision = decision
        self.may_repeat = may_repeat
        self.may_wait = True
        """Whether those that are away, or have failed, are waited for."""
        self.deadline_s: float | None = None
        self.deadline_at_s: float | None = None
        """The event loop's time at which the deadline is over; set by `within`."""
        self.made: list[Attempt] = []
        self.failures: list[ProviderError] = []
        self.away: dict[str, Refusal] = {}
        """Deployments that could not be called when last asked, with why."""
        self.refusal: RequestError | None = None
        """The first deployment's word that its protocol cannot say what the request asks for."""
        self.upstream_s = 0.0
        """Seconds spent waiting for providers, failed calls included."""

    def succeeded(self, target: Target, status: int, started_s: float) -> None:
        """Note an answered call that was sent at `started_s`."""
        self._note(target, status, None, started_s)

    def noted(self, target: Target, failure: ProviderError, started_s: float) -> None:
        """Note a failed call, whoever is to blame."""
        self._note(target, failure.status, failure.code, started_s)
        self.failures.append(failure)

    def given_up(self, failure: ProviderError) -> ProviderError:
        """The failure, with every call that was made."""
        failure.attempts = tuple(self.made)
        return failure

    def refused(self, refusal: RequestError) -> None:
        """Note that a deployment's protocol cannot say what the request asks for; another's may."""
        self.refusal = self.refusal or refusal

    def exhausted(self) -> ProviderError | RequestError:
        """The error of a request that no deployment answered."""
        if self.away and self.dispatch is not None:
            return self.given_up(self._unavailable(self.dispatch))
        if self.refusal is not None and not self.failures:
            return self.refusal
        if not self.failures:
            message = "every deployment of this decision has left the config; ask again"
            return self.given_up(ProviderError(message, provider="", code="provider_exhausted"))
        if len(self.failures) == 1:
            return self.given_up(self.failures[0])
        return ProvidersExhausted(self.failures, tuple(self.made))

    def close(self) -> None:
        """Let go of the failures: nobody is asked any more, and their tracebacks hold these attempts."""
        self.failures = []

    def _unavailable(self, dispatch: Dispatch) -> DeploymentsUnavailable:
        known = {state.deployment: state for state in dispatch.gate.states()}
        called = {attempt.deployment: attempt.error_code for attempt in self.made}
        states = {name: f"{name} failed ({code})" for name, code in called.items()}
        for name, refusal in self.away.items():
            state = known[name].state if name in known else "gone"
            until = "" if refusal.ends_in_s is None else f" for {refusal.ends_in_s:.1f} s"
            states[name] = f"{name} is {state}{until} ({refusal.cause})"
        waits = [refusal.ends_in_s for refusal in self.away.values()]
        waits += [failure.retry_after_s for failure in self.failures]
        limits = [refusal.cause in _LIMITED for refusal in self.away.values()]
        limits += [failure.code == "provider_rate_limited" for failure in self.failures]
        return DeploymentsUnavailable(
            list(states.values()),
            retry_after_s=min((wait for wait in waits if wait is not None), default=None),
            is_limited=all(limits),
        )

    def _note(self, target: Target, status: int | None, error_code: str | None, started_s: float) -> None:
        elapsed_s = perf_counter() - started_s
        self.upstream_s += elapsed_s
        self.made.append(
            Attempt(
                deployment=target.deployment, status=status, error_code=error_code, latency_ms=elapsed_s * 1e3
            )
        )


def within(deadline_s: float | None, attempts: Attempts) -> AbstractContextManager[None]:
    """Give up on providers after `deadline_s` seconds; `None`: never.

    Raises:
        ProviderTimeout: The time is over; its phase is `deadline`.
    """
    return _FOR_EVER if deadline_s is None else _within(deadline_s, attempts)


_FOR_EVER = nullcontext()


@contextmanager
def _within(deadline_s: float, attempts: Attempts) -> Iterator[None]:
    attempts.deadline_s = deadline_s
    attempts.deadline_at_s = current_time() + deadline_s
    try:
        with fail_after(deadline_s):
            yield
    except TimeoutError:
        raise attempts.given_up(deadline_over(deadline_s)) from None


def deadline_over(deadline_s: float) -> ProviderTimeout:
    """The error of a request whose deadline is over."""
    message = f"no answer within the request's deadline of {deadline_s:g} s; allow more time"
    return ProviderTimeout(message, provider="", phase="deadline")
