"""How a problem of a config reads: one line with its place, key path, the value seen and the remedy.

A value that may be a secret is never shown: what stands under `providers` but for a few harmless keys, and
whatever came out of an environment variable (then the `${NAME}` that named it is shown instead).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Path = tuple[str | int, ...]

MASK = "'**********'"
MAX_SHOWN = 60

# Keys of a provider whose values hold no secret; `base_url` may (user:password@), see `_without_credentials`.
_HARMLESS_PROVIDER_KEYS = frozenset(
    {"kind", "base_url", "data_collection", "prompt_cache", "timeouts", "http2", "transport", "ca_file"}
)
_SECRET_KEY = re.compile(
    r"api.?key|header|token$|secret|password|credential|authorization|proxy", re.IGNORECASE
)
_PLAIN_KEY = re.compile(r"[^\s.\[\]\"']+")
_CREDENTIALS = re.compile(r"//[^/@\s]*@")
# A key pasted on the wrong line: the prefixes vendors give theirs, or long letters-and-digits without a dot.
_LOOKS_SECRET = re.compile(
    r"\b(?:sk-|pk-|gsk_|xai-|ghp_|AIza|Bearer\s)|^(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_+=-]{32,}$"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a config's values stand, so that a problem found later can still name the line.

    Attributes:
        source: File name, `environment`, or whatever the caller named a config in memory.
        lines: Line (from 1) of each key path; empty for a config that was not text.
        templates: Text with `${NAME}` of each value that came out of the environment.
    """

    source: str
    lines: Mapping[Path, int] = field(default_factory=dict)
    templates: Mapping[Path, str] = field(default_factory=dict)

    def where(self, path: Path) -> str:
        """`file:line` of a key path, or of its nearest parent that has a line."""
        for n_parts in range(len(path), -1, -1):
            if line := self.lines.get(path[:n_parts]):
                return f"{self.source}:{line}"
        return self.source

    def problem(self, path: Path, text: str) -> str:
        """One line: place, key path, and what is wrong with the remedy."""
        key_path = format_path(path)
        line = f"{self.where(path)}: {key_path}: {text}" if key_path else f"{self.where(path)}: {text}"
        return _one_line(line)

    def in_order(self, problems: Iterable[str]) -> list[str]:
        """The problems from the top of the file to its end; those of one line as they came."""
        line_of = re.compile(rf"{re.escape(self.source)}:(\d+):")
        return sorted(problems, key=lambda problem: int(match[1]) if (match := line_of.match(problem)) else 0)

    def shown(self, path: Path, value: Any) -> str:
        """The value seen, fit to print: masked if it may be a secret, shortened if long."""
        if _is_container(value):
            return show(value)
        template = self.templates.get(path)
        if _may_be_secret(path) or _LOOKS_SECRET.search(str(template or value)):
            return MASK
        return f"{template!r} (from the environment)" if template else show(value)


def format_path(path: Path) -> str:
    """`deployments[2].price_usd_per_mtok.input`; a key with dots or spaces is quoted: `models["gpt-4.1"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not _PLAIN_KEY.fullmatch(part) or not part.isprintable():
            text += f"[{_one_line(part)!r}]".replace("'", '"')
        else:
            text += f".{part}" if text else part
    return text


def show(value: Any) -> str:
    """A value as a message shows it, on one line and of at most about 60 characters."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "an empty list" if not value else "a list"
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal | int | float):
        return shorten(str(value))
    return repr(shorten(_CREDENTIALS.sub("//***@", _one_line(str(value)))))


def shorten(text: str) -> str:
    """The text, cut to `MAX_SHOWN` characters."""
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def suggest(name: str, known: Iterable[str], *, noun: str) -> str:
    """`did you mean 'quality'?` where a known name is near, else the list of the known ones.

    Args:
        name: The name that is not known.
        known: The names that are.
        noun: What they are, in the plural: `keys`, `models`.
    """
    names = list(known)
    if near := nearest(name, names):
        return f"did you mean {near[0]!r}?"
    if not names:
        return f"there are no {noun} yet"
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"known {noun}: {listed}"


def nearest(name: str, known: Collection[str], n: int = 1, cutoff: float = 0.6) -> list[str]:
    """The known names most like `name`, best first, upper and lower case alike."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    return [by_lower[found] for found in difflib.get_close_matches(name.lower(), by_lower, n, cutoff)]


def _may_be_secret(path: Path) -> bool:
    if path[:1] == ("providers",):
        return len(path) < 3 or path[2] not in _HARMLESS_PROVIDER_KEYS
    return any(isinstance(part, str) and _SECRET_KEY.search(part) for part in path)


def _is_container(value: Any) -> bool:
    return value is None or isinstance(value, Mapping | list | tuple)


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
