"""`pointsman slices`: which model beats which on which kind of request."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from pointsman.cli.options import JsonOption  # noqa: TC001 (typer reads it at run time)

if TYPE_CHECKING:
    from pointsman.learning.slices import Answers


def slices(
    log: Annotated[
        str,
        typer.Argument(
            metavar="LOG|DIR",
            help="A decision log (database or export), or a folder of prompts.parquet and outcomes.parquet.",
        ),
    ],
    max_q: Annotated[
        float, typer.Option("--max-q", min=0.0, max=1.0, help="Share of the claims that may be false.")
    ] = 0.05,
    limit: Annotated[int, typer.Option(min=1, help="How many claims to print.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """Say which model beats which on which slice (task x domain x structure x length).

    Of all that is claimed at most the share --max-q is expected to be false (Benjamini and Yekutieli).
    """
    from pointsman.learning.slices import discover, plainest

    answers = _answers(log)
    found = discover(answers, max_q=max_q)
    if as_json:
        listed = {"n": len(answers.weights), "findings": [one.as_dict() for one in found]}
        sys.stdout.buffer.write(orjson.dumps(listed) + b"\n")
        return
    if not found:
        n, n_models = len(answers.weights), len(answers.models)
        print(f"{n:,} graded requests of {n_models} models: nothing is sure enough")
        return
    plain = plainest(found)
    cheaper_first = sorted(plain, key=lambda one: not one.is_cheaper)
    for one in cheaper_first[:limit]:
        print(one.words())
    n_more = len(found) - min(limit, len(plain))
    if n_more > 0:
        print(f"and {n_more} more, most of them parts of these slices: --json lists all")


def _answers(log: str) -> Answers:
    from pointsman.learning.slices import of_log, of_table

    if (Path(log) / "outcomes.parquet").exists():
        from pointsman.learning.data import read_table

        return of_table(read_table(Path(log)))
    from pointsman.store.rows import decision_rows

    return of_log(decision_rows(log))
