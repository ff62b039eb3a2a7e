"""What stands now, read at each scrape: the cache, the log, the budgets, the health of deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from prometheus_client.core import Metric

_SAID: dict[str, tuple[type[CounterMetricFamily] | type[GaugeMetricFamily], str, tuple[str, ...]]] = {
    "info": (GaugeMetricFamily, "1; its labels say what runs.", ("version", "config_version")),
    "deployments": (GaugeMetricFamily, "Deployments that may be chosen.", ()),
    "cache_entries": (GaugeMetricFamily, "Answers that are kept.", ()),
    "cache_bytes": (GaugeMetricFamily, "Memory the cache takes.", ()),
    "cache_events": (CounterMetricFamily, "What happened in the cache.", ("event",)),
    "cache_evicted": (CounterMetricFamily, "Answers evicted for room before their time.", ()),
    "cache_expired": (CounterMetricFamily, "Answers removed because their time was over.", ()),
    "cache_target_error": (GaugeMetricFamily, "Share of hits that may be wrong, less what alarms took.", ()),
    "store_events": (CounterMetricFamily, "What happened in the decision log.", ("event",)),
    "budget_limit_usd": (GaugeMetricFamily, "Limit of a budget, US dollars.", ("scope", "window")),
    "budget_used_usd": (
        GaugeMetricFamily,
        "Spent and held of a budget, US dollars.",
        ("scope", "window"),
    ),
    "budget_price": (GaugeMetricFamily, "How much more a dollar of it weighs.", ("scope", "window")),
    "deployment_calls": (GaugeMetricFamily, "Calls of a deployment under way.", ("deployment",)),
    "deployment_calls_limit": (
        GaugeMetricFamily,
        "Calls of a deployment that may be under way; not told where it is unlimited.",
        ("deployment",),
    ),
    "canary_share": (GaugeMetricFamily, "Share of a policy's sessions that its canary decides.", ("policy",)),
    "canary_e_value": (GaugeMetricFamily, "Evidence that the canary is worse.", ("policy", "measure")),
    "canary_sessions": (GaugeMetricFamily, "Sessions the canary is judged by.", ("policy", "arm")),
    "shadow_requests": (CounterMetricFamily, "Requests a shadow was asked.", ("policy", "choice")),
    "rollbacks": (CounterMetricFamily, "Canaries this process took back.", ("policy",)),
    "deployment_state": (GaugeMetricFamily, "1 for the state a deployment is in.", ("deployment", "state")),
}


class Gauges(Collector):
    """Asks how things stand, and says it as metrics."""

    def __init__(self, look: Callable[[], Mapping[str, Any]]) -> None:
        """Make one.

        Args:
            look: By name of a metric in `_SAID`, a number, or a mapping of label values (a string or a tuple
                of them) to numbers. Names that are left out are not told.
        """
        self._look = look

    def describe(self) -> Iterable[Metric]:
        """Nothing: what stands is known at a scrape."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The metrics as they stand."""
        for name, value in self._look().items():
            kind, said, labels = _SAID[name]
            family = kind(f"pointsman_{name}", said, labels=labels)
            values = value if labels else {(): value}
            for key, number in values.items():
                family.add_metric([key] if isinstance(key, str) else list(key), number)
            yield family
