"""Plays the set against a cache and scores it, the same way for every cache."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Rows = list[list]
Report = dict[str, object]


class Contestant(Protocol):
    """A cache. `identity` stands for what came before the text in its conversation; a cache may ignore it."""

    name: str

    def restart(self) -> None:
        """Forget everything."""

    def ask(self, text: str, identity: str) -> int | None:
        """The answer it would serve, or None for a miss."""

    def store(self, text: str, identity: str, answer: int) -> None:
        """Remember the answer to `text`."""

    def debt_s(self) -> float:
        """Seconds of work that a memo saved since the last call: added to the time of the lookup."""


def play(contestant: Contestant, pairs: Rows, stream: Rows, followups: Rows) -> Report:
    """The contestant's report: pairs, stream, follow-ups, with the names of `eval-cache --json`."""
    return {
        "name": contestant.name,
        "pairs": play_pairs(contestant, pairs),
        "stream": play_stream(contestant, [(text, "", answer) for text, answer, *_ in stream]),
        "followups": play_stream(contestant, [(text, identity, n) for _, text, identity, n, *_ in followups]),
    }


def play_pairs(contestant: Contestant, pairs: Rows) -> Report:
    """Each pair alone in an empty cache: `a` is stored, `b` is asked.

    Rows are wide: [a, b, same?, source, family, language, template, kind].
    """
    served = []
    for a, b, *_ in pairs:
        contestant.restart()
        contestant.store(a, "", 0)
        served.append(contestant.ask(b, "") is not None)
    return {
        **_rates(pairs, served),
        "by_family": _grouped(pairs, served, lambda row: row[4]),
        "by_language": _grouped(pairs, served, lambda row: row[5]),
        "by_kind": _grouped(pairs, served, lambda row: row[7]),
    }


def _grouped(pairs: Rows, served: list[bool], key: Callable[[list], str]) -> dict[str, Report]:
    groups: dict[str, tuple[list, list[bool]]] = defaultdict(lambda: ([], []))
    for row, hit in zip(pairs, served, strict=True):
        rows, hits = groups[key(row)]
        rows.append(row)
        hits.append(hit)
    return {name: _rates(*groups[name]) for name in sorted(groups)}


def _rates(pairs: Rows, served: list[bool]) -> Report:
    right = [hit for row, hit in zip(pairs, served, strict=True) if row[2]]
    wrong = [hit for row, hit in zip(pairs, served, strict=True) if not row[2]]
    return {"n": len(pairs), "recall": _share(right), "false_rate": _share(wrong)}


def _share(hits: list[bool]) -> float:
    return sum(hits) / len(hits) if hits else 0.0


def play_stream(contestant: Contestant, requests: Sequence[tuple[str, str, int]]) -> Report:
    """The requests (text, identity, right answer) in order; a miss stores the right answer."""
    contestant.restart()
    took_us, n_hits, n_false = [], 0, 0
    for text, identity, answer in requests:
        contestant.debt_s()
        start = time.perf_counter()
        got = contestant.ask(text, identity)
        took_us.append((time.perf_counter() - start + contestant.debt_s()) * 1e6)
        if got is None:
            contestant.store(text, identity, answer)
        else:
            n_hits += 1
            n_false += got != answer
    took_us.sort()
    n = len(requests)
    return {
        "n": n,
        "hit_rate": n_hits / n,
        "false_hit_rate": n_false / n,
        "false_per_hit": n_false / n_hits if n_hits else 0.0,
        "lookup_us": {"p50": took_us[n // 2], "p99": took_us[n * 99 // 100]},
    }
