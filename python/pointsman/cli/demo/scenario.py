"""The demo's requests: what a dozen different callers ask, as keyword arguments of the `openai` client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """One request of the demo.

    Attributes:
        title: What it is, in a few words.
        arguments: Arguments of `client.chat.completions.create`, `model` and `explain` aside.
        pointsman: Fields of the `pointsman` block.
        is_feasible: False for the one whose limits nobody can meet.
    """

    title: str
    arguments: dict[str, Any]
    pointsman: dict[str, Any]
    is_feasible: bool = True

    def keywords(self) -> dict[str, Any]:
        """All keyword arguments of the call."""
        block = {**self.pointsman, "explain": True}
        return {"model": "auto", "temperature": 0, **self.arguments, "extra_body": {"pointsman": block}}


def _ask(title: str, prompt: str, /, max_tokens: int, **more: Any) -> DemoRequest:
    block = more.pop("pointsman", {})
    is_feasible = more.pop("is_feasible", True)
    messages = more.pop("messages", None) or [{"role": "user", "content": prompt}]
    return DemoRequest(title, {"messages": messages, "max_tokens": max_tokens, **more}, block, is_feasible)


_INVOICE = {
    "type": "object",
    "properties": {"vendor": {"type": "string"}, "total": {"type": "number"}, "currency": {"type": "string"}},
    "required": ["vendor", "total", "currency"],
    "additionalProperties": False,
}
_BOOK_ROOM = {
    "type": "function",
    "function": {
        "name": "book_room",
        "description": "Book a meeting room.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "n_people": {"type": "integer", "minimum": 1}},
            "required": ["city", "n_people"],
        },
    },
}
_BUGGY = (
    "Fix the bug in this Python function and write unit tests for it; the median of a list of even length is "
    "wrong, and the caller's list changes.\n"
    "```python\ndef median(values):\n    values.sort()\n    return values[len(values) // 2]\n```"
)
_PROPOSAL = (
    "I would sort a copy with `sorted(values)`, return the mean of the two middle elements when the length "
    "is even, and raise ValueError for an empty list. Shall I rewrite the function and add the tests?"
)
_CLAUSE = (
    "Summarise this clause for a non-lawyer in three sentences. 'The Supplier's aggregate liability under or "
    "in connection with this Agreement, whether in contract, tort (including negligence) or otherwise, shall "
    "not exceed the fees paid in the twelve months preceding the claim. Nothing in this Agreement limits "
    "liability for death or personal injury caused by negligence, or for fraud. The Supplier shall indemnify "
    "the Customer against third-party claims that the Service infringes intellectual property rights, "
    "provided that the Customer notifies the Supplier promptly and allows it to conduct the defence.'"
)

REQUESTS = (
    _ask(
        "invoice to JSON (schema)",
        "Extract vendor, total and currency as JSON from this invoice: no. 2291 of 2026-03-02, vendor Acme "
        "Tools, total 1249.50, currency EUR.",
        max_tokens=60,
        response_format={"type": "json_schema", "json_schema": {"name": "invoice", "schema": _INVOICE}},
    ),
    _ask(
        "label: yes or no",
        "Answer yes or no: is 'The room was spotless and the staff were kind' a complaint?",
        max_tokens=4,
    ),
    _ask(
        "SQL from a question",
        "Write a SQL query: table orders(id, customer_id, total, created_at); the ten customers with the "
        "highest revenue in 2025.",
        max_tokens=120,
    ),
    _ask(
        "write code",
        "Write a Python function that parses ISO 8601 durations such as PT1H30M into seconds.",
        max_tokens=300,
    ),
    _ask(
        "bug fix, ends in “yes, do it”",
        "",
        messages=[
            {"role": "user", "content": _BUGGY},
            {"role": "assistant", "content": _PROPOSAL},
            {"role": "user", "content": "yes, do it"},
        ],
        max_tokens=300,
    ),
    _ask("legal summary", _CLAUSE, max_tokens=160),
    _ask(
        "proof, several steps",
        "Prove that the square root of 2 is irrational, then generalise the proof step by step to the square "
        "root of any prime p, and explain why it fails for 4.",
        max_tokens=500,
    ),
    _ask(
        "translation",
        "Translate into French: 'The delivery is delayed by two days; we apologise for the inconvenience.'",
        max_tokens=60,
    ),
    _ask(
        "chat, streamed",
        "Write a friendly two-sentence welcome message for a new colleague who starts on Monday.",
        max_tokens=80,
        stream=True,
    ),
    _ask(
        "tool call",
        "Book a meeting room in Lisbon for 6 people.",
        max_tokens=80,
        tools=[_BOOK_ROOM],
    ),
    _ask(
        "at most 900 ms",
        "Suggest a subject line for an email that announces a new office in Porto.",
        max_tokens=20,
        pointsman={"max_latency_ms": 900},
    ),
    _ask(
        "quality at least 0.90",
        "In which year did the Treaty of Westphalia end the Thirty Years' War? Answer with the year only.",
        max_tokens=8,
        pointsman={"min_quality": 0.90},
    ),
    _ask(
        "cost at most 30 µ$",
        "Explain in two sentences what a load balancer does.",
        max_tokens=80,
        pointsman={"max_cost_usd": 0.000_03},
    ),
    _ask(
        "impossible: 0.94 for 30 µ$",
        "Explain in two sentences what a load balancer does.",
        max_tokens=80,
        pointsman={"min_quality": 0.94, "max_cost_usd": 0.000_03},
        is_feasible=False,
    ),
)
