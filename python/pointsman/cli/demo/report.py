"""What the demo prints: one table of the requests, the totals, and what was real."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN_WIDTH = 100
"""Columns when the output is no terminal: rich would take 80 and break the table."""
MICRO_PER_ONE = 1e6
_ANSWER_CHARACTERS = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of one request.

    Attributes:
        title: What was asked.
        profile: The task profile, in three lines.
        model: The model that answered; empty when the request was refused.
        deployment: The deployment that answered; empty when the request was refused.
        reason: Why it was chosen, or why the request was refused.
        cost_usd: Cost of the answer, US dollars.
        baseline_cost_usd: What the baseline model would have cost for the same tokens, US dollars.
        latency_ms: From sending the request to the whole answer, at the client.
        ttft_ms: To the first token, when the answer was streamed.
        overhead_us: The part of it spent in pointsman, microseconds; `None` when the gateway did not say.
        text: The answer's text, or the tool call.
        error: Why there is no answer although there should be one; empty when all is well.
    """

    title: str
    profile: str = ""
    model: str = ""
    deployment: str = ""
    reason: str = ""
    cost_usd: float = 0.0
    baseline_cost_usd: float = 0.0
    latency_ms: float = 0.0
    ttft_ms: float | None = None
    overhead_us: float | None = None
    text: str = ""
    error: str = ""


def make_console() -> Console:
    """A console as wide as the terminal, or 100 columns when there is none."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an ASCII pipe gets `?` for `µ`, not an exception
    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def table_of(answered: Sequence[Answered], real_model: str | None) -> Table:
    """The table of all requests; answers of `real_model` are marked real."""
    table = Table(show_lines=True, padding=(0, 0), pad_edge=False)
    table.add_column("request", max_width=16)
    table.add_column("task profile", max_width=14)
    table.add_column("chosen deployment, and why", ratio=1, overflow="fold")
    for name in ("cost\nµ$", "base-\nline µ$", "latency\nms", "over-\nhead µs"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in answered:
        table.add_row(
            escape(row.title),
            escape(row.profile),
            _choice(row, real_model),
            f"{row.cost_usd * MICRO_PER_ONE:,.1f}" if row.model else "-",
            f"{row.baseline_cost_usd * MICRO_PER_ONE:,.1f}" if row.model else "-",
            _latency(row),
            "-" if row.overhead_us is None else f"{row.overhead_us:,.0f}",
        )
    return table


def _choice(row: Answered, real_model: str | None) -> str:
    if row.error:
        return f"[red]failed[/]: {escape(row.error)}"
    if not row.model:
        return f"[yellow]refused[/], as it should be: {escape(row.reason)}"
    # Simulated providers say so in their names; what they do not have to say is that one is real.
    mark = " [green]real[/]" if row.model == real_model else ""
    return f"[bold]{escape(row.deployment)}[/]{mark}\n{escape(row.reason)}"


def _latency(row: Answered) -> str:
    first = "" if row.ttft_ms is None else f"\nfirst {row.ttft_ms:,.0f}"
    return f"{row.latency_ms:,.0f}{first}"


def totals(answered: Sequence[Answered], baseline_model: str) -> str:
    """Cost, baseline cost and the share saved, over the requests that were answered."""
    cost_usd = sum(row.cost_usd for row in answered)
    baseline_usd = sum(row.baseline_cost_usd for row in answered)
    saved = 1 - cost_usd / baseline_usd if baseline_usd else 0.0
    n_answered = sum(bool(row.model) for row in answered)
    return (
        f"{n_answered} answered: cost [bold]${cost_usd:.6f}[/], always {baseline_model} "
        f"${baseline_usd:.6f}, [bold]saved {saved:.1%}[/]"
    )


def real_answers(answered: Sequence[Answered], real_model: str | None) -> list[str]:
    """One line for each answer of the real model."""
    return [
        f"  {escape(row.title)}: {escape(' '.join(row.text.split())[:_ANSWER_CHARACTERS])}"
        for row in answered
        if real_model and row.model == real_model
    ]


def try_it(base_url: str) -> str:
    """A curl line and a Python snippet for a gateway at `base_url`."""
    body = '{"model": "auto", "messages": [{"role": "user", "content": "Is 7 prime? yes or no"}]}'
    return f"""\
curl -si {base_url}/chat/completions -H 'content-type: application/json' -d '{body}'

from openai import OpenAI
client = OpenAI(base_url="{base_url}", api_key="any")
reply = client.chat.completions.with_raw_response.create(
    model="auto",
    messages=[{{"role": "user", "content": "Write a Python function that reverses a list."}}],
    extra_body={{"pointsman": {{"max_cost_usd": 0.001}}}},
)
print(reply.headers["x-pointsman-deployment"], "because", reply.headers["x-pointsman-reason"])
print(reply.parse().choices[0].message.content)"""
