"""What watching a request costs: each observer, all of them, a key's check, a budget's hold and settlement.

Usage: python benches/bench_observers.py [N]   (requests a round; default 2000)
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from pointsman.gateway.metrics import standing
from pointsman.keys import Key, Keyring
from pointsman.keys.secret import digest_of, new_key
from pointsman.observe.logs import REQUESTS, JsonFormatter, LogObserver
from pointsman.observe.prometheus import PrometheusObserver
from pointsman.observe.tracing import OpenTelemetryObserver
from pointsman.providers import Answer, ScriptedProvider
from pointsman.router import Router
from pointsman.spend import Allowance, Window
from pointsman.types import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman.types import Served

N_ROUNDS = 7
N_DEPLOYMENTS = 32


def config(folder: str) -> dict[str, Any]:
    """32 deployments at one scripted provider, with a budget that is kept."""
    price = {"input": 0.1, "output": 0.4}
    return {
        "providers": {"one": {"base_url": "http://127.0.0.1:1"}},
        "models": {f"m{n}": {"quality": 0.8, "context_window": 8000} for n in range(N_DEPLOYMENTS)},
        "deployments": [
            {"model": f"m{n}", "provider": "one", "price_usd_per_mtok": price} for n in range(N_DEPLOYMENTS)
        ],
        "budgets": {"path": folder, "total": {"usd": 1000, "period": "month"}},
    }


class Keeper:
    """Keeps what it is told."""

    wants_answers = False

    def __init__(self) -> None:
        self.told: list[Served] = []

    def served(self, served: Served) -> None:
        self.told.append(served)


def us_each(call: Callable[[], Any], n: int) -> float:
    """Microseconds of CPU a call: the best of some rounds, as whatever else runs only adds."""
    best_s = float("inf")
    for _ in range(N_ROUNDS):
        started_s = process_time()
        for _ in range(n):
            call()
        best_s = min(best_s, process_time() - started_s)
    return best_s / n * 1e6


async def one_served(router: Router, body: dict[str, Any], key: Key | None) -> Served:
    """What observers are told of one request."""
    keeper = Keeper()
    router.add_observer(keeper)
    chat = router.parse(body, {}, key=key)
    await router.run(chat, router.decide_request(chat), perf_counter())
    return keeper.told[0]


def log_to_nowhere() -> None:
    """Logs as JSON into a pipe's like that nobody reads, system call included."""
    handler = logging.StreamHandler(open(os.devnull, "w"))  # noqa: SIM115 -- it stays open
    handler.setFormatter(JsonFormatter())
    log = logging.getLogger(REQUESTS)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def measure(n: int, folder: str) -> dict[str, float]:
    """Microseconds of CPU a request, by what is done."""
    usage = Usage(n_input_tokens=100, n_output_tokens=50)
    router = Router.from_config(
        config(folder), providers={"one": ScriptedProvider("one", [Answer("ok", usage=usage)])}
    )
    key_id, secret = new_key()
    allowance = Allowance(100.0, Window(period="day"))
    key = Key(
        key_id=key_id, digest=digest_of(secret, b"p"), tenant="a", budgets=(allowance,), tokens_per_min=10**9
    )
    keyring = Keyring([key], b"p")
    body = {"model": "auto", "messages": [{"role": "user", "content": "Is water wet?"}], "max_tokens": 100}
    served = asyncio.run(one_served(router, body, key))
    prometheus = PrometheusObserver(lambda: standing(router))
    spans, logs = OpenTelemetryObserver(), LogObserver()
    log_to_nowhere()
    chat = router.parse(body, {}, key=key)
    decision, wiring = router.decide_request(chat), router._wirings.current()
    now_s = time.time()

    def hold_and_settle() -> None:
        router.admission.admit(chat, decision, wiring).settle(1e-5, usage)

    found = {
        "Prometheus": us_each(lambda: prometheus.served(served), n),
        "JSON log line": us_each(lambda: logs.served(served), n),
        "OpenTelemetry, no SDK": us_each(lambda: spans.served(served), n),
    }
    found["all observers"] = sum(found.values())
    found["key check"] = us_each(lambda: keyring.check(secret, now_s), n)
    found["budget hold and settlement, 2 accounts, kept"] = us_each(hold_and_settle, n)
    found["a scrape of /metrics"] = us_each(lambda: prometheus.render(""), max(n // 100, 1))
    if (sdk := with_sdk(spans, served, n)) is not None:
        found["OpenTelemetry, SDK without exporter"] = sdk
    return found


def with_sdk(observer: OpenTelemetryObserver, served: Served, n: int) -> float | None:
    """The same with an SDK that exports to nobody, where it is installed."""
    try:
        from opentelemetry.sdk.trace import TracerProvider
    except ModuleNotFoundError:
        return None
    trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
    return us_each(lambda: observer.served(served), n)


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as folder:
        found = measure(n, str(Path(folder) / "spend"))
    for what, us in found.items():
        print(f"{what:48} {us:8.1f} us of CPU")


if __name__ == "__main__":
    main()
