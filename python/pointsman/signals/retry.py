"""Whether the user asked the same again: the former answer then was not what was wanted."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pointsman.signals.answer import last_user_text, messages_of
from pointsman.signals.signal import Signal

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_SESSIONS = 4_096
_MAX_WORDS = 400
_MIN_WORDS = 3
"""`yes` and `go on` say nothing twice."""
_ALIKE = 0.6
"""Share of their words that two questions must have in common; chosen."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class _Turn:
    decision_id: str
    at_s: float
    words: frozenset[str]


class Retries:
    """The last question of every session, and which former answer a new one speaks for or against.

    A question alike to the former one of its session, soon after it, speaks against that one's answer;
    another question, or time, speaks for it. Sessions beyond the last `_MAX_SESSIONS` are forgotten.
    """

    def __init__(self, window_s: float) -> None:
        """Start with none; two questions are one retried within `window_s` seconds."""
        self.window_s = window_s
        self._turns: OrderedDict[tuple[str, str], _Turn] = OrderedDict()

    def __len__(self) -> int:
        return len(self._turns)

    def asked(
        self, session: tuple[str, str], decision_id: str, body: Mapping[str, object], at_s: float
    ) -> tuple[str, Signal] | None:
        """Note a question; returns the decision it says something of, and what.

        Args:
            session: Tenant and session.
            decision_id: The decision that the question led to.
            body: Its OpenAI chat body.
            at_s: Unix time in seconds at which it came in.
        """
        messages = messages_of(body)
        if not messages or messages[-1].get("role") != "user":
            # A tool's result: the same question goes on.
            return None
        words = frozenset(_WORD.findall(last_user_text(body).casefold())[:_MAX_WORDS])
        former = self._turns.pop(session, None)
        self._turns[session] = _Turn(decision_id, at_s, words)
        if len(self._turns) > _MAX_SESSIONS:
            self._turns.popitem(last=False)
        if former is None or at_s - former.at_s > self.window_s:
            return None
        return former.decision_id, _signal(is_retry=_are_alike(former.words, words))

    def unasked(self) -> Signal:
        """What the window's end without another question says of an answer."""
        return _signal(is_retry=False)


def _signal(is_retry: bool) -> Signal:
    return Signal("retry", 0.0 if is_retry else 1.0, "the session's next question", kind="hint")


def _are_alike(one: frozenset[str], other: frozenset[str]) -> bool:
    if min(len(one), len(other)) < _MIN_WORDS:
        return False
    return len(one & other) >= _ALIKE * len(one | other)
