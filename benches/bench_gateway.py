"""What the gateway costs end to end: CPU a request, rate, added latency; next to nginx and the direct call.

    python benches/bench_gateway.py [--quick] [--json] [--rounds 5] [--window-s 2] [--config-deployments 32]

One gateway at a time works, pinned to core 0; the load generator and the upstream share core 1. Every round
measures every target, so that a disturbance hits all of them; figures are median [min-max] of the rounds.
pointsman decides every request among 32 deployments (`model: "auto"`); nginx only passes it on
(`proxy_pass`, kept-alive upstream connections), and is left out when it is not installed. When a row's
"core 0 busy" is below 1, the generator was the limit: its rate is then a lower bound; CPU a request holds.
The loop is closed, so above concurrency 1 the added latency is mostly waiting for the one core.
"ramp" is the time from opening the first connection until all of them had been answered once.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from harness import LOAD_CORE, ROOT, SERVER_CORE, Served, facts, free_port, serve, spread
from load import Measured, Target, percentile, run_load
from pointsman.cli.demo.processes import serve_command

CONCURRENCY = (1, 32, 256)
PACKAGES = ("uvicorn", "uvloop", "httptools", "starlette", "pyreqwest", "orjson", "pydantic")
PATH = "/v1/chat/completions"
PROMPT = (
    "Write a short reply to this customer: the parcel arrived two days late and one of the three mugs was "
    "broken. Apologise, offer a refund for the broken mug or a replacement, and ask which of the two they "
    "prefer. Keep it friendly and under eighty words, and do not promise anything about future deliveries. "
    "Sign as the support team."
)
NGINX_CONF = """
daemon off; master_process off; worker_processes 1; pid {scratch}/nginx.pid; error_log {scratch}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 100000000;
  client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy; fastcgi_temp_path {scratch}/fastcgi;
  uwsgi_temp_path {scratch}/uwsgi; scgi_temp_path {scratch}/scgi;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""


def body(*, stream: bool) -> bytes:
    """About 0.5 kB of chat request."""
    messages = [
        {"role": "system", "content": "You are a support agent."},
        {"role": "user", "content": PROMPT},
    ]
    document = {
        "model": "auto",
        "messages": messages,
        "max_tokens": 200,
        **({"stream": True} if stream else {}),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def pointsman_config(upstream_port: int, n_deployments: int) -> dict:
    """`n_deployments` over 4 providers, all the loopback upstream; prices and qualities spread out."""
    providers = [f"provider-{i}" for i in range(4)]
    models = [f"model-{i:02}" for i in range(-(-n_deployments // len(providers)))]
    capabilities = ["tools", "json_object", "json_schema"]
    pairs = [(i, model, provider) for i, model in enumerate(models) for provider in providers]
    return {
        "providers": {
            name: {"kind": "openai", "base_url": f"http://127.0.0.1:{upstream_port}/v1", "api_key": "bench"}
            for name in providers
        },
        "models": {
            model: {
                "quality": {"default": round(0.5 + 0.45 * i / len(models), 3), "code": 0.7, "reasoning": 0.6},
                "context_window": 128_000,
                "max_output_tokens": 16_384,
                "capabilities": capabilities,
            }
            for i, model in enumerate(models)
        },
        "deployments": [
            {
                "model": model,
                "provider": provider,
                "upstream_model": "loopback-1",
                "price_usd_per_mtok": {"input": 0.1 * 2**i, "output": 0.4 * 2**i},
                "latency": {"ttft_p50_ms": 200 + 40 * i, "ttft_p95_ms": 400 + 80 * i, "tokens_per_s": 80},
            }
            for i, model, provider in pairs[:n_deployments]
        ],
    }


@contextlib.contextmanager
def targets(options: argparse.Namespace):
    """Start the upstream and the gateways in front of it; yields them by name, the direct call first."""
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream_port = free_port()
        command = [sys.executable, str(ROOT / "benches/loopback_upstream.py"), "--port", str(upstream_port)]
        found = [
            stack.enter_context(serve("direct", command, port=upstream_port, core=LOAD_CORE)),
        ]
        if nginx := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin"):
            port = free_port()
            conf = scratch / "nginx.conf"
            conf.write_text(NGINX_CONF.format(scratch=scratch, upstream=upstream_port, port=port))
            command = [nginx, "-e", f"{scratch}/error.log", "-p", str(scratch), "-c", str(conf)]
            found.append(stack.enter_context(serve("nginx", command, port=port, core=SERVER_CORE)))
        config = scratch / "pointsman.yaml"  # JSON is YAML
        config.write_text(json.dumps(pointsman_config(upstream_port, options.config_deployments)))
        port = free_port()
        command = serve_command(config, port)
        gateway = serve("pointsman", command, port=port, core=SERVER_CORE, ready_path="/health/ready")
        found.append(stack.enter_context(gateway))
        check_answers(found[-1])
        yield found


def check_answers(gateway: Served) -> None:
    """One request of each kind before the clock runs: a bench of errors would be worth nothing."""
    for stream in (False, True):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
        connection.request("POST", PATH, body(stream=stream), {"content-type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
        if response.status != 200 or not response.headers["x-pointsman-decision-id"]:
            raise SystemExit(f"pointsman answered {response.status}: {text[:500]}")


def measure(options: argparse.Namespace) -> list[dict]:
    """One row a (stream, concurrency, target), each with its rounds."""
    os.sched_setaffinity(0, {LOAD_CORE % (os.cpu_count() or 1)})
    cells: dict[tuple[bool, int, str], list[dict]] = {}
    with targets(options) as found:
        for _ in range(options.rounds):
            for stream in (False, True):
                for concurrency in options.concurrency:
                    for target in found:
                        done = run_load(
                            Target(target.port, PATH, body(stream=stream), stream),
                            concurrency=concurrency,
                            warm_up_s=options.window_s / 4,
                            window_s=options.window_s,
                            probe=target.cpu_s,
                        )
                        cells.setdefault((stream, concurrency, target.name), []).append(figures(done))
        memory_mb = {target.name: round(target.resident_mb(), 1) for target in found}
    rows = [
        {"stream": stream, "concurrency": concurrency, "target": name, "rounds": rounds}
        for (stream, concurrency, name), rounds in cells.items()
    ]
    for row in rows:
        row["memory_mb"] = memory_mb[row["target"]]
        direct = cells[(row["stream"], row["concurrency"], "direct")]
        for mine, base in zip(row["rounds"], direct, strict=True):
            mine["added_p50_us"] = mine["p50_us"] - base["p50_us"]
            mine["added_p99_us"] = mine["p99_us"] - base["p99_us"]
    return rows


def figures(done: Measured) -> dict[str, float]:
    """What is kept of one window."""
    return {
        "cpu_us": done.cpu_us,
        "per_s": done.per_s,
        "p50_us": percentile(done.latency_us, 0.5),
        "p99_us": percentile(done.latency_us, 0.99),
        "ttfb_p50_us": percentile(done.ttfb_us, 0.5),
        "ramp_ms": done.ramp_s * 1e3,
        "busy": done.cpu_s / done.window_s,
        "n_requests": done.n_requests,
        "n_errors": done.n_errors,
    }


def show(rows: list[dict], about: dict[str, str]) -> None:
    """Print one table a kind of answer."""
    for name, value in about.items():
        print(f"{name:9} {value}")
    for stream in (False, True):
        print(f"\n{'streaming, 20 chunks' if stream else 'not streaming'}")
        print(
            f"{'':>4} {'target':10} {'CPU us/request':>20} {'x nginx':>8} {'requests/s':>24} "
            f"{'added p50 us':>22} {'added p99 us':>24} {'ramp ms':>8} {'core 0 busy':>12} {'errors':>7}"
        )
        for row in (row for row in rows if row["stream"] == stream):
            print(_line(row, rows))
    memory = {row["target"]: row["memory_mb"] for row in rows}
    print("\nresident after the run, MB: " + ", ".join(f"{name} {mb:.0f}" for name, mb in memory.items()))


def _line(row: dict, rows: list[dict]) -> str:
    def column(key: str, digits: int = 0) -> str:
        return spread([entry[key] for entry in row["rounds"]], digits)

    is_direct = row["target"] == "direct"  # its process is the upstream, on the generator's core
    cpu, ratio = ("-", "-") if is_direct else (column("cpu_us"), _ratio_to_nginx(row, rows))
    added = ("-", "-") if is_direct else (column("added_p50_us"), column("added_p99_us"))
    busy = "-" if is_direct else f"{statistics.median(entry['busy'] for entry in row['rounds']):.2f}"
    ramp = f"{statistics.median(entry['ramp_ms'] for entry in row['rounds']):,.0f}"
    n_errors = sum(entry["n_errors"] for entry in row["rounds"])
    return (
        f"{row['concurrency']:>4} {row['target']:10} {cpu:>20} {ratio:>8} {column('per_s'):>24} "
        f"{added[0]:>22} {added[1]:>24} {ramp:>8} {busy:>12} {n_errors:>7}"
    )


def _ratio_to_nginx(row: dict, rows: list[dict]) -> str:
    for other in rows:
        same = (other["stream"], other["concurrency"]) == (row["stream"], row["concurrency"])
        if same and other["target"] == "nginx":
            own, floor = (statistics.median(e["cpu_us"] for e in r["rounds"]) for r in (row, other))
            return f"{own / floor:.1f}"
    return "-"


def main() -> None:
    """Measure, print; exit status 1 when a request failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--window-s", type=float, default=2.0)
    parser.add_argument("--concurrency", type=int, nargs="+", default=CONCURRENCY)
    parser.add_argument("--config-deployments", type=int, default=32)
    parser.add_argument("--quick", action="store_true", help="2 rounds of 0.7 s")
    parser.add_argument("--json", action="store_true", help="one JSON object, with every round")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.window_s = 2, 0.7
    about = facts(PACKAGES) | {
        "load": f"{len(body(stream=False))} byte body, {options.config_deployments} deployments, "
        f"{options.rounds} rounds of {options.window_s} s, median [min-max]",
        "command": " ".join(["python", *sys.argv]),
    }
    rows = measure(options)
    if options.json:
        print(json.dumps({"about": about, "rows": rows}))
    else:
        show(rows, about)
    if any(entry["n_errors"] for row in rows for entry in row["rounds"]):
        raise SystemExit("some requests failed: see the column errors")


if __name__ == "__main__":
    main()
