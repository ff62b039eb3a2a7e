"""Parsers of programming languages, loaded when first needed; without the extra `signals` there are none."""

from __future__ import annotations

import logging
from functools import lru_cache
from importlib import import_module
from typing import Any

LANGUAGES = {
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "rust": ("tree_sitter_rust", "language"),
    "go": ("tree_sitter_go", "language"),
    "c": ("tree_sitter_c", "language"),
}
"""Language, and where tree-sitter's grammar of it is."""

_WRAPPED = {"go": "package p\nfunc f() {\n%s\n}\n"}
"""What makes a program of a few statements, in grammars that know only programs."""


def has_errors(language: str, text: str) -> bool | None:
    """Whether tree-sitter finds something in a program that is no program; `None`: not installed."""
    parser = _parser(language)
    if parser is None:
        return None
    forms = [text, _WRAPPED[language] % text] if language in _WRAPPED else [text]
    return all(parser.parse(form.encode("utf-8", "replace")).root_node.has_error for form in forms)


def parses_as_sql(text: str, dialect: str | None) -> bool | None:
    """Whether sqlglot parses all statements of a text; `None`: not installed, or it cannot tell."""
    try:
        import sqlglot
        from sqlglot.errors import ErrorLevel, SqlglotError
        from sqlglot.expressions import Command
    except ImportError:
        return None
    _quieten()
    try:
        statements = sqlglot.parse(text, read=dialect, error_level=ErrorLevel.RAISE)
    except SqlglotError:
        return False
    except (RecursionError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        return None
    # What it does not know it takes whole, as a command, and says nothing of it.
    known = [each for each in statements if each is not None and not isinstance(each, Command)]
    return True if known else None


@lru_cache(maxsize=1)
def _quieten() -> None:
    """What sqlglot takes whole without understanding it, it warns of on stderr."""
    log = logging.getLogger("sqlglot")
    if log.level == logging.NOTSET:
        log.setLevel(logging.ERROR)


@lru_cache(maxsize=len(LANGUAGES))
def _parser(language: str) -> Any:
    module, function = LANGUAGES[language]
    try:
        from tree_sitter import Language, Parser

        return Parser(Language(getattr(import_module(module), function)()))
    except ImportError:
        return None
