"""Prompts for the benches: varied, in several languages, with code and JSON, and none of them twice."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent
_HOLE = re.compile(r"\{([wn])\}")
_LETTERS = re.compile(r"[a-z]+")


def prompts(n_bytes: int, seed: int = 0, *, are_words_new: bool = False) -> Iterator[str]:
    """Endless texts of `n_bytes` UTF-8 bytes (up to 3 fewer, so that no character is cut); by seed.

    Fragments in random order, with random words and numbers in them: a text that comes again sits in the
    caches of the machine, and is decided at less than half of what a new one costs.
    Words do come again, as language has it, and are remembered; `are_words_new` puts random letters in the
    place of all of `a-z`: the worst there is, since such words have no token of their own either.
    """
    fragments = [part.strip() for part in (_HERE / "bench_fragments.txt").read_text("utf-8").split("%%")]
    words = (_HERE / "bench_words.txt").read_text("utf-8").split()
    chance = random.Random(f"{seed}/{n_bytes}")  # noqa: S311 - nothing secret

    def fill(hole: re.Match[str]) -> str:
        return chance.choice(words) if hole[1] == "w" else str(chance.randint(2, 98))

    def scramble(letters: re.Match[str]) -> str:
        return "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=len(letters[0])))

    while True:
        parts, length = [], 0
        while length < n_bytes:
            parts.append(_HOLE.sub(fill, chance.choice(fragments)))
            length += len(parts[-1].encode()) + 1
        text = "\n".join(parts).encode()[:n_bytes].decode(errors="ignore")
        yield _LETTERS.sub(scramble, text) if are_words_new else text
