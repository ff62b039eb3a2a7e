"""The scores of `pointsman eval-cache`: the cache as it ships, fed with labelled texts."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from pointsman._native import Cache, Hit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pointsman.cli.cache_files import Pair, Request

_LAYERS = ("exact", "normalised", "canonical", "semantic")
# Nothing expires while a file is scored.
_NOW_S = 1_700_000_000.0
_NAMESPACE = "eval-cache"


def score_pairs(pairs: Iterable[Pair], target_error: float) -> dict[str, Any]:
    """`n`, `recall` of the same pairs, `false_rate` of the others, and by family; `None` where none are."""
    served: defaultdict[tuple[str, bool], list[bool]] = defaultdict(list)
    for pair in pairs:
        cache = Cache(target_error=target_error, audit_rate=0.0)
        cache.insert(_partition(""), pair.stored, b"", now_s=_NOW_S, namespace=_NAMESPACE)
        is_hit = isinstance(cache.lookup(_partition(""), pair.asked, now_s=_NOW_S), Hit)
        served[pair.family, pair.is_same].append(is_hit)
    families = sorted({family for family, _ in served})
    return {
        "n": sum(map(len, served.values())),
        "recall": _share(hit for (_, is_same), hits in served.items() if is_same for hit in hits),
        "false_rate": _share(hit for (_, is_same), hits in served.items() if not is_same for hit in hits),
        "by_family": {
            family: {
                "n": len(served[family, True]) + len(served[family, False]),
                "recall": _share(served[family, True]),
                "false_rate": _share(served[family, False]),
            }
            for family in families
        },
    }


def score_stream(requests: Iterable[Request], target_error: float) -> dict[str, Any]:
    """Hits as shares of all requests, false ones also as a share of hits, and microseconds a lookup.

    A hit is false if it was stored for another class. Different conversations never share an answer.
    """
    cache = Cache(target_error=target_error, audit_rate=0.0)
    layers: Counter[str] = Counter()
    times_us: list[float] = []
    n_false = 0
    for request in requests:
        partition = _partition(request.conversation)
        start_ns = time.perf_counter_ns()
        found = cache.lookup(partition, request.text, now_s=_NOW_S)
        times_us.append((time.perf_counter_ns() - start_ns) / 1000)
        answer = request.answer_class.encode()
        if isinstance(found, Hit):
            layers[found.layer] += 1
            n_false += found.answer != answer
        else:
            cache.insert(partition, request.text, answer, now_s=_NOW_S, namespace=_NAMESPACE)
    n, n_hits = len(times_us), layers.total()
    return {
        "n": n,
        "hit_rate": n_hits / n,
        "by_layer": {layer: layers[layer] / n for layer in _LAYERS},
        "false_hit_rate": n_false / n,
        "false_per_hit": n_false / n_hits if n_hits else 0.0,
        "lookup_us": _percentiles(times_us),
    }


def _partition(conversation: str) -> bytes:
    return hashlib.blake2b(conversation.encode(), digest_size=16).digest()


def _share(hits: Iterable[bool]) -> float | None:
    values = list(hits)
    return sum(values) / len(values) if values else None


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        name: round(ordered[int(share * (len(ordered) - 1))], 2)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }
