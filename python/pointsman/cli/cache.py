"""`pointsman cache`: look at kept answers and put them right, in a running gateway or in a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from pointsman.cli.cache_target import CacheTarget, FolderTarget, GatewayTarget
from pointsman.cli.options import ConfigOption, JsonOption, config_path
from pointsman.errors import ConfigError, RequestError

cache_app = typer.Typer(
    help="Look at kept answers, correct and delete them; in a running gateway (--url) or its folder.",
    no_args_is_help=True,
)

UrlOption = Annotated[
    str | None, typer.Option("--url", help="A running gateway, such as http://127.0.0.1:4100.")
]
FolderOption = Annotated[
    Path | None, typer.Option("--folder", help="The cache's folder, no gateway running.")
]
NamespaceOption = Annotated[str | None, typer.Option("--namespace", "-n", help="Only of this namespace.")]
EntryArgument = Annotated[str, typer.Argument(help="Id of the entry, 16 hex digits.")]


@cache_app.command("list")
def list_command(
    url: UrlOption = None,
    folder: FolderOption = None,
    config: ConfigOption = None,
    namespace: NamespaceOption = None,
    after: Annotated[str | None, typer.Option(help="Entries whose ids come after this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List entries by id."""
    with _target(url, folder, config) as target:
        page = target.list_entries(namespace, after, limit)
    if as_json:
        _print_json(page)
        return
    table = Table("id", "namespace", "question", "answer", "model", "hits", "made")
    table.columns[0].no_wrap = True
    for entry in page["data"]:
        table.add_row(
            entry["id"],
            entry["namespace"],
            _short(entry["text"]),
            _short(entry["answer"] or "(calls tools)"),
            entry["model"],
            str(entry["n_hits"]),
            _when(entry["created_s"]),
        )
    Console().print(table)
    if page["has_more"]:
        print(f"more: --after {page['data'][-1]['id']}")


@cache_app.command()
def show(
    entry_id: EntryArgument,
    url: UrlOption = None,
    folder: FolderOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an entry with its whole question and answer."""
    with _target(url, folder, config) as target:
        entry = target.show_entry(entry_id)
    if as_json:
        _print_json(entry)
        return
    console = Console(highlight=False, markup=False)
    for name in (
        "id",
        "namespace",
        "deployment",
        "n_hits",
        "n_right",
        "n_wrong",
        "cost_saved_usd",
        "n_bytes",
    ):
        console.print(f"{name}: {entry[name]}")
    console.print(f"made: {_when(entry['created_s'])}, expires: {_when(entry['expires_s'])}")
    console.print(f"question: {entry['text']}")
    console.print(f"answer: {entry['answer'] or '(calls tools)'}")


@cache_app.command()
def correct(
    entry_id: EntryArgument,
    answer: Annotated[str, typer.Argument(help="The right answer; `-` reads standard input.")],
    url: UrlOption = None,
    folder: FolderOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put other words in an entry's answer."""
    text = sys.stdin.read().strip() if answer == "-" else answer
    if not text:
        raise typer.BadParameter("the answer is empty; `pointsman cache delete` deletes an entry")
    with _target(url, folder, config) as target:
        entry = target.correct_entry(entry_id, text)
    _done(as_json, entry, f"{entry_id} answers now: {_short(text)}")


@cache_app.command()
def delete(
    entry_id: EntryArgument,
    url: UrlOption = None,
    folder: FolderOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete an entry."""
    with _target(url, folder, config) as target:
        target.delete_entry(entry_id)
    _done(as_json, {"id": entry_id, "deleted": True}, f"{entry_id} is deleted")


@cache_app.command()
def clear(
    url: UrlOption = None,
    folder: FolderOption = None,
    config: ConfigOption = None,
    namespace: NamespaceOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Every namespace.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete a namespace's entries, or everything."""
    if (namespace is None) != everything:
        raise typer.BadParameter("name what to clear: either --namespace NAME or --all")
    with _target(url, folder, config) as target:
        n_deleted = target.clear_entries(namespace)
    _done(as_json, {"namespace": namespace, "n_deleted": n_deleted}, f"{n_deleted} entries deleted")


@cache_app.command()
def stats(
    url: UrlOption = None,
    folder: FolderOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count entries, hits by layer and misses by reason (since the cache was opened)."""
    with _target(url, folder, config) as target:
        counted = target.count_entries()
    if as_json:
        _print_json(counted)
        return
    table = Table("what", "seen")
    table.add_row("entries", f"{counted['n_entries']:,} in {counted['n_partitions']:,} partitions")
    table.add_row("memory", f"{counted['n_bytes'] / 2**20:.1f} of {counted['max_bytes'] / 2**20:.0f} MB")
    table.add_row("wrong hits aimed at", f"{counted['aim']:.2%} (target_error {counted['target_error']:.2%})")
    for name in ("hits", "misses", "counts"):
        seen = ", ".join(f"{what} {n:,}" for what, n in counted[name].items() if n)
        table.add_row(name, seen or "none")
    table.add_row(
        "evicted, expired, alarms", f"{counted['n_evicted']}, {counted['n_expired']}, {counted['n_alarms']}"
    )
    Console().print(table)


@contextmanager
def _target(url: str | None, folder: Path | None, config: Path | None) -> Iterator[CacheTarget]:
    """The cache that is meant; what goes wrong with it is a message and exit status 1."""
    if url is not None and folder is not None:
        raise typer.BadParameter("give --url or --folder, not both")
    try:
        target = GatewayTarget(url) if url else FolderTarget(folder, config_path(config))
        with target:
            yield target
    except (RequestError, ConfigError) as error:
        print(f"pointsman cache: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


def _done(as_json: bool, record: Any, said: str) -> None:
    if as_json:
        _print_json(record)
    else:
        print(said)


def _print_json(record: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(record) + b"\n")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"


def _when(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M")
