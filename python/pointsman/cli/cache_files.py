"""The files that `pointsman eval-cache` reads: JSON lines, gzipped or not; errors name file and line."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Kind = Literal["pairs", "stream"]

_GZIP_MAGIC = b"\x1f\x8b"


class CacheFileError(Exception):
    """A file that cannot be scored; the message names file, line and what belongs there."""


class Pair(NamedTuple):
    """Two texts, whether one answer serves both, and the family of the pair."""

    stored: str
    asked: str
    is_same: bool
    family: str


class Request(NamedTuple):
    """One request of a stream: equal `answer_class` means that one answer serves both."""

    conversation: str
    text: str
    answer_class: str


def read_rows(path: Path) -> tuple[Kind, list[Any]]:
    """The kind of the file and its rows: `Pair` or `Request`, all of the kind of the first.

    Raises:
        CacheFileError: The file cannot be read, is empty, or a line is not of the kind of the first.
    """
    rows: list[Any] = []
    make = None
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        values = _values(path, number, line)
        make = make or _maker(values)
        row = make(values) if make else None
        if row is None:
            raise CacheFileError(f"{path}: line {number}: {_expected(make)}; got {line.strip()[:80]!r}")
        rows.append(row)
    if not rows:
        raise CacheFileError(f"{path}: no rows; {_expected(None)}")
    return ("pairs" if make is _pair else "stream"), rows


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == _GZIP_MAGIC
        with gzip.open(path, "rt", encoding="utf-8") if is_gzip else path.open(encoding="utf-8") as lines:
            yield from lines
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CacheFileError(f"{path}: {reason}") from error


def _values(path: Path, number: int, line: str) -> list[Any]:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise CacheFileError(
            f"{path}: line {number}: not JSON: {error.msg} at column {error.colno}"
        ) from error
    if not isinstance(values, list):
        raise CacheFileError(f"{path}: line {number}: {_expected(None)}; got {line.strip()[:80]!r}")
    return values


def _maker(values: list[Any]) -> Any:
    return next((make for make in _SHAPES if make(values) is not None), None)


def _pair(values: list[Any]) -> Pair | None:
    match values:
        case [str(stored), str(asked), 0 | 1 as same, *rest] if not isinstance(same, float):
            family = rest[1] if len(rest) > 1 and isinstance(rest[1], str) else "all"
            return Pair(stored, asked, bool(same), family)
    return None


def _request(values: list[Any]) -> Request | None:
    match values:
        case [str(text), int(answer_class), *_]:
            return Request("", text, str(answer_class))
    return None


def _follow_up(values: list[Any]) -> Request | None:
    match values:
        case [str(conversation), str(text), str(_), int(answer_class)]:
            return Request(conversation, text, str(answer_class))
        case [str(conversation), str(text), str(_)]:
            return Request(conversation, text, json.dumps([conversation, text]))
    return None


_SHAPES = {
    _pair: "a pair [a, b, 0|1, origin?, family?]",
    _request: "a request [text, class, kind]",
    _follow_up: "a follow-up [conversation, text, origin]",
}


def _expected(make: Any) -> str:
    """What belongs on a line: the kind of the first, or any."""
    return f"expected {_SHAPES[make] if make else ', or '.join(_SHAPES.values())}"
