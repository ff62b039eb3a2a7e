"""Whether the code in an answer compiles. It is parsed, never run."""

from __future__ import annotations

import ast
import textwrap
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pointsman.signals.grammars import LANGUAGES, has_errors, parses_as_sql
from pointsman.signals.signal import Kind, Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pointsman.signals.answer import Answer

_MAX_BLOCKS = 8
_MAX_BLOCK_CHARS = 20_000
_MAX_NESTING = 150
"""Brackets within brackets at which code is not parsed: parsers recurse, and some of them in C."""
_ALIASES = {
    "python": "python",
    "py": "python",
    "python3": "python",
    "javascript": "javascript",
    "js": "javascript",
    "jsx": "javascript",
    "node": "javascript",
    "typescript": "typescript",
    "ts": "typescript",
    "tsx": "tsx",
    "rust": "rust",
    "rs": "rust",
    "go": "go",
    "golang": "go",
    "c": "c",
    "sql": "sql",
    "postgresql": "sql",
    "postgres": "sql",
    "mysql": "sql",
    "sqlite": "sql",
}
_DIALECTS = {"postgresql": "postgres", "postgres": "postgres", "mysql": "mysql", "sqlite": "sqlite"}
_TRANSCRIPTS = (">>>", "$ ", "In [", "+++ ", "--- ", "@@ ", "diff --git")
"""What a block begins with that shows a session or a change rather than a program."""


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of code in an answer.

    Attributes:
        label: What the fence says the language is, lower-case.
        text: The code.
    """

    label: str
    text: str

    @property
    def language(self) -> str | None:
        """The language's name here; `None`: none that can be parsed."""
        return _ALIASES.get(self.label)


def code_compiles(answer: Answer) -> Signal | None:
    """Whether every piece of code in an answer parses.

    A gate where code is what was asked for (the decision's structure is `code` or `sql`), a hint elsewhere:
    prose may quote fragments. Its value is the share of the pieces' characters that parse; only those whose
    language is known and whose parser is installed count. `None` if none does.
    """
    if not answer.is_whole:
        return None
    verdicts = [(len(block.text), compiles(block)) for block in blocks_of(answer)]
    known = [(n_chars, is_good) for n_chars, is_good in verdicts if is_good is not None]
    if not known:
        return None
    value = sum(n_chars for n_chars, is_good in known if is_good) / sum(n_chars for n_chars, _ in known)
    kind: Kind = "gate" if answer.structure in ("code", "sql") else "hint"
    return Signal("code", value, f"parsed {len(known)} pieces", kind=kind)


def blocks_of(answer: Answer) -> list[Block]:
    """The pieces of code in an answer: what stands in fences, or all of one that should be SQL."""
    fenced = list(_fenced(answer.text))[:_MAX_BLOCKS]
    if not fenced and answer.structure == "sql" and _begins_as_sql(answer.text):
        return [Block("sql", answer.text)]
    return [block for block in fenced if block.text.strip()]


def compiles(block: Block) -> bool | None:
    """Whether a piece of code parses; `None` if that cannot be told."""
    text = block.text
    if (
        len(text) > _MAX_BLOCK_CHARS
        or text.lstrip().startswith(_TRANSCRIPTS)
        or _nesting(text) > _MAX_NESTING
    ):
        return None
    check = _CHECKS.get(block.language or "")
    return check(block) if check else None


def _python(block: Block) -> bool | None:
    try:
        # Warnings are of what the code says, such as a bad escape; they are nobody's business here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(textwrap.dedent(block.text))
    except SyntaxError:
        return False
    except (ValueError, RecursionError, MemoryError):
        # A null character, or nested deeper than the parser goes.
        return None
    return True


def _with_grammar(block: Block) -> bool | None:
    found = has_errors(block.language or "", block.text)
    return None if found is None else not found


def _sql(block: Block) -> bool | None:
    return parses_as_sql(block.text, _DIALECTS.get(block.label))


_CHECKS: dict[str, Callable[[Block], bool | None]] = {
    "python": _python,
    "sql": _sql,
    **dict.fromkeys(LANGUAGES, _with_grammar),
}


def _fenced(text: str) -> Iterator[Block]:
    """Pieces in fences of three backticks that begin a line; a fence that is never closed ends the last."""
    label: str | None = None
    lines: list[str] = []
    for line in text.splitlines():
        mark = line.strip() if line.lstrip().startswith("```") else None
        if mark is None:
            if label is not None:
                lines.append(line)
        elif label is None:
            label, lines = mark.strip("`").strip().partition(" ")[0].lower(), []
        elif mark.strip("`") == "":
            yield Block(label, "\n".join(lines))
            label = None
    if label is not None:
        yield Block(label, "\n".join(lines))


def _begins_as_sql(text: str) -> bool:
    first = text.lstrip()[:20].partition(" ")[0].upper()
    return first in {"SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP"}


def _nesting(text: str) -> int:
    """How deep brackets, unary signs and the like may nest, from above; strings are not told apart."""
    depth = deepest = run = 0
    for char in text:
        if char in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in ")]}":
            depth = max(0, depth - 1)
        run = run + 1 if char in "-+~!*&" else 0
        deepest = max(deepest, run)
    return deepest
