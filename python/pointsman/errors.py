"""The exception tree.

Everything pointsman raises on purpose derives from `PointsmanError`::

    PointsmanError                     (defined in the native core)
    ├── InvalidInput (ValueError)      the core refused a value: NaN, empty conversation, bad catalog
    ├── InvalidState (ValueError)      saved state that is cut, changed, of another version or of other models
    ├── UnknownName (KeyError)         a model, provider, deployment or policy that the catalog does not hold
    ├── NoFeasibleDeployment           the constraints exclude every deployment; `.infeasible` says why
    ├── ConfigError (ValueError)       a config file or environment that cannot be used
    ├── RequestError (ValueError)      a request that cannot be understood; names the parameter
    │   └── LimitExceeded              a budget or rate limit has no room for it; says when there will be
    ├── StoreUnavailable               the store's database cannot be read now; requests do not need it
    └── ProviderError                  the upstream failed; says whether another try may succeed
        ├── ProviderTimeout            connect, first byte, idle or total time ran out
        ├── ProviderUnreachable        no connection could be made, or it broke
        ├── ProvidersExhausted         every feasible deployment was tried and failed; `.attempts` lists them
        └── DeploymentsUnavailable     none may be called now: unwell, or rate limits used up; says until when

Codes are the closed list of the HTTP contract, prefixed by who is at fault: `caller_`, `policy_`,
`provider_`, `pointsman_`. Messages never contain keys or prompts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman._native import (
    InvalidInput,
    InvalidState,
    NoFeasibleDeployment,
    PointsmanError,
    UnknownName,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.types import Attempt

__all__ = [
    "ConfigError",
    "DeploymentsUnavailable",
    "InvalidInput",
    "InvalidState",
    "LimitExceeded",
    "NoFeasibleDeployment",
    "PointsmanError",
    "ProviderError",
    "ProviderTimeout",
    "ProviderUnreachable",
    "ProvidersExhausted",
    "RequestError",
    "StoreUnavailable",
    "UnknownName",
]


class ConfigError(PointsmanError, ValueError):
    """A configuration that cannot be used.

    Attributes:
        problems: One line a problem, each naming file, line, key path, the value seen and the remedy.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class RequestError(PointsmanError, ValueError):
    """A request that cannot be understood.

    Attributes:
        code: `caller_*` code of the HTTP contract.
        param: The offending parameter, as a path (`messages[0].role`), if one is to blame.
        status: HTTP status the gateway answers with.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "caller_invalid_request",
        param: str | None = None,
        status: int = 400,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.status = status


class StoreUnavailable(PointsmanError):
    """The store's database cannot be read now. No request needs it: only what asks for the log fails."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the store's database cannot be read now ({reason}); ask again later")


class LimitExceeded(RequestError):
    """A budget or a rate limit has no room for the request.

    Attributes:
        retry_after_s: Seconds until there may be room.
        budget: Of a budget: `scope`, `window`, `spent_usd`, `held_usd`, `limit_usd`, `resets_at`.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int,
        retry_after_s: float,
        budget: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message, code=code, status=status)
        self.retry_after_s = retry_after_s
        self.budget = budget


class ProviderError(PointsmanError):
    """The upstream failed.

    Attributes:
        provider: Name of the provider.
        code: `provider_*` code of the HTTP contract.
        status: Upstream HTTP status, `None` if there was no answer.
        retryable: Whether another deployment (or a later try) may succeed.
        retry_after_s: Seconds the upstream asked us to wait, if it did.
        body: The upstream's error object, for caller faults that are passed on (400, 413, 422).
        headers: The answer's rate-limit headers, lower-case names.
        attempts: Every call made for the request, in order; filled in by the execution.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        code: str,
        status: int | None = None,
        retryable: bool = True,
        retry_after_s: float | None = None,
        body: dict[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.headers: Mapping[str, str] = headers or {}
        self.provider = provider
        self.code = code
        self.status = status
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.body = body
        self.attempts: tuple[Attempt, ...] = ()


class ProviderTimeout(ProviderError):
    """The upstream took longer than `phase` (connect, first_byte, idle, total) allows."""

    def __init__(self, message: str, *, provider: str, phase: str) -> None:
        super().__init__(message, provider=provider, code="provider_timeout")
        self.phase = phase


class ProviderUnreachable(ProviderError):
    """No connection to the upstream could be made, or it broke before the answer was complete."""

    def __init__(self, message: str, *, provider: str) -> None:
        super().__init__(message, provider=provider, code="provider_unreachable")


class ProvidersExhausted(ProviderError):
    """Every feasible deployment was tried and failed."""

    def __init__(self, failures: list[ProviderError], attempts: tuple[Attempt, ...]) -> None:
        waits = [failure.retry_after_s for failure in failures if failure.retry_after_s is not None]
        all_limited = all(failure.code == "provider_rate_limited" for failure in failures)
        last = failures[-1]
        tried = ", ".join(f"{each.deployment}: {each.error_code or 'not kept'}" for each in attempts)
        n = len({attempt.deployment for attempt in attempts})
        who = "the only feasible deployment" if n == 1 else f"all {n} feasible deployments"
        super().__init__(
            f"{who} failed in {len(attempts)} calls ({tried}); last: {last}",
            provider=last.provider,
            code="provider_rate_limited" if all_limited else "provider_exhausted",
            status=429 if all_limited else last.status,
            retry_after_s=min(waits) if all_limited and waits else None,
        )
        self.attempts = attempts


class DeploymentsUnavailable(ProviderError):
    """No deployment may be called now: breakers are open, or rate limits used up.

    Attributes:
        states: What keeps each away and for how long, one text each.
    """

    def __init__(self, states: list[str], *, retry_after_s: float | None, is_limited: bool) -> None:
        again = "" if retry_after_s is None else f"; ask again in {retry_after_s:.1f} s"
        super().__init__(
            f"no deployment is available: {'; '.join(states)}{again}",
            provider="",
            code="provider_rate_limited" if is_limited else "provider_unavailable",
            status=429 if is_limited else 503,
            retry_after_s=retry_after_s,
        )
        self.states = states
