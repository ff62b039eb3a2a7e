"""`pointsman route`: decide without calling anyone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from pointsman.cli.options import ConfigOption, JsonOption, config_path
from pointsman.errors import InvalidInput, NoFeasibleDeployment, RequestError


def route(
    text: Annotated[str | None, typer.Argument(help="The prompt; `-` reads standard input.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    messages: Annotated[Path | None, typer.Option(help="JSON file with a list of chat messages.")] = None,
    model: Annotated[str, typer.Option(help="auto, auto:POLICY, or a model to pin.")] = "auto",
    task: Annotated[str | None, typer.Option(help="Task name.")] = None,
    max_cost_usd: Annotated[float | None, typer.Option(help="Upper bound of the expected cost, USD.")] = None,
    max_latency_ms: Annotated[float | None, typer.Option(help="Upper bound of the latency p95, ms.")] = None,
    max_ttft_ms: Annotated[
        float | None, typer.Option(help="Upper bound of the first token's p95, ms.")
    ] = None,
    min_quality: Annotated[float | None, typer.Option(help="Quality floor, 0 to 1.")] = None,
    quality_like: Annotated[str | None, typer.Option(help="Model whose quality is the floor.")] = None,
    strategy: Annotated[str | None, typer.Option(help="auto or direct.")] = None,
    deadline: Annotated[str | None, typer.Option(help='Time the answer may take, e.g. "24h".')] = None,
    service_tier: Annotated[str | None, typer.Option(help="auto, default, flex or priority.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Upper bound of the answer's tokens.")] = None,
    stream: Annotated[bool, typer.Option("--stream", help="The answer will be read as a stream.")] = False,
    response_format: Annotated[
        Path | None, typer.Option(help="JSON file with OpenAI's response_format.")
    ] = None,
    tools: Annotated[Path | None, typer.Option(help="JSON file with OpenAI's tools.")] = None,
) -> None:
    """Show which deployment would answer, and why the others would not."""
    from pointsman.router import Router

    constraints = {
        "task": task,
        "max_cost_usd": max_cost_usd,
        "max_latency_ms": max_latency_ms,
        "max_ttft_ms": max_ttft_ms,
        "min_quality": min_quality,
        "quality_like": quality_like,
        "strategy": strategy,
        "deadline": deadline,
    }
    body: dict[str, Any] = {"model": model, "messages": _read_messages(text, messages), "stream": stream}
    body["pointsman"] = {name: value for name, value in constraints.items() if value is not None}
    body |= {} if service_tier is None else {"service_tier": service_tier}
    body |= {} if max_tokens is None else {"max_tokens": max_tokens}
    body |= {} if response_format is None else {"response_format": _read_json(response_format)}
    body |= {} if tools is None else {"tools": _read_json(tools)}
    router = Router.from_config(config_path(config))
    try:
        chat = router.parse(body, {})
        decision = router.foreseen(chat, router.decide_request(chat))
    except (RequestError, InvalidInput) as error:
        print(f"pointsman route: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    except NoFeasibleDeployment as error:
        _show(error.infeasible.to_json(), as_json)
        print(f"pointsman route: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    _show(decision.to_json(), as_json)


def _read_messages(text: str | None, messages: Path | None) -> Any:
    if (text is None) == (messages is None):
        raise typer.BadParameter("give either TEXT (or - for standard input) or --messages FILE")
    if messages is not None:
        return _read_json(messages)
    return [{"role": "user", "content": sys.stdin.read() if text == "-" else text}]


def _read_json(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}; give a readable JSON file") from None
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(f"{path}: not valid JSON: {error}") from None


def _show(decision_json: bytes, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(decision_json + b"\n")
        return
    show_decision(orjson.loads(decision_json))


def show_decision(decision: dict[str, Any]) -> None:
    """Print a Decision of the HTTP contract for people."""
    console = Console()
    console.print(_profile_line(decision["task_profile"]))
    console.print(_candidates_table(decision))
    if decision["deployment"] is not None:
        console.print(f"[bold]{decision['deployment']}[/bold]: {decision['reason']}")


def _profile_line(profile: dict[str, Any]) -> str:
    axes = ", ".join(
        f"{axis} {profile[axis]['label']} ({profile[axis]['p']:.2f})"
        for axis in ("complexity", "domain", "structure", "latency")
    )
    output = profile["output_tokens"]
    return f"{axes}; {profile['n_input_tokens']} tokens in, {output['p50']:.0f} (p90 {output['p90']:.0f}) out"


def _candidates_table(decision: dict[str, Any]) -> Table:
    table = Table("deployment", "quality", "cost USD", "latency p95 ms", "verdict")
    table.columns[0].overflow = "fold"  # a name cut short is no name
    for candidate in decision["candidates"]:
        is_chosen = candidate["deployment"] == decision["deployment"]
        table.add_row(
            candidate["deployment"],
            f"{candidate['quality']:.2f}",
            f"{candidate['cost_usd']:.6f}",
            f"{candidate['latency_p95_ms']:.0f}",
            "chosen" if is_chosen else _verdict(candidate),
            style="bold" if is_chosen else None if candidate["feasible"] else "dim",
        )
    return table


def _verdict(candidate: dict[str, Any]) -> str:
    if candidate["feasible"]:
        return "feasible"
    return ", ".join(
        f"{rejection['code']} (limit {_short(rejection['limit'])}, is {_short(rejection['value'])})"
        for rejection in candidate["rejected_by"]
    )


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
