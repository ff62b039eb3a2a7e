"""The config as frozen, typed settings.

Every field says what it expects (`description`) and shows it (`examples`): error messages are made of both.
Prices stay `Decimal` until they become integer nano-dollars; keys, headers and proxies are `SecretStr`, whose
repr and dump are masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)

from pointsman.config.cache import CacheSection
from pointsman.config.deployments import DeploymentSettings
from pointsman.config.health import HealthSection, HealthSettings, RetrySection, RetrySettings
from pointsman.config.keys import BudgetsSection, KeySection
from pointsman.config.learning import LearningSection, LearningSettings
from pointsman.config.problems import Origin
from pointsman.config.promotion import PromotionSection
from pointsman.config.providers import Providers
from pointsman.config.settings import Settings, null_entries_to_empty
from pointsman.config.signals import SignalSection
from pointsman.config.store import StoreSection
from pointsman.config.values import (
    COMPLEXITIES,
    PRICE,
    Count,
    Name,
    Number,
    Port,
    Positive,
    Price,
    QualityKey,
    Share,
    wrong,
)
from pointsman.types import DIAL_FIELDS, CacheMode

Capability = Literal[
    "tools", "vision", "audio", "json_object", "json_schema", "reasoning", "logprobs", "pdf", "embeddings"
]
# The core's families; left out, it guesses from the model's name.
Tokenizer = Literal[
    "o200k", "cl100k", "llama3", "qwen", "deepseek", "mistral", "claude3", "claude47", "other"
]


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


class MaxPriceSettings(Settings):
    """OpenRouter's `max_price`: US dollars per 1M tokens."""

    prompt: Price | None = Field(default=None, description=PRICE, examples=[1])
    completion: Price | None = Field(default=None, description=PRICE, examples=[4])


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
    promotion: PromotionSection = Field(
        default=None,
        description="a mapping of promotion settings",
        examples=["{path: pointsman-policies}"],
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
