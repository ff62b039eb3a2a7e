"""`pointsman train DIR` and `pointsman eval DIR`: learn from graded answers, and prove what that is worth."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.cli.options import JsonOption  # noqa: TC001 (typer reads it at run time)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pointsman.learning.data import OutcomeTable

FolderArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help="Folder with prompts.parquet, outcomes.parquet and perhaps models.json."
    ),
]
DatasetOption = Annotated[
    str | None, typer.Option("--dataset", metavar="NAME", help="Only the prompts of this data set.")
]
OutOption = Annotated[Path, typer.Option("--out", "-o", metavar="STATE", help="Where the state is written.")]
TrainOption = Annotated[
    Path | None,
    typer.Option("--train", metavar="DIR", help="Learn from all of this table, and score all of DIR."),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        metavar="split|kfold:5|kfold-task|first:1500",
        help="What is learned from and what is scored: the table's own split; folds of prompts; every task "
        "by a router that saw none of it; so many prompts and the rest, shuffled anew each run. "
        "Default: split where the table has one, else kfold:5.",
    ),
]
PairOption = Annotated[
    str | None,
    typer.Option(
        "--pair",
        metavar="WEAK,STRONG",
        help="Models of RouteLLM's figures. Default: the cheapest and the best.",
    ),
]
RunsOption = Annotated[
    int | None,
    typer.Option("--runs", min=1, help="Random orders to average over. Default: 5 for first:N, else 1."),
]
PlotOption = Annotated[
    Path | None,
    typer.Option("--plot", metavar="OUT.png", help="Draw cost against quality (needs matplotlib)."),
]


def train(folder: FolderArgument, out: OutOption, dataset: DatasetOption = None) -> None:
    """Learn a table of graded answers, and write what was learned for a router to start from.

    Rows whose split is `test` are left out, unless all are.
    """
    import time

    import numpy as np

    from pointsman._native import Core
    from pointsman.learning.train import catalog, priors, read, tariffs, teach

    table = _table(folder, dataset)
    places = np.flatnonzero(table.splits != "test")
    if not len(places):
        places = np.arange(len(table))
    with _progress("learning") as show:
        done = [0]

        def step(n: int) -> None:
            done[0] += n
            show(done[0], len(table) + len(places))

        readings = read(table.prompts, step)
        n_input = np.array([reading.n_input_tokens for reading in readings], dtype=np.float64)
        core = Core(catalog(priors(table, places), tariffs(table, places, n_input)))
        lengths = {model: table.output_tokens[:, column] for column, model in enumerate(table.models)}
        order = np.random.default_rng(0).permutation(places)
        teach(core, table, order, readings, lengths, now_s=time.time(), on_step=step)
    state = core.save()
    out.write_bytes(state)
    _say(f"learned {len(places)} prompts x {len(table.models)} models; {len(state):,} bytes in {out}")


def evaluate(
    folder: FolderArgument,
    train: TrainOption = None,
    protocol: ProtocolOption = None,
    dataset: DatasetOption = None,
    pair: PairOption = None,
    runs: RunsOption = None,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score the router as it serves on graded answers it never saw, beside what needs no router.

    Its curve of cost and quality is drawn by turning `quality_value_usd`. `quality`, `cost_usd` and
    `cost_at_best` (over the best single model's cost) are those of the curve's best point, which is found on
    the prompts scored; `dial_from_training` is the point of the dial that was best on training prompts, so
    without a look at them. `saved_at` is the share of that cost saved at a share of that model's quality.
    """
    from pointsman.learning.evaluate import evaluate as score
    from pointsman.learning.protocol import Protocol

    table = _table(folder, dataset)
    train_on = _table(train, None) if train is not None else None
    chosen = Protocol.parse(protocol, runs) if protocol else Protocol.default(table)
    with _progress("scoring") as show:
        report, curves = score(table, chosen, train_on=train_on, pair=_pair(pair), on_step=show)
    if plot is not None:
        from pointsman.learning.plot import draw

        draw(curves, plot)
    if as_json:
        print(json.dumps(report))
    else:
        _show(report)


def _table(folder: Path, dataset: str | None) -> OutcomeTable:
    try:
        from pointsman.learning.data import read_table
    except ModuleNotFoundError as error:
        _say(f"{error}: this needs pip install 'pointsman[learning]'")
        raise typer.Exit(1) from None
    table = read_table(folder)
    for note in table.notes:
        _say(f"note: {note}")
    return table if dataset is None else table.of_dataset(dataset)


def _pair(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    weak, comma, strong = text.partition(",")
    if not comma or not weak.strip() or not strong.strip():
        raise typer.BadParameter(f"{text!r} is no pair: give WEAK,STRONG", param_hint="--pair")
    return weak.strip(), strong.strip()


def _say(message: str) -> None:
    print(f"pointsman: {message}", file=sys.stderr)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, if that is a terminal; yields what is told of prompts done and of all there are."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("prompts"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(report: dict[str, Any]) -> None:
    """A row a judge; the pair and the times below."""
    from rich.console import Console
    from rich.table import Table

    single = report["best_single"]
    console = Console()
    columns = (
        "quality",
        "cost, USD",
        "of best single's",
        "saved 100 %",
        "98 %",
        "95 %",
        "AIQ",
        "AUC",
        "Brier",
        "ECE",
    )
    rows = Table("", *columns, title=f"{report['n_test']} prompts scored, {report['n_train']} learned from")
    for column in rows.columns[1:]:
        column.justify = "right"
    for name in ("router", "zero_router", "length_only", "task_table"):
        rows.add_row(name.replace("_", " "), *_cells(report[name]))
    for name in ("best_single", "oracle", "random"):
        point = report[name]
        label = f"best single: {point['model']}" if name == "best_single" else name
        share = point["cost_usd"] / single["cost_usd"] if single["cost_usd"] else None
        rows.add_row(label, f"{point['quality']:.4f}", f"{point['cost_usd']:.3g}", _share(share), *[""] * 7)
    console.print(rows)
    _show_pair(console, report)


def _cells(judge: dict[str, Any]) -> list[str]:
    saved = [_share(value) for value in judge["saved_at"].values()]
    rest = [_number(judge[name]) for name in ("aiq", "auc", "brier", "ece")]
    return [
        f"{judge['quality']:.4f}",
        f"{judge['cost_usd']:.3g}",
        _share(judge["cost_at_best"]),
        *saved,
        *rest,
    ]


def _show_pair(console: Any, report: dict[str, Any]) -> None:
    pair = report["pair"]
    spread = report.get("sd", {}).get("pair", {})
    figures = [
        f"{label} {_number(pair[name])}"
        + (f" (sd {_number(spread[name])})" if spread.get(name) is not None else "")
        for name, label in (("apgr", "APGR"), ("cpt50", "CPT(50 %)"), ("cpt80", "CPT(80 %)"))
    ]
    console.print(f"{pair['weak']} -> {pair['strong']}: " + ", ".join(figures))
    if "n_runs" in report:
        spread = report["sd"]["router"]["quality"]
        console.print(f"means of {report['n_runs']} runs; sd of the router's quality {spread:.4f}")
    settled = report["router"]["dial_from_training"]
    console.print(
        f"by the dial that training prompts chose: {settled['quality']:.4f} "
        f"at {settled['cost_usd']:.3g} USD, {_share(settled['of_best_single'])} of the best single's"
    )
    alone = report["router"]["quality_alone"]
    console.print(f"by quality alone: {alone['quality']:.4f} at {alone['cost_usd']:.3g} USD")
    console.print(
        f"one decision: p50 {report['decision_us']['p50']} us, p99 {report['decision_us']['p99']} us"
    )


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
