"""All verifiers of an answer, and which of them run for which slice."""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from pointsman.signals.code import code_compiles
from pointsman.signals.language import language_matches
from pointsman.signals.prose import empty, refusal, repetition, truncation
from pointsman.signals.structured import json_parses, json_schema, tool_arguments
from pointsman.signals.token_probability import token_probability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pointsman.config import SignalSettings
    from pointsman.signals.answer import Answer
    from pointsman.signals.signal import Signal

_LOG = logging.getLogger("pointsman.signals")


@dataclass(frozen=True, slots=True)
class Verifier:
    """Something that looks at an answer.

    Attributes:
        name: What config and metrics call it.
        run: Tells of an answer; `None`: it does not apply, or cannot tell.
        packages: What it needs of the extra `signals`, all or in part.
        is_default: Whether it runs unless the config says otherwise: cheap, and always of the same mind.
        is_deterministic: Whether its gates decide alone, in a cascade too.
    """

    name: str
    run: Callable[[Answer], Signal | None]
    packages: tuple[str, ...] = ()
    is_default: bool = True
    is_deterministic: bool = False


GRAMMARS = tuple(f"tree_sitter_{name}" for name in ("c", "go", "javascript", "rust", "typescript"))

VERIFIERS = (
    Verifier("empty", empty, is_deterministic=True),
    Verifier("json", json_parses, is_deterministic=True),
    Verifier("json_schema", json_schema, packages=("jsonschema_rs",), is_deterministic=True),
    Verifier("tool_arguments", tool_arguments, packages=("jsonschema_rs",), is_deterministic=True),
    Verifier("code", code_compiles, packages=("tree_sitter", *GRAMMARS, "sqlglot"), is_deterministic=True),
    Verifier("truncation", truncation),
    Verifier("refusal", refusal),
    Verifier("repetition", repetition),
    Verifier("language", language_matches, is_default=False),
    Verifier("token_probability", token_probability, is_default=False),
)
BY_NAME = {verifier.name: verifier for verifier in VERIFIERS}
ELSEWHERE = ("retry", "judge")
"""Signals that take more than the answer: the session's next question, another model."""
DETERMINISTIC = tuple(verifier for verifier in VERIFIERS if verifier.is_deterministic)


class Selection:
    """Which verifiers run for which slice, by the config's `signals:` section."""

    def __init__(self, settings: SignalSettings) -> None:
        self._settings = settings
        self.of = lru_cache(maxsize=1024)(self._of)

    def _of(self, task: str | None, structure: str, domain: str) -> frozenset[str]:
        """Names of what runs for a slice."""
        settings = self._settings
        names = {verifier.name for verifier in VERIFIERS if verifier.is_default}
        if settings.retry_window_s > 0:
            names.add("retry")
        if settings.judge is not None:
            names.add("judge")
        names = (names | set(settings.add)) - set(settings.drop)
        for each in settings.slices:
            wanted = ((each.task, task), (each.structure, structure), (each.domain, domain))
            if all(value is None or value == seen for value, seen in wanted):
                names = (names | set(each.add)) - set(each.drop)
        return frozenset(names)


def run_verifiers(answer: Answer, verifiers: Iterable[Verifier]) -> list[Signal]:
    """What verifiers say of an answer; one that fails is logged, and says nothing."""
    found = []
    for verifier in verifiers:
        try:
            signal = verifier.run(answer)
        except Exception:  # whatever an answer does to a parser: nobody's request fails of being graded
            _LOG.exception("verifier %s failed", verifier.name)
            continue
        if signal is not None:
            found.append(signal)
    return found


def missing_packages(names: Iterable[str]) -> dict[str, list[str]]:
    """What verifiers lack of the extra `signals`, by name; those that lack nothing are left out."""
    lacking = {
        name: [package for package in BY_NAME[name].packages if importlib.util.find_spec(package) is None]
        for name in names
        if name in BY_NAME
    }
    return {name: packages for name, packages in lacking.items() if packages}
