"""`pointsman bench signals`: what looking at an answer costs, verifier by verifier, on this machine."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from pointsman.cli.options import JsonOption  # noqa: TC001 - typer reads the annotation
from pointsman.signals import VERIFIERS, Answer, Verifier
from pointsman.signals.verifiers import missing_packages

_N_TIMED = 200
_PROSE = (
    "The capital of Norway is Oslo, and it has been that since the year 1814 with the exception of the war. "
)
_PROGRAMS = {
    "python": "def area(radius: float) -> float:\n    return 3.14159 * radius**2\n",
    "ts": "export const area = (radius: number): number => Math.PI * radius ** 2;\n",
    "rust": "fn area(radius: f64) -> f64 {\n    std::f64::consts::PI * radius.powi(2)\n}\n",
    "go": "func area(radius float64) float64 {\n\treturn math.Pi * radius * radius\n}\n",
    "c": "double area(double radius) { return 3.14159 * radius * radius; }\n",
    "sql": "SELECT name, count(*) FROM towns WHERE country = 'NO' GROUP BY name ORDER BY 2 DESC LIMIT 10;\n",
}
_SCHEMA = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/item"}}},
    "required": ["items"],
    "$defs": {
        "item": {
            "type": "object",
            "properties": {"name": {"type": "string", "pattern": "^[a-z-]+$"}, "price": {"minimum": 0}},
            "required": ["name", "price"],
            "additionalProperties": False,
        }
    },
}


def signals(as_json: JsonOption = False) -> None:
    """Time each verifier, one thread, on answers of 2 KB it applies to, and the default set on prose."""
    rows = [measure(verifier, answer) for verifier in VERIFIERS for answer in [_subject(verifier.name)]]
    default = [verifier for verifier in VERIFIERS if verifier.is_default]
    rows.append(_row("default set, prose", 0, lambda: [each.run(_prose()) for each in default]))
    if as_json:
        print(json.dumps(rows))
    else:
        _show(rows)


def measure(verifier: Verifier, answer: Answer) -> dict[str, Any]:
    """One row: percentiles of a verifier in microseconds, on a fresh reading of the answer each time."""

    def run() -> object:
        return verifier.run(Answer(answer.body, answer.asked, answer.structure))

    row = _row(verifier.name, len(answer.text), run)
    row["missing"] = missing_packages([verifier.name]).get(verifier.name, [])
    return row


def _row(name: str, n_chars: int, run: Any) -> dict[str, Any]:
    for _ in range(5):  # Grammars load, schemas compile.
        run()
    taken = []
    for _ in range(_N_TIMED):
        start = time.perf_counter_ns()
        run()
        taken.append(time.perf_counter_ns() - start)
    taken.sort()
    percentiles = {f"p{q}_us": round(taken[len(taken) * q // 100] / 1000, 1) for q in (50, 90, 99)}
    return {"signal": name, "n_chars": n_chars, **percentiles}


def _subject(name: str) -> Answer:
    """An answer of about 2 KB that a verifier has something to do with."""
    if name in ("json", "json_schema"):
        items = [{"name": "item-" + "abcdefghij"[i % 10], "price": i} for i in range(60)]
        asked = {"type": "json_schema", "json_schema": {"name": "items", "schema": _SCHEMA}}
        return _answer(json.dumps({"items": items}), response_format=asked)
    if name == "tool_arguments":
        call = {
            "function": {"name": "look", "arguments": json.dumps({"items": [{"name": "a", "price": 1}] * 60})}
        }
        tool = {"function": {"name": "look", "parameters": _SCHEMA}}
        return _answer("", message={"tool_calls": [call]}, tools=[tool])
    if name == "code":
        blocks = [f"```{label}\n{code * 4}```\n" for label, code in _PROGRAMS.items()]
        return _answer("Here it is.\n" + "".join(blocks), structure="code")
    return _prose()


def _prose() -> Answer:
    return _answer(_PROSE * 20, logprobs={"content": [{"logprob": -0.1}] * 450})


def _answer(
    text: str,
    *,
    structure: str = "text",
    message: dict[str, Any] | None = None,
    logprobs: Any = None,
    **asked: Any,
) -> Answer:
    said = {"role": "assistant", "content": text, **(message or {})}
    choice = {"message": said, "finish_reason": "stop", "logprobs": logprobs}
    question = {
        "role": "user",
        "content": "What is the capital of Norway, and for how long has it been that?",
    }
    return Answer({"choices": [choice]}, {"messages": [question], **asked}, structure)


def _show(rows: list[dict[str, Any]]) -> None:
    from pointsman.cli.bench import machine

    table = Table(title="Looking at one answer, in microseconds")
    for name in ("signal", "characters", "p50", "p90", "p99"):
        table.add_column(name, justify="left" if name == "signal" else "right")
    for row in rows:
        lacking = f" (lacks {', '.join(row['missing'])})" if row.get("missing") else ""
        figures = [f"{row[f'p{q}_us']:.1f}" for q in (50, 90, 99)]
        table.add_row(row["signal"] + lacking, f"{row['n_chars']:,}" if row["n_chars"] else "", *figures)
    console = Console()
    console.print(table)
    console.print("  ".join(f"{name} {value}" for name, value in machine().items()))
    console.print(f"command: {' '.join(['pointsman', *sys.argv[1:]])}")
