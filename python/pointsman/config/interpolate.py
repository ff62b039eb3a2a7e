"""`${NAME}` and `${NAME:-default}` in the text values of a config, filled from the environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# `$${` stands for a literal `${`.
_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}|\$\{")
_BODY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def has_reference(text: str) -> bool:
    """Whether `interpolate` would change the text."""
    return _REFERENCE.search(text) is not None


def interpolate(text: str, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """The text with its references filled, and what was wrong with them.

    As in a shell, the default of `${NAME:-default}` also stands in for a variable that is set but empty.
    """
    problems: list[str] = []

    def fill(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        body = _BODY.fullmatch(match[1]) if match[1] is not None else None
        if body is None:
            problems.append("a malformed reference to the environment; write ${NAME} or ${NAME:-default}")
            return ""
        name, default = body[1], body[2]
        value = environ.get(name)
        if value or (value is not None and default is None):
            return value
        if default is None:
            problems.append(
                f"environment variable {name} is not set; set it, or write ${{{name}:-default}} for a default"
            )
        return default or ""

    return _REFERENCE.sub(fill, text), problems
