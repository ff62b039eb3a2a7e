"""The `store:` section: what is logged of decisions, where, and how long it is kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from pointsman.config.settings import Settings, empty_if_null
from pointsman.config.values import Count, Number, Positive, wrong


def _off_is_off(value: Any) -> Any:
    """YAML reads `off` as false."""
    return "off" if value is False else value


def _is_store(value: SecretStr | None) -> SecretStr | None:
    kind, mark, _ = (value.get_secret_value() if value else "").partition("://")
    if mark and kind.partition("+")[0] not in ("sqlite", "postgresql", "postgres"):
        raise wrong("is of a database that is not supported; give a path, sqlite:///PATH or postgresql://...")
    return value


class RetentionSettings(Settings):
    """How long decisions are kept; what is left out keeps them for ever."""

    days: Positive | None = Field(default=None, description="a number of days above 0", examples=[30])
    rows: Count | None = Field(
        default=None, description="a whole number of decisions above 0", examples=[1000000]
    )


class StoreSettings(Settings):
    """Settings of the decision log; a config without the section writes nothing to any disk."""

    url: Annotated[SecretStr | None, AfterValidator(_is_store)] = Field(
        default=None,
        min_length=1,
        description="a path, sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE",
        examples=["pointsman.db"],
    )
    flush_every_s: Annotated[Number, Field(ge=0, le=60)] = Field(
        default=0.2, description="a number of seconds from 0 to 60", examples=[0.2]
    )
    prompts: Annotated[Literal["off", "hash", "full"], BeforeValidator(_off_is_off)] = Field(
        default="hash", description="a choice", examples=["hash"]
    )
    retention: RetentionSettings = Field(
        default_factory=RetentionSettings,
        description="a mapping of what is kept",
        examples=["{days: 30}"],
    )


StoreSection = Annotated[StoreSettings | None, BeforeValidator(empty_if_null)]
