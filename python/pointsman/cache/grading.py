"""Whether two answers to a question say the same, by the cheapest means that can tell."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import orjson

from pointsman._native import Cache, Miss

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# Characters up to which an answer is a fact or a label, so that other words are another answer; chosen.
_SHORT_CHARS = 48
# Characters up to which every number counts; longer answers may give other details and be as right. Chosen.
_MEDIUM_CHARS = 240
# How sure a difference of short answers, or one the guard sees, makes it; at 1 entries are deleted.
_SURE_WRONG = 0.8
_LIKELY_RIGHT = 0.9
# What makes two answers differ however they are worded; the guard's other vetoes are too strict for answers.
_TELLING_VETOES = frozenset({"number", "unit", "date", "negation", "opposite"})
# A judge is a model, and models err.
_JUDGED = 0.9

_NOT_WORDS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Grade:
    """What came of a comparison.

    Attributes:
        is_right: Whether the kept answer says what the fresh one says.
        weight: How sure that is, in (0, 1].
        by: What could tell.
    """

    is_right: bool
    weight: float
    by: Literal["exact", "normalised", "json", "short", "guard", "embedding", "judge"]


def compare(kept: str, fresh: str) -> Grade | None:
    """Compare two answers without a model; `None` if that cannot tell."""
    if kept == fresh:
        return Grade(is_right=True, weight=1.0, by="exact")
    documents = _json(kept), _json(fresh)
    if all(isinstance(document, dict | list) for document in documents):
        is_right = documents[0] == documents[1]
        return Grade(is_right=is_right, weight=1.0 if is_right else _SURE_WRONG, by="json")
    words = _words(kept), _words(fresh)
    # Without letters and digits nothing is left to compare.
    if words[0] and words[0] == words[1] and _numbers(kept) == _numbers(fresh):
        return Grade(is_right=True, weight=1.0, by="normalised")
    if _holds(words):
        return None
    if max(map(len, words)) <= _SHORT_CHARS:
        return Grade(is_right=False, weight=_SURE_WRONG, by="short")
    return _near(kept, fresh)


def compare_alike(kept: str, fresh: str) -> Grade | None:
    """As `compare`, but only where equal and unequal answers show alike: facts, labels, JSON.

    Of longer texts only equality shows, and whoever learned from those alone would learn of the right ones.
    """
    graded = compare(kept, fresh)
    if graded is None or graded.by in ("json", "short"):
        return graded
    is_short = max(len(kept), len(fresh)) <= _SHORT_CHARS
    return graded if is_short and graded.by in ("exact", "normalised") else None


async def grade(
    question: str, kept: str, fresh: str, judge: Callable[[str, str, str], Awaitable[bool | None]] | None
) -> Grade | None:
    """Compare two answers, by the judge where cheaper means are not certain.

    Args:
        question: What was asked.
        kept: The answer that was served.
        fresh: The model's answer now.
        judge: Tells of question and two answers whether these say the same; `None` if it cannot.
    """
    cheap = compare(kept, fresh)
    if judge is None or (cheap is not None and cheap.weight == 1.0):
        return cheap
    says_same = await judge(question, kept, fresh)
    return cheap if says_same is None else Grade(is_right=says_same, weight=_JUDGED, by="judge")


def _near(kept: str, fresh: str) -> Grade | None:
    """As the cache itself would judge them, were they questions: its embedding, its guard, its posterior."""
    scratch, partition = Cache(audit_rate=0.0), bytes(16)
    scratch.insert(partition, kept, b"", now_s=0.0, namespace="")
    found = scratch.lookup(partition, fresh, now_s=0.0)
    if not isinstance(found, Miss):
        return Grade(is_right=True, weight=_LIKELY_RIGHT, by="embedding")
    if found.veto in _TELLING_VETOES and max(len(kept), len(fresh)) <= _MEDIUM_CHARS:
        return Grade(is_right=False, weight=_SURE_WRONG, by="guard")
    return None


def _words(text: str) -> str:
    return _NOT_WORDS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def _numbers(text: str) -> list[str]:
    """Numbers with what gives them their meaning: `-1.5` and `1 5` have the same words."""
    return re.findall(r"[-+]?\d[\d.,]*\d|[-+]?\d", text)


def _holds(words: tuple[str, str]) -> bool:
    """Whether one answer holds the other whole, as `Oslo` and `It is Oslo.` do."""
    shorter, longer = sorted(words, key=len)
    return bool(shorter) and f" {shorter} " in f" {longer} "


def _json(text: str) -> Any:
    stripped = text.strip()
    if stripped.startswith("```"):
        stripped = stripped.removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    try:
        return orjson.loads(stripped)
    except ValueError:
        return None
