"""The `keys:` section: who may ask."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from pointsman.config.settings import Settings, empty_if_null


class KeySettings(Settings):
    """Where the keys of callers are kept; with the section every request needs one."""

    path: str = Field(
        default="pointsman-keys",
        min_length=1,
        description="a folder that can be written",
        examples=["pointsman-keys"],
    )


KeySection = Annotated[KeySettings | None, BeforeValidator(empty_if_null)]
