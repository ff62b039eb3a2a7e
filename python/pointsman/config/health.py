"""The `retries:` and `health:` sections: how failures are met, and when a deployment counts as unwell."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from pointsman.config.settings import Settings, empty_if_null
from pointsman.config.values import Number, Share, wrong

_CALLS = "a number of calls from 1 to 1,000,000"
_SECONDS = "a number of seconds above 0, up to 86,400"
_Seconds = Annotated[Number, Field(gt=0, le=86_400)]
_Calls = Annotated[Number, Field(ge=1, le=1e6)]


class RetrySettings(Settings):
    """How failures are met; the defaults keep an outage of everything below two calls a request."""

    budget_share: Share = Field(
        default=0.8, description="retries that a request earns, in [0, 1]", examples=[0.8]
    )
    budget_per_s: Annotated[Number, Field(ge=0, le=1e6)] = Field(
        default=1.0, description="free retries a second from 0 to 1,000,000", examples=[1]
    )
    max_attempts: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3, description="a whole number of calls from 1 to 100", examples=[3]
    )
    backoff_s: _Seconds = Field(default=0.25, description=_SECONDS, examples=[0.25])
    max_backoff_s: _Seconds = Field(default=8.0, description=_SECONDS, examples=[8])
    patience_s: Annotated[Number, Field(ge=0, le=86_400)] = Field(
        default=20.0, description="a number of seconds from 0 to 86,400", examples=[20]
    )


class ConcurrencySettings(Settings):
    """How many calls a deployment may have under way: found by their time to first token."""

    adaptive: bool = Field(default=True, description="true or false", examples=["false"])
    # High, so that no burst is held up before anything is known; a queue brings it down.
    initial: _Calls = Field(default=200.0, description=_CALLS, examples=[200])
    min: _Calls = Field(default=4.0, description=_CALLS, examples=[4])
    max: _Calls = Field(default=2000.0, description=_CALLS, examples=[2000])

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if not self.min <= self.initial <= self.max:
            seen = f"{self.min:g}, {self.initial:g}, {self.max:g}"
            raise wrong(f"has `min`, `initial` and `max` of {seen}; give them in ascending order")
        return self


class HealthSettings(Settings):
    """When a deployment's breaker opens, and for how long."""

    max_consecutive_failures: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=5, description="a whole number of failures from 1 to 1,000,000", examples=[5]
    )
    max_failure_rate: Annotated[Number, Field(ge=0.01, le=0.99)] = Field(
        default=0.5, description="a share from 0.01 to 0.99", examples=[0.5]
    )
    min_calls: Annotated[Number, Field(ge=1, le=60)] = Field(
        default=20.0, description="a number of calls from 1 to 60", examples=[20]
    )
    ejection_s: _Seconds = Field(default=30.0, description=_SECONDS, examples=[30])
    max_ejection_s: _Seconds = Field(default=600.0, description=_SECONDS, examples=[600])
    max_ejected_share: Share = Field(default=0.5, description="a share in [0, 1]", examples=[0.5])
    concurrency: ConcurrencySettings = Field(
        default_factory=ConcurrencySettings,
        description="a mapping of bounds",
        examples=["{initial: 100}"],
    )

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.ejection_s > self.max_ejection_s:
            raise wrong(
                f"has `ejection_s` {self.ejection_s:g} above `max_ejection_s` {self.max_ejection_s:g}; "
                "give at most that"
            )
        return self

    def of_core(self, seed: int) -> dict[str, Any]:
        """The same as the core takes it; `seed` tells this process from others."""
        concurrency = self.concurrency
        return {
            "max_consecutive_failures": self.max_consecutive_failures,
            "max_failure_rate": self.max_failure_rate,
            "min_calls": self.min_calls,
            "base_ejection_s": self.ejection_s,
            "max_ejection_s": self.max_ejection_s,
            "max_ejected_share": self.max_ejected_share,
            "adaptive_concurrency": concurrency.adaptive,
            "initial_concurrency": concurrency.initial,
            "min_concurrency": concurrency.min,
            "max_concurrency": concurrency.max,
            "seed": seed,
        }


RetrySection = Annotated[RetrySettings, BeforeValidator(empty_if_null)]
HealthSection = Annotated[HealthSettings, BeforeValidator(empty_if_null)]
