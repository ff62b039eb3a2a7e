"""`pointsman bench cache`: how fast the cache answers, and what an entry takes, on this machine."""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from pointsman._native import Cache
from pointsman.cli.bench_prompts import prompts
from pointsman.cli.options import JsonOption  # noqa: TC001 - typer reads the annotation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_T = TypeVar("_T")
NOW_S = 1_700_000_000.0
N_ENTRIES = (1_000, 10_000, 100_000)
N_BYTES = 1024
_N_TIMED = 2000
_ANSWER = b"x" * 512
_PARTITION = bytes(16)


def cache(
    as_json: JsonOption = False,
    quick: Annotated[bool, typer.Option("--quick", help="1,000 and 10,000 entries, fewer calls.")] = False,
) -> None:
    """Time look-ups of 1 KB prompts through Python, embedding and guard included; bytes an entry."""
    sizes, n_timed = (N_ENTRIES[:2], _N_TIMED // 4) if quick else (N_ENTRIES, _N_TIMED)
    rows = [measure(n, n_timed) for n in sizes]
    small = small_partitions(max(sizes))
    if as_json:
        print(json.dumps({"sizes": rows, "small_partitions": small}))
    else:
        _show(rows, small)


def measure(n_entries: int, n_timed: int) -> dict[str, Any]:
    """One row: a partition of `n_entries`: filled, asked for what it has and has not, saved, restored.

    Near look-ups and those of `lookup_many` are of prompts never seen before, each asked once; those alike
    are stored prompts behind words that say nothing, so that vectors, guard and posterior decide.
    """
    texts = prompts(N_BYTES)
    stored = list(islice(texts, n_entries))
    made = Cache(max_bytes=1 << 34)
    inserts = _ns_each(
        lambda text: made.insert(_PARTITION, text, _ANSWER, now_s=NOW_S, namespace="b"), stored
    )
    step = max(1, n_entries // n_timed)
    exact = _ns_each(lambda text: made.lookup(_PARTITION, text, now_s=NOW_S), stored[::step])
    near = _ns_each(lambda text: made.lookup(_PARTITION, text, now_s=NOW_S), islice(texts, n_timed))
    alike = _ns_each(
        lambda text: made.lookup(_PARTITION, text, now_s=NOW_S),
        [f"Tell me: {text}" for text in stored[::step]],
    )
    new = list(islice(texts, n_timed))
    _, many_s = _timed(lambda: made.lookup_many(_PARTITION, new, now_s=NOW_S))
    made.take_journal()
    n_bytes = made.stats().n_bytes
    snapshot, snapshot_s = _timed(made.snapshot)
    _, restore_s = _timed(lambda: Cache.restore(snapshot, b"", now_s=NOW_S, max_bytes=1 << 34))
    return {
        "n_entries": n_entries,
        "prompt_bytes": N_BYTES,
        **{f"exact_{name}": value for name, value in _percentiles(exact).items()},
        **{f"near_{name}": value for name, value in _percentiles(near).items()},
        **{f"alike_{name}": value for name, value in _percentiles(alike).items()},
        "near_many_us_each": round(1e6 * many_s / len(new), 2),
        "inserts_per_s": _sustained_per_s(inserts),
        "state_bytes_per_entry": round(n_bytes / n_entries) - N_BYTES - len(_ANSWER),
        "snapshot_s": round(snapshot_s, 3),
        "restore_s": round(restore_s, 3),
    }


def _sustained_per_s(taken_ns: list[int]) -> int:
    """Calls a second in the last tenth, when the partition is nearly full."""
    last = taken_ns[-max(1, len(taken_ns) // 10) :]
    return round(1e9 * len(last) / sum(last))


def small_partitions(n: int) -> dict[str, int]:
    """What `n` partitions of one entry each take."""
    made = Cache(max_bytes=1 << 34)
    for number in range(n):
        made.insert(number.to_bytes(16, "little"), "What is it?", b"This.", now_s=NOW_S, namespace="b")
    made.take_journal()
    return {"n_partitions": n, "state_bytes_per_entry": made.stats().n_bytes // n}


def _ns_each(call: Callable[[str], object], texts: Iterable[str]) -> list[int]:
    taken = []
    for text in texts:
        start = time.perf_counter_ns()
        call(text)
        taken.append(time.perf_counter_ns() - start)
    return taken


def _timed(call: Callable[[], _T]) -> tuple[_T, float]:
    start = time.perf_counter()
    return call(), time.perf_counter() - start


def _percentiles(taken_ns: list[int]) -> dict[str, float]:
    taken = sorted(taken_ns)
    return {f"p{q}_us": round(taken[len(taken) * q // 100] / 1000, 2) for q in (50, 90, 99)}


def _show(rows: list[dict[str, Any]], small: dict[str, int]) -> None:
    table = Table(title="One look-up of a 1 KB prompt, in microseconds")
    columns = {
        "entries": "n_entries",
        "exact p50": "exact_p50_us",
        "exact p99": "exact_p99_us",
        "near p50": "near_p50_us",
        "near p99": "near_p99_us",
        "alike p50": "alike_p50_us",
        "alike p99": "alike_p99_us",
        "near, many": "near_many_us_each",
        "inserts /s": "inserts_per_s",
        "state bytes an entry": "state_bytes_per_entry",
        "restore s": "restore_s",
    }
    for name in columns:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(f"{row[key]:,}" for key in columns.values()))
    console = Console()
    console.print(table)
    console.print(
        f"{small['n_partitions']:,} partitions of 1: {small['state_bytes_per_entry']} bytes an entry"
    )
    console.print("state: all but prompt and answer; near: never seen, asked once")
    console.print("alike: stored, with 'Tell me:' before it; embedding, graph, guard and posterior decide")
    console.print("many: each of one lookup_many; inserts: the last tenth, into a partition nearly full")
    console.print(f"command: {' '.join(['pointsman', *sys.argv[1:]])}")
