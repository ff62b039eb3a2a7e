"""Deployments: a model at a provider, with its prices, believed latency and limits."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pointsman.config.settings import Settings
from pointsman.config.values import PRICE, Count, Name, Positive, Price, wrong

Tier = Literal["default", "flex", "priority"]


class RateSettings(Settings):
    """Prices in US dollars per 1M tokens, exact. What is left out costs as much as plain input or output."""

    input: Price = Field(description=PRICE, examples=[0.15])
    cached_input: Price | None = Field(default=None, description=PRICE, examples=[0.075])
    cache_write: Price | None = Field(default=None, description=PRICE, examples=[0.1875])
    output: Price = Field(description=PRICE, examples=[0.6])
    reasoning: Price | None = Field(default=None, description=PRICE, examples=[0.6])
    batch_input: Price | None = Field(default=None, description=PRICE, examples=[0.075])
    batch_cached_input: Price | None = Field(default=None, description=PRICE, examples=[0.0375])
    batch_cache_write: Price | None = Field(default=None, description=PRICE, examples=[0.09375])
    batch_output: Price | None = Field(default=None, description=PRICE, examples=[0.3])

    @model_validator(mode="after")
    def _batch_is_whole(self) -> Self:
        batch = {name: getattr(self, name) is not None for name in ("batch_input", "batch_output")}
        has_cache = self.batch_cached_input is not None or self.batch_cache_write is not None
        if (any(batch.values()) or has_cache) and not all(batch.values()):
            lacking = next(name for name, is_there in batch.items() if not is_there)
            raise wrong(f"has a batch price without `{lacking}`; give both batch prices or neither")
        return self

    @model_validator(mode="after")
    def _cache_saves(self) -> Self:
        for name, cached, whole in (
            ("cached_input", self.cached_input, self.input),
            ("batch_cached_input", self.batch_cached_input, self.batch_input),
        ):
            if cached is not None and whole is not None and cached > whole:
                raise wrong(
                    f"has `{name}` {cached} above the price of plain input {whole}; give at most that"
                )
        return self


class LongContextSettings(RateSettings):
    """Prices of every token of a call whose input is longer than `above_tokens`."""

    above_tokens: Count = Field(description="a number of input tokens above 0", examples=[200000])


class PriceSettings(RateSettings):
    """A deployment's prices, those of long inputs included."""

    long_context: tuple[LongContextSettings, ...] = Field(
        default=(),
        description="a list of prices by input length",
        examples=["[{above_tokens: 200000, input: 2.5, output: 15}]"],
    )

    @model_validator(mode="after")
    def _thresholds_rise(self) -> Self:
        thresholds = [long.above_tokens for long in self.long_context]
        if thresholds != sorted(set(thresholds)):
            seen = ", ".join(map(str, thresholds))
            raise wrong(f"has `long_context` above {seen}; list each threshold once, in ascending order")
        if any((long.batch_input is None) != (self.batch_input is None) for long in self.long_context):
            raise wrong("has batch prices for some lengths of input only; give them for all or for none")
        return self


class LatencySettings(Settings):
    """What is believed of a deployment's latency before any was measured; the defaults are chosen."""

    ttft_p50_ms: Positive = Field(
        default=600.0, description="a number of milliseconds above 0", examples=[400]
    )
    ttft_p95_ms: Positive = Field(
        default=1500.0, description="a number of milliseconds above 0", examples=[900]
    )
    tokens_per_s: Positive = Field(
        default=60.0, description="a number of tokens a second above 0", examples=[80]
    )

    @model_validator(mode="before")
    @classmethod
    def _p95_follows_p50(cls, value: Any) -> Any:
        """A median alone implies a 95th percentile 2.5 times as long, the ratio of the defaults."""
        if isinstance(value, Mapping) and "ttft_p50_ms" in value and "ttft_p95_ms" not in value:
            median = value["ttft_p50_ms"]
            if isinstance(median, int | float | Decimal) and not isinstance(median, bool):
                return {**value, "ttft_p95_ms": float(median) * 2.5}
        return value

    @field_validator("ttft_p95_ms")
    @classmethod
    def _p95_is_above_p50(cls, value: float, info: ValidationInfo) -> float:
        median = info.data.get("ttft_p50_ms")
        if median is not None and value < median:
            raise wrong(
                f"{value:g} is below ttft_p50_ms {median:g}; a 95th percentile is at least the median"
            )
        return value


class LimitSettings(Settings):
    """Rate limits of a deployment; `None`: none known."""

    requests_per_min: Count | None = Field(default=None, description="a whole number above 0", examples=[500])
    tokens_per_min: Count | None = Field(
        default=None, description="a whole number above 0", examples=[200000]
    )


class DeploymentSettings(Settings):
    """A model at a provider, in a tier."""

    name: Name = Field(
        description="a name of 1 to 200 visible ASCII characters without spaces",
        examples=["openai/gpt-4o-mini"],
    )
    model: str = Field(description="the name of a model under `models`", examples=["gpt-4o-mini"])
    provider: str = Field(description="the name of a provider under `providers`", examples=["openai"])
    upstream_model: str = Field(
        min_length=1, description="the provider's own name of the model", examples=["gpt-4o-mini-2024-07-18"]
    )
    tier: Tier = Field(default="default", description="a tier", examples=["flex"])
    price_usd_per_mtok: PriceSettings | None = Field(
        default=None, description="a mapping of prices", examples=["{input: 0.15, output: 0.6}"]
    )
    latency: LatencySettings = Field(
        default_factory=LatencySettings, description="a mapping of latencies", examples=["{ttft_p50_ms: 400}"]
    )
    limits: LimitSettings = Field(
        default_factory=LimitSettings, description="a mapping of limits", examples=["{requests_per_min: 500}"]
    )
    parameters: tuple[str, ...] | None = Field(
        default=None, description="a list of request parameters", examples=["[temperature, tools]"]
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_names(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        model, provider, tier = value.get("model"), value.get("provider"), value.get("tier") or "default"
        filled = dict(value)
        if not filled.get("upstream_model"):
            filled["upstream_model"] = model if isinstance(model, str) and model else "-"
        if not filled.get("name"):
            filled["name"] = f"{provider}/{model}" + ("" if tier == "default" else f":{tier}")
        return filled
