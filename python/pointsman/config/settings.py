"""The base of every section of a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of every section: frozen, no unknown keys, and no input values in pydantic's own messages."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False)


def empty_if_null(value: Any) -> Any:
    """`gpt-4o:` with nothing behind it means: all of it from the built-in list, or by default."""
    return {} if value is None else value


def null_entries_to_empty(value: Any) -> Any:
    """`empty_if_null` of a mapping and of each of its entries."""
    if isinstance(value, Mapping):
        return {key: empty_if_null(item) for key, item in value.items()}
    return empty_if_null(value)
