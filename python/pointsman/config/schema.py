"""The config as frozen, typed settings.

Every field says what it expects (`description`) and shows it (`examples`): error messages are made of both.
Prices stay `Decimal` until they become integer nano-dollars; keys, headers and proxies are `SecretStr`, whose
repr and dump are masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pointsman.config.cache import CacheSection
from pointsman.config.health import HealthSection, HealthSettings, RetrySection, RetrySettings
from pointsman.config.keys import BudgetsSection, KeySection
from pointsman.config.known import KNOWN_PROVIDERS
from pointsman.config.learning import LearningSection, LearningSettings
from pointsman.config.problems import Origin
from pointsman.config.settings import Settings, empty_if_null, null_entries_to_empty
from pointsman.config.signals import SignalSection
from pointsman.config.store import StoreSection
from pointsman.config.values import (
    COMPLEXITIES,
    CaFile,
    Count,
    HeaderName,
    HeaderValue,
    Key,
    Name,
    Number,
    Port,
    Positive,
    Price,
    Proxy,
    QualityKey,
    Share,
    Url,
    wrong,
)
from pointsman.types import DIAL_FIELDS, CacheMode

Capability = Literal[
    "tools", "vision", "audio", "json_object", "json_schema", "reasoning", "logprobs", "pdf", "embeddings"
]
Tier = Literal["default", "flex", "priority"]
# The core's families; left out, it guesses from the model's name.
Tokenizer = Literal[
    "o200k", "cl100k", "llama3", "qwen", "deepseek", "mistral", "claude3", "claude47", "other"
]


_PRICE = "a price from 0 to 1,000,000 in US dollars per 1M tokens"
_SECONDS = "a number of seconds above 0"
_BUDGET = "an amount from 1e-9 to 1e9 in US dollars"


class ServerSettings(Settings):
    """Where the gateway listens."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="a host name or address", examples=["127.0.0.1"]
    )
    port: Port = Field(
        default=4100,
        description="a port from 0 to 65535 (0 takes any free one)",
        examples=[4100],
    )
    max_body_mb: Positive = Field(default=32, description="a size above 0 in megabytes", examples=[32])


class TimeoutSettings(Settings):
    """How long to wait for a provider, in seconds, phase by phase."""

    connect_s: Positive = Field(default=5.0, description=_SECONDS, examples=[5])
    first_byte_s: Positive = Field(default=120.0, description=_SECONDS, examples=[120])
    idle_s: Positive = Field(default=60.0, description=_SECONDS, examples=[60])
    total_s: Positive = Field(default=600.0, description=_SECONDS, examples=[600])


class PromptCacheSettings(Settings):
    """What a provider's prompt cache holds; the defaults are what Anthropic and OpenAI document."""

    ttl_s: Annotated[Number, Field(ge=0)] = Field(
        default=300.0, description="a number of seconds of 0 or more (0: it caches nothing)", examples=[300]
    )
    min_tokens: Count = Field(default=1024, description="a number of tokens above 0", examples=[1024])


class ProviderSettings(Settings):
    """A provider: its endpoint, credentials and transport. A known name brings its `base_url` and `kind`."""

    kind: Literal["openai", "anthropic", "gemini"] = Field(
        default="openai", description="a kind of provider", examples=["anthropic"]
    )
    base_url: Url = Field(
        description="an http:// or https:// URL with a host and a good port",
        examples=["https://api.openai.com/v1"],
    )
    api_key: Key = Field(
        default=None, description="a key of printable ASCII characters", examples=['"${OPENAI_API_KEY}"']
    )
    data_collection: Literal["allow", "deny"] = Field(
        default="allow", description="a choice", examples=["deny"]
    )
    prompt_cache: PromptCacheSettings = Field(
        default_factory=PromptCacheSettings,
        description="a mapping of prompt cache settings",
        examples=["{ttl_s: 300}"],
    )
    timeouts: TimeoutSettings = Field(
        default_factory=TimeoutSettings,
        description="a mapping of seconds by phase",
        examples=["{connect_s: 5}"],
    )
    headers: Mapping[HeaderName, HeaderValue] = Field(
        default={}, description="a header's value of printable ASCII characters", examples=["search"]
    )
    http2: bool = Field(default=False, description="true or false", examples=["true"])
    proxy: Proxy = Field(
        default=None, description="an http:// or https:// URL with a host", examples=["http://127.0.0.1:3128"]
    )
    ca_file: CaFile | None = Field(
        default=None, description="a readable PEM file of root certificates", examples=["ca.pem"]
    )
    transport: Literal["auto", "asyncio", "pyreqwest", "httpx"] = Field(
        default="auto", description="a choice", examples=["auto"]
    )

    extensions: bool | None = Field(default=None, description="true or false", examples=["true"])

    @field_validator("transport")
    @classmethod
    def _speaks_what_is_set(cls, value: str, info: ValidationInfo) -> str:
        lacking = {"proxy": "speaks to no proxy", "http2": "speaks no HTTP/2"}
        for key, said in lacking.items():
            if value == "asyncio" and info.data.get(key):
                raise wrong(f"asyncio {said}; write `transport: auto`, or drop `{key}`")
        return value


class ModelSettings(Settings):
    """A model. What is left out (`None`) comes from the built-in price list."""

    quality: Mapping[QualityKey, Share] | None = Field(
        default=None, description="a quality in [0, 1]", examples=[0.72]
    )
    context_window: Count | None = Field(
        default=None, description="a number of tokens above 0", examples=[128000]
    )
    max_output_tokens: Count | None = Field(
        default=None, description="a number of tokens above 0", examples=[16384]
    )
    capabilities: tuple[Capability, ...] | None = Field(
        default=None, description="a list of capabilities", examples=["[tools, json_schema]"]
    )
    tokenizer: Tokenizer | None = Field(default=None, description="a tokenizer", examples=["o200k"])

    @field_validator("capabilities")
    @classmethod
    def _embeds_or_chats(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and "embeddings" in value and len(value) > 1:
            raise wrong("holds `embeddings` beside others; a model that embeds does not chat: list it alone")
        return value

    @field_validator("quality", mode="before")
    @classmethod
    def _number_is_default(cls, value: Any) -> Any:
        return value if value is None or isinstance(value, Mapping) else {"default": value}

    @field_validator("quality")
    @classmethod
    def _has_default(cls, value: Mapping[str, float] | None) -> Mapping[str, float] | None:
        if value is not None and "default" not in value:
            raise wrong("has no `default`; add one, for example `default: 0.7`")
        return value


class RateSettings(Settings):
    """Prices in US dollars per 1M tokens, exact. What is left out costs as much as plain input or output."""

    input: Price = Field(description=_PRICE, examples=[0.15])
    cached_input: Price | None = Field(default=None, description=_PRICE, examples=[0.075])
    cache_write: Price | None = Field(default=None, description=_PRICE, examples=[0.1875])
    output: Price = Field(description=_PRICE, examples=[0.6])
    reasoning: Price | None = Field(default=None, description=_PRICE, examples=[0.6])
    batch_input: Price | None = Field(default=None, description=_PRICE, examples=[0.075])
    batch_cached_input: Price | None = Field(default=None, description=_PRICE, examples=[0.0375])
    batch_cache_write: Price | None = Field(default=None, description=_PRICE, examples=[0.09375])
    batch_output: Price | None = Field(default=None, description=_PRICE, examples=[0.3])

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


class MaxPriceSettings(Settings):
    """OpenRouter's `max_price`: US dollars per 1M tokens."""

    prompt: Price | None = Field(default=None, description=_PRICE, examples=[1])
    completion: Price | None = Field(default=None, description=_PRICE, examples=[4])


class PreferenceSettings(Settings):
    """OpenRouter's `provider` object."""

    order: tuple[str, ...] = Field(default=(), description="a list of providers", examples=["[openai]"])
    only: tuple[str, ...] | None = Field(
        default=None, description="a list of providers", examples=["[openai]"]
    )
    ignore: tuple[str, ...] = Field(default=(), description="a list of providers", examples=["[openai]"])
    allow_fallbacks: bool = Field(default=True, description="true or false", examples=["false"])
    require_parameters: bool = Field(default=False, description="true or false", examples=["true"])
    data_collection: Literal["allow", "deny"] = Field(
        default="allow", description="a choice", examples=["deny"]
    )
    sort: Literal["price", "throughput", "latency"] | None = Field(
        default=None, description="a choice", examples=["price"]
    )
    max_price: MaxPriceSettings = Field(
        default_factory=MaxPriceSettings,
        description="a mapping of prices",
        examples=["{prompt: 1, completion: 4}"],
    )


class BudgetSettings(Settings):
    """What a policy may spend: `usd_per_request` on average, or `usd` in every window of `window_s`."""

    usd_per_request: Annotated[Number, Field(ge=1e-9, le=1e9)] | None = Field(
        default=None, description=_BUDGET, examples=[0.002]
    )
    usd: Annotated[Number, Field(ge=1e-9, le=1e9)] | None = Field(
        default=None, description=_BUDGET, examples=[50]
    )
    window_s: Annotated[Number, Field(ge=1, le=3.2e8)] | None = Field(
        default=None, description="a number of seconds from 1 to 3.2e8", examples=[86400]
    )

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        given = (self.usd_per_request is not None, self.usd is not None, self.window_s is not None)
        if given not in ((True, False, False), (False, True, True)):
            raise wrong("is no budget; give `usd_per_request`, or `usd` and `window_s`")
        return self


class PolicySettings(Settings):
    """A named set of constraints and preferences; callers choose it with `model: auto:NAME`."""

    min_quality: Share | None = Field(default=None, description="a quality in [0, 1]", examples=[0.8])
    max_cost_usd: Annotated[Number, Field(ge=0)] | None = Field(
        default=None, description="a cost of 0 or more in US dollars a request", examples=[0.01]
    )
    max_latency_ms: Positive | None = Field(
        default=None, description="a number of milliseconds above 0", examples=[3000]
    )
    max_ttft_ms: Positive | None = Field(
        default=None, description="a number of milliseconds above 0", examples=[500]
    )
    quality_tolerance: Mapping[Literal["lookup", "generation", "reasoning"], Share] | None = Field(
        default=None, description="a tolerance in [0, 1]", examples=[0.1]
    )
    within_best: Share | None = Field(default=None, description="a share in [0, 1]", examples=[0.05])
    quality_value_usd: Annotated[Number, Field(ge=0, le=1e9)] | None = Field(
        default=None, description="a value from 0 to 1e9 in US dollars a unit of quality", examples=[0.02]
    )
    latency_value_usd_per_s: Annotated[Number, Field(ge=0, le=1e6)] = Field(
        default=0.0, description="a value from 0 to 1e6 in US dollars a second", examples=[0.001]
    )
    quality_like: str | None = Field(
        default=None, description="the name of a model under `models`", examples=["gpt-4o-mini"]
    )
    models: tuple[str, ...] | None = Field(
        default=None, description="a list of models", examples=["[gpt-4o-mini]"]
    )
    strategy: Literal["auto", "direct", "cascade", "race", "batch"] = Field(
        default="auto", description="a strategy", examples=["auto"]
    )
    budget: tuple[BudgetSettings, ...] = Field(
        default=(),
        description="a mapping of a budget, or a list of them",
        examples=["{usd_per_request: 0.002}"],
    )
    exploration: bool = Field(default=False, description="true or false", examples=["true"])
    min_propensity: Share = Field(default=0.0, description="a probability in [0, 1]", examples=[0.005])
    cache: CacheMode = Field(default="read-write", description="a choice", examples=["read-write"])
    cascade: bool = Field(default=False, description="true or false", examples=["true"])
    cascade_buffer_tokens: Count | None = Field(
        default=None, description="a number of tokens above 0", examples=[200]
    )
    hedge: bool = Field(default=False, description="true or false", examples=["true"])
    hedge_tools: bool = Field(default=False, description="true or false", examples=["true"])
    provider: PreferenceSettings = Field(
        default_factory=PreferenceSettings,
        description="a mapping of preferences",
        examples=["{order: [openai]}"],
    )

    @field_validator("budget", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, Mapping) else value

    @field_validator("budget")
    @classmethod
    def _none_is_twice(cls, value: tuple[BudgetSettings, ...]) -> tuple[BudgetSettings, ...]:
        # Two alike would count every cost twice.
        if any(one in value[:index] for index, one in enumerate(value)):
            raise wrong("has a budget twice; drop one")
        return value

    @field_validator("quality_tolerance", mode="before")
    @classmethod
    def _number_is_for_all(cls, value: Any) -> Any:
        return value if value is None or isinstance(value, Mapping) else dict.fromkeys(COMPLEXITIES, value)

    @model_validator(mode="after")
    def _has_one_dial(self) -> Self:
        turned = [name for name in DIAL_FIELDS if getattr(self, name) is not None]
        if self.budget:
            turned.append("budget")
        if len(turned) > 1:
            raise wrong(f"says twice how quality trades for money; give {' or '.join(turned)}")
        return self


def _fill_known_provider(value: Any) -> Any:
    """Give providers known by name, or by a kind that only one has, their base URL and kind."""
    if not isinstance(value, Mapping):
        return value
    return {name: _filled(name, empty_if_null(item)) for name, item in value.items()}


def _filled(name: Any, settings: Any) -> Any:
    if not isinstance(settings, Mapping) or settings.get("base_url") is not None:
        return settings
    kind: Any = settings.get("kind")
    known = KNOWN_PROVIDERS.get(name) or (KNOWN_PROVIDERS.get(kind) if kind not in (None, "openai") else None)
    base_url = known.base_url_of(kind or known.kind) if known else None
    if known is None or base_url is None:
        return settings
    return {**settings, "base_url": base_url, "kind": kind or known.kind}


Providers = Annotated[Mapping[Name, ProviderSettings], BeforeValidator(_fill_known_provider)]
Models = Annotated[Mapping[Name, ModelSettings], BeforeValidator(null_entries_to_empty)]
Policies = Annotated[Mapping[Name, PolicySettings], BeforeValidator(null_entries_to_empty)]


class Config(Settings):
    """All of `pointsman.yaml`, checked; references between its parts hold."""

    server: ServerSettings = Field(
        default_factory=ServerSettings, description="a mapping of server settings", examples=["{port: 4100}"]
    )
    providers: Providers = Field(description="a mapping of providers", examples=["{openai: {...}}"])
    models: Models = Field(description="a mapping of models", examples=["{gpt-4o-mini: {}}"])
    deployments: tuple[DeploymentSettings, ...] = Field(
        description="a list of deployments", examples=["[{model: gpt-4o-mini, provider: openai}]"]
    )
    policies: Policies = Field(default={}, description="a mapping of policies", examples=["{default: {}}"])
    signals: SignalSection = Field(
        default=None, description="a mapping of signal settings", examples=["{add: [language]}"]
    )
    cache: CacheSection = Field(
        default=None, description="a mapping of cache settings", examples=["{target_error: 0.01}"]
    )
    retries: RetrySection = Field(
        default_factory=RetrySettings,
        description="a mapping of retry settings",
        examples=["{max_attempts: 3}"],
    )
    health: HealthSection = Field(
        default_factory=HealthSettings,
        description="a mapping of health settings",
        examples=["{ejection_s: 30}"],
    )
    store: StoreSection = Field(
        default=None, description="a mapping of store settings", examples=["{url: pointsman.db}"]
    )
    keys: KeySection = Field(
        default=None, description="a mapping of key settings", examples=["{path: pointsman-keys}"]
    )
    budgets: BudgetsSection = Field(
        default=None,
        description="a mapping of budgets",
        examples=["{total: {usd: 500, period: month}}"],
    )
    learning: LearningSection = Field(
        default_factory=LearningSettings,
        description="a mapping of learning settings",
        examples=["{state: learned.state}"],
    )
    baseline_model: str | None = Field(
        default=None, description="the name of a model under `models`", examples=["gpt-4o"]
    )

    _origin: Origin = PrivateAttr(default=Origin("<config>"))

    @property
    def origin(self) -> Origin:
        """Where the values stand in the file this was loaded from."""
        return self._origin
