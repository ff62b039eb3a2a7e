"""`pointsman models list | import | check`: what is configured, what could be, and what is stale."""

from __future__ import annotations

import json
import os
import sys
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.cli.options import ConfigOption, JsonOption, config_path
from pointsman.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pointsman.config import Config

models_app = typer.Typer(
    name="models", help="List, import and check models, deployments and prices.", no_args_is_help=True
)


@models_app.command("list")
def list_models(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the deployments with prices, context window, capabilities and quality."""
    from pointsman.cli.model_table import deployment_rows, print_table

    rows = deployment_rows(_load(config)[1])
    if as_json:
        print(json.dumps({"deployments": rows}, indent=2))
    else:
        print_table(rows)


@models_app.command("import")
def import_models(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Models of the built-in price list.")
    ] = None,
    all_of: Annotated[
        str | None,
        typer.Option("--all-of", metavar="PROVIDER", help="Every current chat model of a provider."),
    ] = None,
) -> None:
    """Print YAML of models in the built-in price list, ready to paste into a config."""
    from pointsman.cli.model_snippet import all_entries_of, named_entries, snippet

    entries, problems = named_entries(names or [])
    if all_of is not None:
        found, more = all_entries_of(all_of, date.today())
        entries, problems = [*entries, *found], [*problems, *more]
    if not entries and not problems:
        problems = [
            "give the NAME of a model (as in `pointsman models import gpt-4.1`), or --all-of PROVIDER"
        ]
    _fail(problems, exit_status=2)
    print(snippet(entries), end="")


@models_app.command("check")
def check_models(config: ConfigOption = None) -> None:
    """Check the config; warn of deprecated models and of prices far from the built-in list's."""
    from pointsman.cli.model_warnings import warnings_of

    loaded, document = _load(config)
    for warning in warnings_of(loaded, document, date.today()):
        print(f"warning: {warning}", file=sys.stderr)
    n_deployments, n_models = len(document["deployments"]), len(document["models"])
    print(f"{loaded.origin.source}: good; {n_deployments} deployments of {n_models} models")


def _load(config: Path | None) -> tuple[Config, dict[str, Any]]:
    """The config asked for and its catalog document; problems go to stderr, one a line, and exit with 1."""
    from pointsman.config import config_from_environment, load_config
    from pointsman.registry import build_catalog_document

    path = config_path(config)
    try:
        loaded = load_config(path) if path else config_from_environment(os.environ, today=date.today())
        return loaded, build_catalog_document(loaded)
    except ConfigError as error:
        _fail(error.problems, exit_status=1)
        raise


def _fail(problems: Sequence[Any], *, exit_status: int) -> None:
    """Print the problems and exit, if there are any."""
    if problems:
        for problem in problems:
            print(problem, file=sys.stderr)
        raise typer.Exit(exit_status)
