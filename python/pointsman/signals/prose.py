"""Verifiers of any answer's text: empty, cut short, going round in circles, refusing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pointsman.signals.signal import Signal

if TYPE_CHECKING:
    from pointsman.signals.answer import Answer

_TAIL_CHARS = 40
"""Length of an end of the text that is sought earlier in it."""
_MAX_PERIOD = 2_000
_LOOP_CHARS = 240
_LOOP_TIMES = 4
"""A loop is the same piece at least so often, over so many characters; chosen."""
_LINE_CHARS = 12
_SAME_LINES = 8
_REFUSAL_CHARS = 240
"""A refusal begins an answer; one that comes later is about something else."""
_REFUSALS = (
    "i can't help with",
    "i cannot help with",
    "i can't assist",
    "i cannot assist",
    "i'm unable to",
    "i am unable to",
    "i'm not able to",
    "i am not able to",
    "i can't provide",
    "i cannot provide",
    "i can't comply",
    "i cannot comply",
    "i can't fulfill",
    "i cannot fulfill",
    "i won't be able to",
    "i must decline",
    "i can't do that",
    "i cannot do that",
    "as an ai language model, i",
    "as an ai, i can",
    "sorry, but i can't",
    "sorry, but i cannot",
    "ich kann dabei nicht helfen",
    "ich kann ihnen dabei nicht",
    "ich kann dir dabei nicht",
    "je ne peux pas vous aider",
    "je ne peux pas répondre",
    "lo siento, pero no puedo",
    "no puedo ayudarte con",
    "mi dispiace, ma non posso",
    "desculpe, mas não posso",
    "我无法",
    "很抱歉",
    "申し訳ありませんが",
)
_APOSTROPHES = str.maketrans("\u2019\u02bc", "''")


def empty(answer: Answer) -> Signal:
    """Whether an answer says anything: text, a tool call, sound, or a refusal; a gate."""
    message = answer.message
    is_said = bool(answer.text.strip() or answer.tool_calls or message.get("audio") or message.get("refusal"))
    return Signal("empty", float(is_said), "text and tool calls")


def truncation(answer: Answer) -> Signal | None:
    """Whether an answer came to its end; a hint. `None` where the caller's own limit may have cut it."""
    limits = (answer.asked.get("max_tokens"), answer.asked.get("max_completion_tokens"))
    is_cut = answer.finish_reason == "length"
    if answer.finish_reason is None or (is_cut and any(limit is not None for limit in limits)):
        return None
    return Signal("truncation", float(not is_cut), f"finish_reason {answer.finish_reason[:20]}", kind="hint")


def refusal(answer: Answer) -> Signal | None:
    """Whether an answer refuses, by its own field, the filter's mark or its first words; a hint.

    A refusal may be right; that a verifier cannot tell.
    """
    if answer.message.get("refusal") or answer.finish_reason == "content_filter":
        return Signal("refusal", 0.0, "marked as a refusal", kind="hint")
    if not answer.text.strip():
        return None
    begin = answer.text[:_REFUSAL_CHARS].casefold().translate(_APOSTROPHES)
    return Signal(
        "refusal", float(not any(words in begin for words in _REFUSALS)), "first words", kind="hint"
    )


def repetition(answer: Answer) -> Signal | None:
    """How much of an answer is no repetition of the same piece at its end, or of the same line; a hint."""
    text = answer.text.strip()
    if len(text) < _LOOP_CHARS:
        return None
    share = max(_looped(text), _same_line(text))
    return Signal("repetition", 1.0 - share, "loops and lines", kind="hint")


def _looped(text: str) -> float:
    """Share of the text that is the same piece again and again up to its end; linear in the text."""
    n = len(text)
    earlier = text.rfind(text[-_TAIL_CHARS:], max(0, n - _TAIL_CHARS - _MAX_PERIOD), n - 1)
    if earlier < 0:
        return 0.0
    period = n - _TAIL_CHARS - earlier
    n_same = _common_suffix(text, period)
    n_looped = n_same + period
    if n_looped < _LOOP_CHARS or n_looped < _LOOP_TIMES * period:
        return 0.0
    # A rule of dashes under a heading is no loop of words.
    return n_looped / n if any(char.isalnum() for char in text[-period:]) else 0.0


def _common_suffix(text: str, period: int) -> int:
    """How many characters at the end equal those a period earlier; found by halving, in O(n log n)."""
    low, high = 0, len(text) - period
    while low < high:
        middle = (low + high + 1) // 2
        is_same = text[len(text) - middle :] == text[len(text) - middle - period : len(text) - period]
        low, high = (middle, high) if is_same else (low, middle - 1)
    return low


def _same_line(text: str) -> float:
    """Share of the text that is one and the same line."""
    lines = [line for line in text.splitlines() if len(line) >= _LINE_CHARS]
    counts = Counter(line for line in lines if any(char.isalpha() for char in line)).most_common(1)
    if not counts or counts[0][1] < _SAME_LINES:
        return 0.0
    line, n_times = counts[0]
    return (n_times - 1) * (len(line) + 1) / (len(text) + 1)
