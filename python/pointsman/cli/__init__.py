"""The command line: `pointsman COMMAND`; `pointsman --help` lists the commands.

Exit status: 0, 1 (the work failed), 2 (wrong usage). With `--json` a command prints one JSON object on stdout
and nothing else.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import pointsman
from pointsman.cli.bench import bench_app
from pointsman.cli.cache import cache_app
from pointsman.cli.demo import demo
from pointsman.cli.doctor import doctor
from pointsman.cli.eval import evaluate, train
from pointsman.cli.eval_cache import eval_cache
from pointsman.cli.explain import explain
from pointsman.cli.export import export
from pointsman.cli.feedback import feedback
from pointsman.cli.floors import floors
from pointsman.cli.keys import keys_app
from pointsman.cli.models import models_app
from pointsman.cli.policies import policies
from pointsman.cli.promote import promote, rollback
from pointsman.cli.replay import replay
from pointsman.cli.route import route
from pointsman.cli.serve import serve
from pointsman.cli.simulate import simulate
from pointsman.cli.slices import slices
from pointsman.errors import PointsmanError

app = typer.Typer(
    name="pointsman",
    help="A router for LLM requests: decides in microseconds which model, at which provider, should answer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(serve)
app.command()(demo)
app.command()(route)
app.add_typer(keys_app, name="keys")
app.add_typer(models_app, name="models")
app.add_typer(bench_app, name="bench")
app.add_typer(cache_app, name="cache")
app.command()(simulate)
app.command()(explain)
app.command()(feedback)
app.command()(export)
app.command()(floors)
app.command()(replay)
app.command()(promote)
app.command()(rollback)
app.command()(policies)
app.command()(slices)
app.command()(doctor)
app.command()(train)
app.command("eval")(evaluate)
app.command("eval-cache")(eval_cache)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"pointsman {pointsman.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; a pointsman error is a message and exit status 1, never a stack trace."""
    try:
        app()
    except PointsmanError as error:
        print(f"pointsman: {error}", file=sys.stderr)
        raise SystemExit(1) from None
