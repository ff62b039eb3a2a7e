"""The `cache:` section: what is kept of answers, and how sure a kept one must be before it serves."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from pointsman.config.settings import Settings, empty_if_null
from pointsman.config.values import Name, Number, Share


class CacheSettings(Settings):
    """Settings of the semantic cache; a config without the section has none."""

    max_mb: Annotated[Number, Field(ge=1, le=1_000_000)] = Field(
        default=256.0, description="a size from 1 to 1,000,000 in megabytes", examples=[256]
    )
    ttl_s: Annotated[Number, Field(gt=0, le=1e9)] = Field(
        default=604_800.0, description="a number of seconds above 0, up to 1e9", examples=[86400]
    )
    target_error: Annotated[Number, Field(ge=0.0001, le=0.5)] = Field(
        default=0.01, description="a share of wrong hits from 0.0001 to 0.5", examples=[0.01]
    )
    semantic: bool = Field(default=True, description="true or false", examples=["false"])
    audit_rate: Share = Field(default=0.01, description="a share in [0, 1]", examples=[0.02])
    path: str | None = Field(
        default=None, min_length=1, description="a folder that can be written", examples=["cache"]
    )
    tool_calls: bool = Field(default=False, description="true or false", examples=["true"])
    namespace: Name = Field(
        default="default",
        description="a name of 1 to 200 visible ASCII characters without spaces",
        examples=["default"],
    )
    judge: str | None = Field(
        default=None, description="the name of a model under `models`", examples=["gpt-4o-mini"]
    )
    replay_chars_per_s: Annotated[Number, Field(gt=0)] | None = Field(
        default=None, description="a number of characters a second above 0", examples=[400]
    )


CacheSection = Annotated[CacheSettings | None, BeforeValidator(empty_if_null)]
