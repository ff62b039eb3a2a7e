"""`pointsman floors`: which quality floors are certified, with which n, alpha and delta."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from pointsman.cli.options import ConfigOption, JsonOption, config_path
from pointsman.errors import ConfigError


def floors(
    url: Annotated[
        str | None, typer.Option("--url", help="A running gateway, such as http://127.0.0.1:4100.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option("--state", help="A file that Core.save wrote, read with --config.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what is certified, slice by slice, what is broken, and what still gathers audits."""
    if (url is None) == (state is None):
        raise typer.BadParameter("give either --url or --state")
    listed = _of_gateway(url) if url is not None else _of_state(state or Path(), config)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps({"data": listed}) + b"\n")
        return
    if not listed:
        print("nothing graded yet: no floor is certified")
        return
    Console().print(_table(listed))


def _of_gateway(url: str) -> list[dict[str, Any]]:
    import httpx

    try:
        answer = httpx.get(f"{url.rstrip('/')}/v1/certificates", timeout=10)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ConfigError([f"--url {url}: {error}; give the address of a running gateway"]) from None
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


def _of_state(state: Path, config: Path | None) -> list[dict[str, Any]]:
    from pointsman._native import Core
    from pointsman.router import Router

    core = Core(Router.from_config(config_path(config)).registry.catalog)
    try:
        core.load(state.read_bytes())
    except OSError as error:
        raise ConfigError([f"--state {state}: {error.strerror}; give a file that Core.save wrote"]) from None
    data: list[dict[str, Any]] = orjson.loads(core.floors())
    return data


def _table(listed: list[dict[str, Any]]) -> Table:
    table = Table(
        "slice",
        "deployment",
        "floor",
        "n",
        "alpha",
        "delta",
        "serves from",
        "since",
        "grader",
        "grades",
        "fail",
    )
    for column in (0, 1):
        table.columns[column].overflow = "fold"
    for floor in listed:
        for index, cells in enumerate(_rows(floor)):
            head = (slice_words(floor["slice"]), floor["deployment"]) if index == 0 else ("", "")
            tail = _grades(floor) if index == 0 else ("", "", "")
            table.add_row(*head, *cells, *tail)
    return table


def _rows(floor: dict[str, Any]) -> list[tuple[str, ...]]:
    """Certificates from the highest floor down, then what the monitors found, then what is still to come."""
    rows: list[tuple[str, ...]] = [
        (
            f"{one['min_quality']:.2f} certified",
            str(one["n"]),
            f"{one['alpha']:.2f}",
            f"{one['delta']:.2f}",
            f"{one['threshold']:.2f}",
            _when(one["certified_at_s"]),
        )
        for one in reversed(floor["certificates"])
    ]
    certified = {one["min_quality"] for one in floor["certificates"]}
    rows += [
        (f"{one['min_quality']:.2f} broken ({one['alarm']})", "", "", "", "", _when(one["alarmed_at_s"]))
        for one in floor["alarms"]
        if one["min_quality"] not in certified
    ]
    return rows or [(f"none: {floor['n_until_test']} audits to go", "", "", "", "", "")]


def _grades(floor: dict[str, Any]) -> tuple[str, str, str]:
    """Who grades how many, how many verdicts came (and did not), and what share fails."""
    share = "" if floor["audit_share"] is None else f", {floor['audit_share']:.0%}"
    silent = f" (+{floor['n_unanswered']} unanswered)" if floor["n_unanswered"] else ""
    return f"{floor['grader'] or 'caller'}{share}", f"{floor['n_graded']}{silent}", f"{floor['risk']:.1%}"


def slice_words(names: dict[str, Any]) -> str:
    """A slice in words: the caller's task, then the labels."""
    labels = f"{names['domain']} {names['complexity']}, {names['structure']}"
    return labels if names["task"] is None else f"{names['task']}: {labels}"


def _when(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, tz=UTC).strftime("%Y-%m-%d %H:%M")
