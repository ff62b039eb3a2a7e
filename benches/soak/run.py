"""Chaos soak: `python benches/soak/run.py [--seconds 600] [--streams 200]`, or `make soak`.

`pointsman serve` in front of `pointsman simulate`, whose four providers fail, slow down, cut and fall silent
by a script; 200 clients read streams of numbered tokens, one in ten leaves in the middle. Checked: no token
lost, repeated or reordered; every request ends in an answer or a documented error; a client that leaves ends
its upstream call within 100 ms; nothing open, pending or growing at the end. Exit status 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from pointsman.cli.demo.processes import Child, Children, free_port, serve_command, wait_until_ready
from pointsman.gateway.failure import _PROVIDER_STATUS
from pointsman.learning.known import MAX_KNOWN
from pointsman.simulate import check_counted, parse_script
from pointsman.simulate.fleet import gateway_config

LEAVES = 0.1
N_LEFT_ALONE = 40
"""Clients that leave one by one at the end, to time the end of their upstream calls."""
WARM_UP_S = 60
"""Seconds until memory has grown to what the load needs, in runs that are long enough; or longer, until the
router remembers as many decisions as it ever does."""
MAX_CANCEL_MS = 100.0
MAX_GROWTH = 0.05
ANSWERED, LEFT, ERROR = "answered", "left", "error"


def script(seconds: float) -> dict[str, Any]:
    """Four providers of two models, each with faults of its own; one is down for a tenth of the time."""
    latency = {"ttft_p50_ms": 120, "ttft_p95_ms": 400, "tokens_per_s": 60}
    answer = {"kind": "counted", "tokens_p50": 60, "tokens_p95": 200}
    faults = {
        "alpha": {"server_error": 0.05, "unavailable": 0.05, "disconnect": 0.02},
        "beta": {"truncate": 0.03, "no_finish": 0.03, "malformed": 0.03},
        "gamma": {"rate_limited": {"p": 0.05, "retry_after_s": 2}, "error_event": 0.02, "empty": 0.02},
        "delta": {"idle": 0.02, "slow_first_token": {"p": 0.1, "delay_s": 2}},
    }
    outage = {"at_s": 0.5 * seconds, "until_s": 0.6 * seconds, "faults": {"unavailable": 1.0}}
    return {
        "seed": 7,
        "providers": {
            name: {
                "models": ["small" if name in ("alpha", "beta") else "large"],
                "latency": latency,
                "answer": answer,
                "faults": of_provider,
                "timeline": [outage] if name == "alpha" else [],
            }
            for name, of_provider in faults.items()
        },
    }


class Soak:
    """Clients, and what they saw."""

    def __init__(self, url: str, seed: int) -> None:
        self.url = url
        self.ends: Counter[str] = Counter()
        self.violations: list[str] = []
        self.n_tokens = 0
        self._random = random.Random(seed)

    async def client(self, client: httpx.AsyncClient, end_s: float) -> None:
        """Ask again and again until the time is over."""
        while time.monotonic() < end_s:
            try:
                await self._ask(client)
            except httpx.HTTPError as error:
                self.violations.append(f"no answer at all: {type(error).__name__} {error}")

    async def _ask(self, client: httpx.AsyncClient) -> None:
        body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "Count for me."}]}
        leave_after = self._random.randint(1, 40) if self._random.random() < LEAVES else None
        async with client.stream("POST", f"{self.url}/v1/chat/completions", json=body) as answer:
            if answer.status_code != 200:
                self._failed(json.loads(await answer.aread()), answer.status_code)
                return
            text, n_read = "", 0
            async for line in answer.aiter_lines():
                if not line.startswith("data: "):
                    continue
                if line == "data: [DONE]":
                    self._whole(text)
                    return
                event = json.loads(line[6:])
                if "error" in event:
                    self._failed(event, 200)
                    return
                text += "".join(one["delta"].get("content") or "" for one in event["choices"])
                n_read += 1
                if n_read == leave_after:
                    self.ends[LEFT] += 1
                    return
        self.violations.append(f"a stream ended without [DONE] or an error after {n_read} chunks")

    def _whole(self, text: str) -> None:
        self.ends[ANSWERED] += 1
        self.n_tokens += len(text.split())
        try:
            check_counted(text)
        except ValueError as error:
            self.violations.append(str(error))

    def _failed(self, body: dict[str, Any], status: int) -> None:
        code = body["error"]["code"]
        self.ends[f"{ERROR} {code}"] += 1
        if code not in _PROVIDER_STATUS or status not in (200, _PROVIDER_STATUS[code]):
            self.violations.append(f"undocumented error: {status} {code}")


def resident_mb(child: Child) -> float:
    """Resident memory of a process, MB."""
    status = Path(f"/proc/{child.process.pid}/status").read_text()
    return float(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def n_descriptors(child: Child) -> int:
    """Open files and sockets of a process."""
    return sum(1 for _ in Path(f"/proc/{child.process.pid}/fd").iterdir())


async def watch(child: Child, seconds: float, ends: Counter[str]) -> list[tuple[float, int]]:
    """Resident memory and requests that have ended, once a second."""
    samples = []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        await asyncio.sleep(1.0)
        samples.append((resident_mb(child), ends.total()))
    return samples


def growth_of(samples: list[tuple[float, int]]) -> float:
    """By how much memory changed after the warm-up, which lasts half of the run at most."""
    half = len(samples) // 2
    full = next((at for at, (_, n_ended) in enumerate(samples) if n_ended >= MAX_KNOWN), half)
    from_s = min(max(len(samples) // 4, WARM_UP_S, full), half)
    sizes = [size for size, _ in samples]
    warm = sizes[from_s : from_s + max(5, len(sizes) // 5)]
    last = sizes[-len(warm) :]
    return (sum(last) / len(last)) / (sum(warm) / len(warm)) - 1.0


async def n_open(client: httpx.AsyncClient, control: str) -> int:
    """Calls under way at the providers."""
    summary = (await client.get(f"{control}/_simulate")).json()
    return sum(provider["n_open"] for provider in summary["providers"].values())


async def cancel_ms(client: httpx.AsyncClient, url: str, control: str) -> list[float]:
    """How long upstream calls go on after their client has left, one by one."""
    times = []
    body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "Count for me."}]}
    for _ in range(N_LEFT_ALONE):
        async with client.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
            async for line in answer.aiter_lines():
                if line:
                    break
            left_s = time.perf_counter()
        while time.perf_counter() < left_s + 5 and await n_open(client, control):
            pass  # a request each time: no need to wait between them
        times.append((time.perf_counter() - left_s) * 1e3)
    return sorted(times)


async def soak(url: str, control: str, gateway: Child, seconds: float, n_streams: int) -> dict[str, Any]:
    """Run it; returns the figures, and under `violations` what is wrong."""
    run = Soak(url, seed=11)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=n_streams)
    async with httpx.AsyncClient(timeout=120, limits=limits, trust_env=False) as client:
        end_s = time.monotonic() + seconds
        watching = asyncio.create_task(watch(gateway, seconds, run.ends))
        await asyncio.gather(*(run.client(client, end_s) for _ in range(n_streams)))
        samples = await watching
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        await asyncio.sleep(2.0)
        open_at_end = await n_open(client, control)
        pending = [one["n_pending"] for one in (await client.get(f"{url}/v1/deployments")).json()["data"]]
        descriptors = n_descriptors(gateway)
        for name in script(seconds)["providers"]:
            await client.patch(f"{control}/_simulate/providers/{name}", json={"faults": {}, "timeline": []})
        times = await cancel_ms(client, url, control)
    growth = growth_of(samples)
    wrong = list(run.violations)
    if open_at_end or any(pending):
        wrong.append(f"{open_at_end} calls open upstream, {pending} pending, after all had ended")
    if abs(growth) > MAX_GROWTH:
        wrong.append(f"memory changed by {growth:+.1%} after warm-up")
    if times[-1] > MAX_CANCEL_MS:
        wrong.append(f"an upstream call went on for {times[-1]:.0f} ms after its client had left")
    return {
        "seconds": seconds,
        "streams": n_streams,
        "requests": sum(run.ends.values()),
        "ends": dict(run.ends.most_common()),
        "tokens_checked": run.n_tokens,
        "memory_mb": [round(samples[len(samples) * eighth // 8 - 1][0], 1) for eighth in range(1, 9)],
        "memory_growth": round(growth, 4),
        "descriptors_at_end": descriptors,
        "cancel_ms": {"p50": round(times[len(times) // 2], 1), "max": round(times[-1], 1)},
        "violations": wrong[:20],
        "n_violations": len(wrong),
    }


def main() -> int:
    """Run the soak and print its figures as JSON; exit status 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--streams", type=int, default=200)
    options = parser.parse_args()
    simulated_port, port = free_port(), free_port()
    control, url = f"http://127.0.0.1:{simulated_port}", f"http://127.0.0.1:{port}"
    document = script(options.seconds)
    config = gateway_config(parse_script(document), control)
    for provider in config["providers"].values():
        provider["timeouts"] = {"idle_s": 5, "first_byte_s": 10}
    with tempfile.TemporaryDirectory() as folder, Children() as children:
        files = {name: Path(folder) / f"{name}.yaml" for name in ("script", "pointsman")}
        files["script"].write_text(json.dumps(document))
        files["pointsman"].write_text(json.dumps(config))
        program = [sys.executable, "-m", "pointsman"]
        simulator = children.start(
            "simulate",
            [*program, "simulate", str(files["script"]), "--port", str(simulated_port), "--with-parent"],
        )
        gateway = children.start(
            "gateway",
            serve_command(files["pointsman"], port),
        )
        wait_until_ready(simulator, f"{control}/_simulate", 30)
        wait_until_ready(gateway, f"{url}/health/ready", 30)
        figures = asyncio.run(soak(url, control, gateway, options.seconds, options.streams))
    print(json.dumps(figures, indent=2))
    return 1 if figures["n_violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
