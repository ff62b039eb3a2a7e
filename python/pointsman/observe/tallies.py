"""Sums that requests move, kept as plain numbers and made into Prometheus metrics at a scrape.

`prometheus_client`'s own counters take a lock each and its histograms walk over their buckets; here one lock
a request and a bisection do.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

LATENCY_S = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)
TTFT_S = (0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 4, 8, 15, 30)
OVERHEAD_S = (5e-5, 1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2.5e-2, 0.1, 0.5)
TOKEN_TYPES = ("input", "output", "cached_input", "cache_write", "reasoning")
WHO = ("model", "deployment", "provider")
# Label sets of one metric; a config that is reloaded with other names for ever must not fill the memory.
MAX_LABEL_SETS = 2000
OTHER = "other"

Labels = tuple[str, ...]
T = TypeVar("T")


class Buckets:
    """A histogram: how many values fell into each bucket, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Values up to each bound, as Prometheus has them."""
        bounds = [*map(str, map(float, self.bounds)), "+Inf"]
        return list(zip(bounds, map(float, accumulate(self.counts)), strict=True))


class AnsweredTally:
    """What the answers of one deployment came to."""

    __slots__ = ("cost_usd", "latency", "n_tokens", "ttft")

    def __init__(self) -> None:
        self.cost_usd = 0.0
        self.latency = Buckets(LATENCY_S)
        self.ttft = Buckets(TTFT_S)
        self.n_tokens = [0] * len(TOKEN_TYPES)


class Tallies(Collector):
    """All that is counted. Whoever changes it holds `lock`.

    Attributes:
        lock: Held while anything is changed or told.
        requests: By model, deployment, provider, strategy and code.
        attempts: By deployment and code.
        cache: By layer.
        cache_misses: By reason.
        refused: By code.
        feedback: By outcome.
        arms: By policy, arm and whether it was answered.
        answered: By model, deployment and provider.
        overhead: In seconds.
        baseline_usd: US dollars.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.requests: dict[Labels, int] = {}
        self.attempts: dict[Labels, int] = {}
        self.cache: dict[Labels, int] = {}
        self.cache_misses: dict[Labels, int] = {}
        self.refused: dict[Labels, int] = {}
        self.feedback: dict[Labels, int] = {}
        self.arms: dict[Labels, int] = {}
        self.answered: dict[Labels, AnsweredTally] = {}
        self.overhead = Buckets(OVERHEAD_S)
        self.baseline_usd = 0.0

    def answered_by(self, who: Labels) -> AnsweredTally:
        """The tally of a model, deployment and provider."""
        found = self.answered.get(who)
        if found is None:
            who = bounded(self.answered, who)
            found = self.answered.setdefault(who, AnsweredTally())
        return found

    def describe(self) -> Iterable[Metric]:
        """The metrics, none of them with a value."""
        return Tallies().collect()

    def collect(self) -> Iterable[Metric]:
        """The metrics as they stand."""
        with self.lock:
            return [*self._counters(), *self._of_answers(), *self._histograms()]

    def _counters(self) -> Iterator[Metric]:
        who = (*WHO, "strategy", "code")
        yield _counter("requests", "Requests that were decided, by what became of them.", who, self.requests)
        yield _counter("attempts", "Calls, by what became of them.", ("deployment", "code"), self.attempts)
        yield _counter("cache_requests", "Requests by what the cache did.", ("layer",), self.cache)
        said = "Requests that no kept answer served, by why."
        yield _counter("cache_misses", said, ("reason",), self.cache_misses)
        yield _counter("refused_requests", "Requests refused before a decision.", ("code",), self.refused)
        yield _counter("feedback", "Feedback, by whether it was taken.", ("outcome",), self.feedback)
        labels = ("policy", "arm", "outcome")
        yield _counter("policy_requests", "Requests by the version that decided.", labels, self.arms)
        said = "What the baseline would have cost for the same tokens, US dollars."
        yield _counter("baseline_cost_usd", said, (), {(): self.baseline_usd})

    def _of_answers(self) -> Iterator[Metric]:
        costs = {who: tally.cost_usd for who, tally in self.answered.items()}
        yield _counter("cost_usd", "What requests cost, US dollars.", WHO, costs)
        tokens = {
            (*who, kind): n
            for who, tally in self.answered.items()
            for kind, n in zip(TOKEN_TYPES, tally.n_tokens, strict=True)
        }
        yield _counter("tokens", "Tokens of answers that models made, by type.", (*WHO, "type"), tokens)

    def _histograms(self) -> Iterator[Metric]:
        said = "From the request to the last token."
        latencies = {who: tally.latency for who, tally in self.answered.items()}
        yield _histogram("request_duration_seconds", said, WHO, latencies)
        said = "From the request to the first token, of streams."
        firsts = {who: tally.ttft for who, tally in self.answered.items()}
        yield _histogram("time_to_first_token_seconds", said, WHO, firsts)
        said = "The part of a request's time spent in pointsman."
        yield _histogram("overhead_seconds", said, (), {(): self.overhead})


def count(table: dict[Labels, int], labels: Labels) -> None:
    """Add one to the number of these labels; beyond a bound on their number, to that of `other`."""
    n = table.get(labels)
    if n is None:
        labels = bounded(table, labels)
        n = table.get(labels, 0)
    table[labels] = n + 1


def bounded(table: Mapping[Labels, T], labels: Labels) -> Labels:
    """New labels, or `other` in their place when there are too many already."""
    return labels if len(table) < MAX_LABEL_SETS else (OTHER,) * len(labels)


def _counter(name: str, said: str, labels: Sequence[str], values: Mapping[Labels, float]) -> Metric:
    family = CounterMetricFamily(f"pointsman_{name}", said, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _histogram(name: str, said: str, labels: Sequence[str], values: Mapping[Labels, Buckets]) -> Metric:
    family = HistogramMetricFamily(f"pointsman_{name}", said, labels=labels)
    for key, buckets in values.items():
        family.add_metric(key, buckets.cumulative(), buckets.total)
    return family
