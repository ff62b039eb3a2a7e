"""Whether an answer is in the language of the question: by script, and by stop words within the Latin one.

What it cannot tell: languages of one script other than those whose stop words are listed, short texts, a
question that asks for another language (anything that mentions one or a translation is left alone), and text
in Latin letters that is a transliteration. It abstains then.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from pointsman.signals.signal import Signal

if TYPE_CHECKING:
    from pointsman.signals.answer import Answer

_MAX_CHARS = 4_000
"""Characters of either text that are looked at."""
_MIN_LETTERS = 20
_MOSTLY = 0.7
"""Share of a text's letters that makes their script the text's; below, it has none."""
_MIN_STOP_WORDS = 4
_CLEARLY = 2.0
"""How many times as many stop words the likeliest language must have as the next."""

# First and last letter of each block that tells a script; sorted.
_BLOCKS = (
    (0x0041, 0x024F, "latin"),
    (0x0370, 0x03FF, "greek"),
    (0x0400, 0x052F, "cyrillic"),
    (0x0530, 0x058F, "armenian"),
    (0x0590, 0x05FF, "hebrew"),
    (0x0600, 0x077F, "arabic"),
    (0x0900, 0x097F, "devanagari"),
    (0x0980, 0x09FF, "bengali"),
    (0x0B80, 0x0BFF, "tamil"),
    (0x0E00, 0x0E7F, "thai"),
    (0x10A0, 0x10FF, "georgian"),
    (0x1E00, 0x1EFF, "latin"),
    (0x3040, 0x30FF, "japanese"),
    (0x3400, 0x4DBF, "han"),
    (0x4E00, 0x9FFF, "han"),
    (0xAC00, 0xD7AF, "korean"),
)
_STOP_WORDS = {
    "en": "the and of to is in that it for you with on are this be as was not have or from what how which an",
    "de": "der die und das ist nicht ein eine zu den mit von sie auf für sich dem des es im wie wird auch",
    "fr": "le la les et des est une du que dans pour qui pas sur plus avec ce il vous je au cette sont être",
    "es": "el los las y que es una para por con del se su como más pero lo al este son está qué muy hay",
    "it": "il lo gli e di che è una per con del della sono non più come nel questo anche alla dei si ha",
    "pt": "os as e que é uma para com não do da em por mais como dos das ao seu foi são você isso também",
    "nl": "de het een en van is dat niet op te zijn voor met die er aan ook als maar om wordt naar dit deze",
}
_WORD = re.compile(r"[^\W\d_]+")
_NAMED = re.compile(
    r"\b(?:translat\w*|übersetz\w*|tradui\w*|traduc\w*|traduz\w*|vertaal\w*|english|german|deutsch|french|"
    r"français|spanish|español|italian\w*|portugu\w*|dutch|chinese|japanese|korean|russian|arabic|hindi|"
    r"greek|hebrew|turkish|polish|swedish|norwegian|language|sprache|langue|idioma|lingua)\b|翻译|中文|英文|英語|日本語|翻訳",
    re.IGNORECASE,
)


def language_matches(answer: Answer) -> Signal | None:
    """Whether an answer is in the question's language; a hint, and `None` where it cannot tell."""
    asked = answer.last_user_text[:_MAX_CHARS]
    said = _without_code(answer.text[:_MAX_CHARS])
    if answer.structure in ("json", "sql", "code") or "```" in asked or _NAMED.search(asked):
        return None
    scripts = script_of(asked), script_of(said)
    if None in scripts:
        return None
    if scripts[0] != scripts[1]:
        return Signal("language", 0.0, f"script {scripts[1]} for {scripts[0]}", kind="hint")
    if scripts[0] != "latin":
        return Signal("language", 1.0, f"script {scripts[0]}", kind="hint")
    languages = latin_language(asked), latin_language(said)
    if None in languages:
        return None
    return Signal(
        "language",
        float(languages[0] == languages[1]),
        f"stop words {languages[1]} for {languages[0]}",
        kind="hint",
    )


def script_of(text: str) -> str | None:
    """The script most letters of a text are of; `None` if none is, or there are too few.

    Japanese is told by its syllabaries: Han letters beside them count as Japanese.
    """
    counts: dict[str, int] = {}
    for char in text:
        if char.isalpha():
            script = _script(char)
            counts[script] = counts.get(script, 0) + 1
    if counts.get("japanese", 0) * 10 >= counts.get("han", 0) > 0:
        counts["japanese"] = counts.get("japanese", 0) + counts.pop("han")
    n_letters = sum(counts.values())
    # A letter of Han or Hangul says as much as several of an alphabet.
    n_needed = _MIN_LETTERS if not counts.keys() & {"han", "japanese", "korean"} else _MIN_LETTERS // 4
    if n_letters < n_needed:
        return None
    script = max(counts, key=lambda each: counts[each])
    return script if counts[script] >= _MOSTLY * n_letters and script != "other" else None


def latin_language(text: str) -> str | None:
    """The language whose stop words a text in Latin letters has most of; `None` if that is not clear."""
    hits = dict.fromkeys(_STOP_WORDS, 0)
    for word in _WORD.findall(text.casefold()):
        for language in _languages_of().get(word, ()):
            hits[language] += 1
    ranked = sorted(hits, key=lambda each: -hits[each])
    best, next_best = hits[ranked[0]], hits[ranked[1]]
    return ranked[0] if best >= _MIN_STOP_WORDS and best >= _CLEARLY * next_best else None


@lru_cache(maxsize=1)
def _languages_of() -> dict[str, tuple[str, ...]]:
    words = {word for listed in _STOP_WORDS.values() for word in listed.split()}
    return {
        word: tuple(language for language, listed in _STOP_WORDS.items() if word in listed.split())
        for word in words
    }


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    code = ord(char)
    return next((name for first, last, name in _BLOCKS if first <= code <= last), "other")


def _without_code(text: str) -> str:
    """The text outside fences."""
    return " ".join(text.split("```")[::2])
