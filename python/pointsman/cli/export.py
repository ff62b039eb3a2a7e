"""`pointsman export`: the decision log as Parquet files."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer

from pointsman.cli.options import ConfigOption, JsonOption, StoreOption, store_url
from pointsman.errors import ConfigError


def export(
    out: Annotated[Path, typer.Argument(help="Folder for the files, OUT/day=2026-11-28/....")],
    config: ConfigOption = None,
    store: StoreOption = None,
    since: Annotated[str | None, typer.Option(help="First day or moment, such as 2026-11-28; UTC.")] = None,
    until: Annotated[str | None, typer.Option(help="First day or moment left out; UTC.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the decision log as Parquet, a folder a day; a day that is there already is replaced."""
    from pointsman.store.parquet import export_log

    since_s, until_s = _unix_s(since, "--since"), _unix_s(until, "--until")
    try:
        written = export_log(store_url(store, config), out, since_s=since_s, until_s=until_s)
    except ConfigError as error:
        print(f"pointsman export: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    n_decisions = sum(written.values())
    if as_json:
        sys.stdout.buffer.write(orjson.dumps({"n_decisions": n_decisions, "by_day": written}) + b"\n")
    else:
        print(f"{n_decisions:,} decisions of {len(written)} days in {out}")


def _unix_s(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option} {text!r} is no date; give one such as 2026-11-28") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
