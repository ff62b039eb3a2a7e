"""What gateways cost a request, in one run: pointsman, LiteLLM, Portkey and TensorZero's embedded one.

    make peer-gateways
    python benches/peers/gateways.py [--rounds 3] [--window-s 5] [--concurrency 1 32 256] [--only NAME ...]

Every gateway passes the same 0.5 kB chat on to the same loopback provider; one at a time is loaded, pinned to
core 0, while load generator and provider share core 1. pointsman decides among 32 deployments, LiteLLM picks
among 32 of one group, the others pass on. A peer that is not installed in `benches/peers/.gateways`, or does
not answer, is left out with a message. Exit status 1 if requests failed, or pointsman's CPU at concurrency 32
is above 1/40 of LiteLLM's.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench_gateway import PACKAGES, PATH, body, figures, pointsman_config
from harness import LOAD_CORE, ROOT, SERVER_CORE, Served, facts, free_port, serve, spread
from load import Measured, Target, run_load
from pointsman.cli.demo.processes import serve_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent / ".gateways"
LITELLM = HERE / "venv/bin/litellm"
PORTKEY = HERE / "node_modules/@portkey-ai/gateway/build/start-server.js"
LITELLM_SETTINGS = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # no network
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # like us on the loopback: no keys
}
N_DEPLOYMENTS = 32
MAX_RATIO = 1 / 40
"""Most of LiteLLM's CPU a request that ours may be, at concurrency 32."""


class NotInstalled(Exception):
    """The peer is not here."""


@dataclass(frozen=True)
class Contestant:
    """A running gateway and how it wants to be asked."""

    served: Served
    model: str = "auto"
    path: str = PATH
    headers: dict[str, str] = field(default_factory=dict)

    def target(self, *, stream: bool) -> Target:
        asked = json.loads(body(stream=stream)) | {"model": self.model}
        data = json.dumps(asked, separators=(",", ":")).encode()
        return Target(self.served.port, self.path, data, stream, self.headers)


@contextlib.contextmanager
def pointsman(upstream: int, scratch: Path) -> Iterator[Contestant]:
    config, port = scratch / "pointsman.yaml", free_port()
    config.write_text(json.dumps(pointsman_config(upstream, N_DEPLOYMENTS)))  # JSON is YAML
    command = serve_command(config, port)
    with serve("pointsman", command, port=port, core=SERVER_CORE, ready_path="/health/ready") as served:
        yield Contestant(served)


@contextlib.contextmanager
def litellm(upstream: int, scratch: Path) -> Iterator[Contestant]:
    if not LITELLM.exists():
        raise NotInstalled
    parameters = {
        "model": "openai/loopback-1",
        "api_base": f"http://127.0.0.1:{upstream}/v1",
        "api_key": "bench",
    }
    deployment = {"model_name": "group", "litellm_params": parameters}
    config, port = scratch / "litellm.yaml", free_port()
    config.write_text(json.dumps({"model_list": [deployment] * N_DEPLOYMENTS}))
    command = [str(LITELLM), "--config", str(config), "--port", str(port), "--num_workers", "1"]
    command += ["--telemetry", "False"]
    settings = {"port": port, "core": SERVER_CORE, "ready_path": "/health/liveliness", "start_timeout_s": 120}
    with serve("LiteLLM", command, env=LITELLM_SETTINGS, **settings) as served:
        yield Contestant(served, "group")


@contextlib.contextmanager
def portkey(upstream: int, scratch: Path) -> Iterator[Contestant]:
    if not PORTKEY.exists():
        raise NotInstalled
    port = free_port()
    command = ["node", str(PORTKEY), f"--port={port}", "--headless"]
    headers = {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1",
    }
    with serve("Portkey", command, port=port, core=SERVER_CORE, ready_path="/") as served:
        yield Contestant(served, "loopback-1", headers=headers)


@contextlib.contextmanager
def tensorzero(upstream: int, scratch: Path) -> Iterator[Contestant]:
    """Its embedded gateway chooses a port itself and says where it is."""
    if not list(HERE.glob("venv/lib/*/site-packages/tensorzero")):
        raise NotInstalled
    config, said = scratch / "tensorzero.toml", scratch / "tensorzero.url"
    config.write_text(
        "[gateway]\nobservability.enabled = false\n[models.loopback]\nrouting = ['up']\n"
        "[models.loopback.providers.up]\ntype = 'openai'\nmodel_name = 'loopback-1'\n"
        f"api_base = 'http://127.0.0.1:{upstream}/v1/'\napi_key_location = 'env::BENCH_KEY'\n"
    )
    script = Path(__file__).with_name("tensorzero_gateway.py")
    said.touch()
    command = [str(HERE / "venv/bin/python"), "-W", "ignore", str(script), str(config), str(said)]
    with serve("TensorZero", command, port=upstream, core=SERVER_CORE, env={"BENCH_KEY": "x"}) as started:
        ends_s = time.monotonic() + 60
        while not (url := said.read_text()) and time.monotonic() < ends_s:
            time.sleep(0.1)
        if not url:
            raise SystemExit("TensorZero said nothing within 60 s")
        _, _, rest = url.partition("://")
        host, _, path = rest.rstrip("/").partition("/")
        served = Served("TensorZero", int(host.rpartition(":")[2]), started.pid)
        yield Contestant(served, "tensorzero::model_name::loopback", f"/{path}/chat/completions")


GATEWAYS: list[Callable[[int, Path], contextlib.AbstractContextManager[Contestant]]] = [
    pointsman,
    litellm,
    portkey,
    tensorzero,
]


def answers(contestant: Contestant, *, stream: bool) -> bool:
    """Whether it answers one request before the clock runs: a bench of errors would be worth nothing."""
    target, name = contestant.target(stream=stream), contestant.served.name
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=30)
    headers = {"content-type": "application/json", "authorization": "Bearer x", **target.headers}
    connection.request("POST", target.path, target.body, headers)
    response = connection.getresponse()
    text = response.read().decode(errors="replace")
    if response.status != 200:
        kind = "streams" if stream else "whole answers"
        print(f"{name}: {kind} left out, it answered {response.status}: {text[:200]}", file=sys.stderr)
    return response.status == 200


def load(
    contestant: Contestant, *, stream: bool, concurrency: int, options: argparse.Namespace
) -> Measured | None:
    """One window, longer for a peer that answers too little in it; `None` for one that does not even so."""
    name, window_s, longest_s = contestant.served.name, options.window_s, options.longest_s
    while True:
        try:
            done = run_load(
                contestant.target(stream=stream),
                concurrency=concurrency,
                warm_up_s=options.window_s / 4,
                window_s=window_s,
                probe=contestant.served.cpu_s,
            )
        except SystemExit as failure:
            if name in ("direct", "pointsman"):
                raise
            print(f"{name} at {concurrency}: left out, {failure}", file=sys.stderr)
            return None
        # CPU of a few whole requests and many begun ones says nothing of a request.
        if done.n_requests >= 2 * concurrency:
            return done
        if window_s >= longest_s:
            why = f"{done.n_requests} answers in {window_s:.0f} s; give more --longest-s"
            print(f"{name} at {concurrency}: left out, {why}", file=sys.stderr)
            return None
        window_s = min(3 * window_s * concurrency / max(done.n_requests, 1), longest_s)


def measure(options: argparse.Namespace) -> list[dict]:
    """One row a (stream, concurrency, gateway), each with its rounds; the direct call first."""
    os.sched_setaffinity(0, {LOAD_CORE % (os.cpu_count() or 1)})
    cells: dict[tuple[bool, int, str], list[dict]] = {}
    with contextlib.ExitStack() as stack:
        scratch, upstream = Path(stack.enter_context(tempfile.TemporaryDirectory())), free_port()
        command = [sys.executable, str(ROOT / "benches/loopback_upstream.py"), "--port", str(upstream)]
        found = [Contestant(stack.enter_context(serve("direct", command, port=upstream, core=LOAD_CORE)))]
        for start in (each for each in GATEWAYS if each.__name__ in options.only):
            try:
                found.append(stack.enter_context(start(upstream, scratch)))
            except SystemExit as failure:
                print(f"{start.__name__}: left out, {str(failure)[-300:]}", file=sys.stderr)
            except NotInstalled:
                print(
                    f"{start.__name__}: not installed in {HERE.name}, left out; make peer-gateways",
                    file=sys.stderr,
                )
        able = {stream: [each for each in found if answers(each, stream=stream)] for stream in (False, True)}
        for _ in range(options.rounds):
            for stream in (False, True):
                for concurrency in options.concurrency:
                    for each in able[stream]:
                        key = (stream, concurrency, each.served.name)
                        if done := load(each, stream=stream, concurrency=concurrency, options=options):
                            cells.setdefault(key, []).append(figures(done))
    return [
        {"stream": stream, "concurrency": concurrency, "gateway": name, "rounds": rounds}
        for (stream, concurrency, name), rounds in cells.items()
    ]


def median(rows: list[dict], row: dict, gateway: str, key: str) -> float:
    """The median of another gateway's rounds under the conditions of `row`; NaN without it."""
    for other in rows:
        if (other["stream"], other["concurrency"], other["gateway"]) == (
            row["stream"],
            row["concurrency"],
            gateway,
        ):
            return statistics.median(each[key] for each in other["rounds"])
    return float("nan")


def show(rows: list[dict], about: dict[str, str]) -> None:
    """Print one table a kind of answer."""
    for name, value in about.items():
        print(f"{name:9} {value}")
    head = f"{'':>4} {'gateway':12} {'CPU us/request':>26} {'x ours':>8} {'requests/s':>22}"
    for stream in (False, True):
        print(f"\n{'streaming, 20 chunks' if stream else 'not streaming'}")
        print(f"{head} {'added p50 us':>14} {'added p99 us':>14} {'errors':>7}")
        for row in rows:
            if row["stream"] == stream and row["gateway"] != "direct":
                print(line(row, rows))


def line(row: dict, rows: list[dict]) -> str:
    """A row of the table; latencies are above those of the direct call."""

    def column(key: str) -> list[float]:
        return [each[key] for each in row["rounds"]]

    ratio = statistics.median(column("cpu_us")) / median(rows, row, "pointsman", "cpu_us")
    added = [
        f"{statistics.median(column(key)) - median(rows, row, 'direct', key):>14,.0f}"
        for key in ("p50_us", "p99_us")
    ]
    return (
        f"{row['concurrency']:>4} {row['gateway']:12} {spread(column('cpu_us')):>26} {ratio:>8.1f} "
        f"{spread(column('per_s')):>22} {added[0]} {added[1]} {sum(column('n_errors')):>7}"
    )


def verdict(rows: list[dict]) -> int:
    """Exit status; the ratio to LiteLLM is printed."""
    failed = [row for row in rows if any(each["n_errors"] for each in row["rounds"])]
    for row in failed:
        print(f"requests failed: {row['gateway']}, concurrency {row['concurrency']}, stream {row['stream']}")
    ratios = [
        median(rows, row, "pointsman", "cpu_us") / median(rows, row, "LiteLLM", "cpu_us")
        for row in rows
        if row["gateway"] == "LiteLLM" and row["concurrency"] == 32 and not row["stream"]
    ]
    for ratio in ratios:
        print(f"\nCPU a request at 32: 1/{1 / ratio:.1f} of LiteLLM's; the bar is 1/{1 / MAX_RATIO:.0f}")
    is_ours_failing = any(row["gateway"] == "pointsman" for row in failed)
    return int(is_ours_failing or any(ratio > MAX_RATIO for ratio in ratios))


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--window-s", type=float, default=5.0)
    help_text = "windows of peers that answer too little are stretched up to this"
    parser.add_argument("--longest-s", type=float, default=60.0, help=help_text)
    parser.add_argument("--concurrency", type=int, nargs="+", default=(1, 32, 256))
    names = [start.__name__ for start in GATEWAYS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="the gateways to measure")
    parser.add_argument("--json", action="store_true", help="one JSON object, with every round")
    options = parser.parse_args()
    about = facts(PACKAGES) | {
        "load": f"{len(body(stream=False))} byte body, {options.rounds} rounds of {options.window_s} s, "
        "median [min-max]",
        "command": " ".join(["python", *sys.argv]),
    }
    rows = measure(options)
    if options.json:
        print(json.dumps({"about": about, "rows": rows}))
    else:
        show(rows, about)
    return verdict(rows)


if __name__ == "__main__":
    sys.exit(main())
