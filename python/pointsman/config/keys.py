"""The `keys:` and `budgets:` sections: who may ask, and what all of them may spend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pointsman.config.settings import Settings, empty_if_null
from pointsman.config.values import Name, Number, wrong


class KeySettings(Settings):
    """Where the keys of callers are kept; with the section every request needs one."""

    path: str = Field(
        default="pointsman-keys",
        min_length=1,
        description="a folder that can be written",
        examples=["pointsman-keys"],
    )


class AllowanceSettings(Settings):
    """What may be spent in a window of time: a calendar `period` in UTC, or `window_s` that rolls along."""

    usd: Annotated[Number, Field(ge=1e-9, le=1e6)] = Field(
        description="an amount from 1e-9 to 1e6 in US dollars", examples=[50]
    )
    period: Literal["day", "month"] | None = Field(default=None, description="a period", examples=["month"])
    window_s: Annotated[Number, Field(ge=1, le=3.2e8)] | None = Field(
        default=None, description="a number of seconds from 1 to 3.2e8", examples=[3600]
    )

    @model_validator(mode="after")
    def _has_one_window(self) -> Self:
        if (self.period is None) == (self.window_s is None):
            raise wrong("has no window, or two; give `period: day`, `period: month` or `window_s`")
        return self


def _one_is_a_list(value: Any) -> Any:
    return (value,) if isinstance(value, Mapping) else value


def _by_window(value: tuple[AllowanceSettings, ...]) -> tuple[AllowanceSettings, ...]:
    windows = [(one.period, one.window_s) for one in value]
    if len(set(windows)) < len(windows):
        raise wrong("has two budgets for the same window; give one of them")
    return value


Allowances = Annotated[tuple[AllowanceSettings, ...], BeforeValidator(_one_is_a_list)]
_ALLOWANCES = "a mapping of a budget, or a list of them"


class BudgetsSettings(Settings):
    """What requests may cost together: a request that would pass a budget is refused."""

    path: str | None = Field(
        default=None, min_length=1, description="a folder that can be written", examples=["pointsman-spend"]
    )
    total: Allowances = Field(default=(), description=_ALLOWANCES, examples=["{usd: 500, period: month}"])
    tenants: Mapping[Name, Allowances] = Field(
        default={}, description=_ALLOWANCES, examples=["{usd: 50, period: day}"]
    )

    @field_validator("total")
    @classmethod
    def _windows_differ(cls, value: tuple[AllowanceSettings, ...]) -> tuple[AllowanceSettings, ...]:
        return _by_window(value)

    @field_validator("tenants")
    @classmethod
    def _windows_of_each_differ(
        cls, value: Mapping[str, tuple[AllowanceSettings, ...]]
    ) -> Mapping[str, tuple[AllowanceSettings, ...]]:
        for allowances in value.values():
            _by_window(allowances)
        return value


KeySection = Annotated[KeySettings | None, BeforeValidator(empty_if_null)]
BudgetsSection = Annotated[BudgetsSettings | None, BeforeValidator(empty_if_null)]
