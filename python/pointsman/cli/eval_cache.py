"""`pointsman eval-cache FILE`: how often the semantic cache hits, and how often it is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.cli.cache_files import CacheFileError, read_rows
from pointsman.cli.options import JsonOption  # noqa: TC001 (typer reads it at run time)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FileArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="JSON lines, gzipped or not: pairs [a, b, 0|1, origin?, family?], a stream [text, class, kind], "
        "or follow-ups [conversation, text, origin].",
    ),
]
TargetOption = Annotated[
    float,
    typer.Option("--target-error", min=1e-4, max=0.5, help="Share of hits that may be wrong."),
]


def eval_cache(file: FileArgument, target_error: TargetOption = 0.01, as_json: JsonOption = False) -> None:
    """Score the semantic cache on labelled pairs, a stream of requests, or follow-ups.

    Pairs: each alone in a cache, the first text stored and the second asked; recall is the share of same
    pairs served, false_rate that of the others. A stream: every miss is stored, a hit of another class
    is false.
    """
    from pointsman.cli.cache_scores import score_pairs, score_stream

    try:
        kind, rows = read_rows(file)
    except CacheFileError as error:
        print(f"pointsman: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    shown = rows if as_json else _with_progress(rows)
    scores = score_pairs(shown, target_error) if kind == "pairs" else score_stream(shown, target_error)
    if as_json:
        print(json.dumps(scores))
    else:
        _print_scores(scores)


def _with_progress(rows: list[Any]) -> Iterator[Any]:
    """The rows, with a bar on a terminal's stderr."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return iter(
        track(rows, description="scoring", console=console, transient=True, disable=not console.is_terminal)
    )


def _print_scores(scores: dict[str, Any]) -> None:
    """Two columns; families and layers as rows of their own."""
    from rich.console import Console
    from rich.table import Table

    table = Table("measure", "value", show_header=False)
    for name, value in _flat(scores.items()):
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    Console().print(table)


def _flat(items: Iterable[tuple[str, Any]], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in items:
        if isinstance(value, dict):
            yield from _flat(value.items(), f"{prefix}{name}: ")
        elif value is not None:
            yield f"{prefix}{name}", value
