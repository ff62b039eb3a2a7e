"""Scenarios that come with the package: what providers do to their clients, each under a name.

`pointsman simulate --list` prints them; `pointsman simulate --scenario NAME` serves one. Every scenario has
three providers: alpha (cheap and quick), beta (the middle), gamma (dear and slow), all with the models
small-1 and large-1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pointsman.simulate.script import parse_script

if TYPE_CHECKING:
    from pointsman.simulate.script import Script

_BASE: dict[str, dict[str, Any]] = {
    "alpha": {
        "latency": {"ttft_p50_ms": 120, "ttft_p95_ms": 300, "tokens_per_s": 150, "tokens_per_s_p5": 90}
    },
    "beta": {"latency": {"ttft_p50_ms": 200, "ttft_p95_ms": 500, "tokens_per_s": 110, "tokens_per_s_p5": 60}},
    "gamma": {"latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80, "tokens_per_s_p5": 45}},
}
_PRICES = {"alpha": (0.1, 0.4), "beta": (0.5, 1.5), "gamma": (2.5, 10.0)}


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named script.

    Attributes:
        shows: What it is good for, in one sentence.
        changes: What its providers have beyond the base, by provider.
    """

    shows: str
    changes: dict[str, dict[str, Any]]

    def script(self, seed: int = 0) -> Script:
        """The script, with this seed."""
        providers = {}
        for name, base in _BASE.items():
            per_input, per_output = _PRICES[name]
            price = {"input": per_input, "output": per_output}
            models = {
                "small-1": {"price_usd_per_mtok": price, "quality": 0.6},
                "large-1": {
                    "price_usd_per_mtok": {key: 4 * usd for key, usd in price.items()},
                    "quality": 0.9,
                },
            }
            own = self.changes.get(name, {})
            latency = {**base["latency"], **own.get("latency", {})}
            providers[name] = {"models": models, **own, "latency": latency}
        return parse_script({"seed": seed, "providers": providers}, source="scenario")


def _all(**settings: Any) -> dict[str, dict[str, Any]]:
    return {name: settings for name in _BASE}


SCENARIOS: dict[str, Scenario] = {
    "calm": Scenario("nothing goes wrong", {}),
    "limits": Scenario(
        "quotas with rate-limit headers; beyond them 429 with Retry-After",
        {
            "alpha": {"quota": {"requests_per_minute": 60, "tokens_per_minute": 5000}},
            "beta": {"quota": {"concurrent": 4}},
        },
    ),
    "bursts": Scenario(
        "alpha fails twenty calls in a row, now and then",
        {"alpha": {"faults": [{"kind": "unavailable", "p": 0.01, "burst": 20}]}},
    ),
    "slow-start": Scenario(
        "one first token in ten comes 4 s late",
        _all(faults=[{"kind": "slow_first_token", "p": 0.1, "delay_s": 4}]),
    ),
    "cuts": Scenario(
        "streams break, end too soon, fall silent, carry errors or broken JSON",
        _all(faults=dict.fromkeys(("truncate", "no_finish", "idle", "error_event", "malformed"), 0.04)),
    ),
    "silence": Scenario(
        "calls that hang, connections that close at once", _all(faults={"hang": 0.03, "disconnect": 0.05})
    ),
    "heavy-tail": Scenario(
        "one first token in fifty takes a Pareto multiple; one stream in fifty stalls",
        _all(latency={"tail": {"p": 0.02, "shape": 1.1}, "stall": {"p": 0.02, "mean_s": 5}}),
    ),
    "liars": Scenario(
        "errors inside a 200, usage that does not add up or is missing, no [DONE]",
        _all(faults=dict.fromkeys(("error_body", "empty", "wrong_usage", "no_usage", "no_done"), 0.05)),
    ),
    "degrading": Scenario(
        "alpha: 15 % failures from 30 s on, a tenth of its pace from 60 s to 90 s, dearer from 90 s on",
        {
            "alpha": {
                "timeline": [
                    {"at_s": 30, "faults": {"server_error": 0.15}},
                    {"at_s": 60, "until_s": 90, "latency": {"tokens_per_s": 15, "tokens_per_s_p5": 9}},
                    {"at_s": 90, "price_usd_per_mtok": {"small-1": {"input": 1, "output": 4}}},
                ]
            }
        },
    ),
    "outage": Scenario(
        "all providers are down from 20 s to 40 s",
        _all(timeline=[{"at_s": 20, "until_s": 40, "faults": {"unavailable": 1}}]),
    ),
    "chaos": Scenario(
        "a little of everything, with counted answers (`check_counted` finds lost and repeated tokens)",
        _all(
            answer={"kind": "counted", "tokens_p50": 60, "tokens_p95": 300},
            faults=dict.fromkeys(
                (
                    "rate_limited",
                    "server_error",
                    "disconnect",
                    "truncate",
                    "idle",
                    "error_event",
                    "malformed",
                ),
                0.02,
            ),
            latency={"tail": {"p": 0.01}, "stall": {"p": 0.01, "mean_s": 2}},
        ),
    ),
}
"""Every scenario by name."""
