"""Providers: endpoint, credentials, transport, time limits; known ones by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from pointsman.config.known import KNOWN_PROVIDERS
from pointsman.config.settings import Settings, empty_if_null
from pointsman.config.values import (
    CaFile,
    Count,
    HeaderName,
    HeaderValue,
    Key,
    Name,
    Number,
    Positive,
    Proxy,
    Url,
    wrong,
)

_SECONDS = "a number of seconds above 0"


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
    # Off: who else takes part in a trace is nothing that a third party need know.
    forward_traceparent: bool = Field(default=False, description="true or false", examples=["true"])

    @field_validator("transport")
    @classmethod
    def _speaks_what_is_set(cls, value: str, info: ValidationInfo) -> str:
        lacking = {"proxy": "speaks to no proxy", "http2": "speaks no HTTP/2"}
        for key, said in lacking.items():
            if value == "asyncio" and info.data.get(key):
                raise wrong(f"asyncio {said}; write `transport: auto`, or drop `{key}`")
        return value


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
