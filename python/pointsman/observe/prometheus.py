"""Counts what became of requests, for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from pointsman.observe.gauges import Gauges
from pointsman.observe.tallies import Tallies, count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from pointsman.observe.tallies import AnsweredTally
    from pointsman.types import Served, Usage

NOBODY = "none"
"""Label where nobody answered."""


class PrometheusObserver:
    """Counts requests; a scrape also asks `look` how things stand. In a registry of its own. Thread-safe.

    Labels come from the config (models, deployments, providers) and from closed lists (strategies, codes,
    layers of the cache); their number is bounded besides.
    """

    wants_answers = False

    def __init__(self, look: Callable[[], Mapping[str, Any]]) -> None:
        """Make one.

        Args:
            look: How things stand now; see `Gauges`.
        """
        self._tallies = Tallies()
        self._registry = CollectorRegistry()
        self._registry.register(self._tallies)
        self._registry.register(Gauges(look))

    def served(self, served: Served) -> None:
        """Count a request."""
        tallies = self._tallies
        who = (served.model or NOBODY, served.deployment or NOBODY, served.provider or NOBODY)
        cache = served.cache
        with tallies.lock:
            count(tallies.requests, (*who, served.decision.strategy, served.error_code or "ok"))
            outcome = "answered" if served.error_code is None else "failed"
            count(tallies.arms, (served.policy, served.decision.arm or "main", outcome))
            for attempt in served.attempts:
                count(tallies.attempts, (attempt.deployment, attempt.error_code or "ok"))
            count(tallies.cache, (cache.layer or ("off" if cache.reason == "off" else "miss"),))
            if not cache.is_hit and cache.reason not in (None, "off"):
                count(tallies.cache_misses, (cache.reason,))
            tallies.overhead.observe(served.overhead_us * 1e-6)
            tallies.baseline_usd += served.baseline_cost_usd
            if served.deployment is not None:
                _add(tallies.answered_by(who), served)

    def refused(self, code: str) -> None:
        """Count a request that was refused before a decision."""
        with self._tallies.lock:
            count(self._tallies.refused, (code,))

    def feedback(self, outcome: str) -> None:
        """Count feedback that was `taken` or `refused`."""
        with self._tallies.lock:
            count(self._tallies.feedback, (outcome,))

    def render(self, accept: str) -> tuple[bytes, str]:
        """All metrics as text, and its content type, in the format that `accept` asks for."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


def _add(tally: AnsweredTally, served: Served) -> None:
    tally.cost_usd += served.cost_usd
    tally.latency.observe(served.latency_ms * 1e-3)
    if served.ttft_ms is not None:
        tally.ttft.observe(served.ttft_ms * 1e-3)
    if served.usage is not None and not served.cache.is_hit:
        _add_tokens(tally.n_tokens, served.usage)


def _add_tokens(n_tokens: list[int], usage: Usage) -> None:
    n_tokens[0] += usage.n_input_tokens
    n_tokens[1] += usage.n_output_tokens
    n_tokens[2] += usage.n_cached_input_tokens
    n_tokens[3] += usage.n_cache_write_tokens
    n_tokens[4] += usage.n_reasoning_tokens or 0
