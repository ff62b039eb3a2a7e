"""Runs the demo: providers, gateway, requests, table; everything it started ends with it."""

from __future__ import annotations

import importlib.util
import json
import time
from typing import TYPE_CHECKING, Any

import yaml

from pointsman.cli.demo import report
from pointsman.cli.demo.fleet import (
    BASELINE_MODEL,
    NANO,
    OTHERS,
    REAL_PROVIDER,
    DemoModel,
    gateway_config,
    simulation_script,
)
from pointsman.cli.demo.processes import (
    Child,
    ChildFailed,
    Children,
    free_port,
    serve_command,
    signals_as_exit,
    simulate_command,
    wait_for_line,
    wait_until_ready,
)
from pointsman.cli.demo.realmodel import MODEL_NAME, RealModelUnavailable, cache_directory, install
from pointsman.cli.demo.scenario import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

START_TIMEOUT_S = 60.0
"""For a child to listen: llama.cpp takes under 2 s on two idle cores, a busy machine longer."""


def run_demo(*, stay: bool, simulated_only: bool, port: int) -> int:
    """Run the whole demo.

    Args:
        stay: Keep everything up afterwards, until Ctrl-C.
        simulated_only: Do not install or start the real model.
        port: Port of the gateway; another one is taken, and told, when it is in use.

    Returns:
        Exit status: 0 when every request got the answer it should.
    """
    console = report.make_console()
    lacking = [name for name in ("openai", "uvicorn") if importlib.util.find_spec(name) is None]
    if lacking:
        console.print(f"the demo needs {lacking[0]}: pip install openai 'pointsman\\[gateway]'")
        return 1
    try:
        with signals_as_exit(), Children() as children:
            return _run(console, children, stay=stay, simulated_only=simulated_only, port=port)
    except ChildFailed as failure:
        console.print(f"[red]the demo cannot go on[/]: {failure}", markup=True)
        return 1
    except KeyboardInterrupt:
        console.print("\ninterrupted; everything the demo started is stopped")
        return 0 if stay else 130


def _run(console: Console, children: Children, *, stay: bool, simulated_only: bool, port: int) -> int:
    # Imported here: `run_demo` has seen that it is installed.
    from pointsman.cli.demo import client as demo_client

    models, base_urls = _start_providers(console, children, simulated_only=simulated_only)
    base_url, gateway = _start_gateway(console, children, gateway_config(models, base_urls), port)
    real_model = next((model.name for model in models if model.is_real), None)
    _say_what_is_real(console, models)
    with demo_client.connect(base_url) as client, console.status("sending the requests") as status:
        answered = []
        for request in REQUESTS:
            status.update(f"asking: {request.title}")
            answered.append(demo_client.send(client, request))
    console.print(report.table_of(answered, real_model))
    console.print(report.totals(answered, BASELINE_MODEL))
    if lines := report.real_answers(answered, real_model):
        console.print(f"what {MODEL_NAME} really said (right or wrong: it is small):", *lines, sep="\n")
    if stay:
        console.print(f"\ngateway: {base_url}   config: {_config_path(children)}   Ctrl-C ends it\n")
        console.print(report.try_it(base_url), markup=False, soft_wrap=True)
        _wait_for_interrupt(gateway)
    return 1 if any(row.error for row in answered) else 0


def _start_providers(
    console: Console, children: Children, *, simulated_only: bool
) -> tuple[list[DemoModel], dict[str, str]]:
    """Start the real model, if it can be had, and the simulated providers."""
    nano, base_urls = NANO, {}
    if not simulated_only:
        try:
            nano, base_urls[REAL_PROVIDER] = _start_real_model(console, children)
        except (RealModelUnavailable, ChildFailed) as problem:
            reason = str(problem).splitlines()[0]
            console.print(f"no real model, going on simulated: {reason}", markup=False)
    models = [nano, *OTHERS]
    simulated = [model for model in models if not model.is_real]
    script = children.directory / "simulated.yaml"
    script.write_text(json.dumps(simulation_script(simulated)))  # JSON is YAML
    child = children.start("simulated", simulate_command(script))
    address = json.loads(wait_for_line(child, START_TIMEOUT_S))["listening"]
    base_urls |= {model.provider: f"{address}/{model.provider}/v1" for model in simulated}
    return models, base_urls


def _start_real_model(console: Console, children: Children) -> tuple[DemoModel, str]:
    with console.status(f"looking for {MODEL_NAME}") as status:

        def tell(line: str) -> None:
            status.update(line.strip())
            # pip's own lines, indented, are for people who watch; a log keeps the steps.
            if not line.startswith(" "):
                console.print(line, markup=False)

        installed = install(cache_directory(), tell)
        status.update(f"starting {MODEL_NAME}")
        port = free_port()
        child = children.start(REAL_PROVIDER, installed.command(port, NANO.name))
        address = f"http://127.0.0.1:{port}"
        wait_until_ready(child, f"{address}/health", START_TIMEOUT_S)
        ttft_ms, tokens_per_s = _measure(f"{address}/v1")
    real = NANO.answered_by_real_model(ttft_p50_ms=ttft_ms, tokens_per_s=tokens_per_s)
    return real, f"{address}/v1"


def _measure(base_url: str) -> tuple[float, float]:
    """Time to the first token (ms) and tokens a second of the real model, from one short stream.

    The nominal 120 ms are not this machine's; routing on them would promise what it cannot keep.

    Raises:
        RealModelUnavailable: It does not answer as it should.
    """
    import openai

    from pointsman.cli.demo.client import connect

    prompt = (
        "Name the currency in this sentence: the invoice over 1249.50 euros is due on the second of March."
    )
    messages: Any = [{"role": "user", "content": prompt}]
    try:
        with connect(base_url) as client:
            started_s = time.perf_counter()
            chunks = client.chat.completions.create(
                model=NANO.name, messages=messages, max_tokens=24, stream=True
            )
            arrived_s = [
                time.perf_counter() for chunk in chunks if chunk.choices and chunk.choices[0].delta.content
            ]
    except openai.OpenAIError as error:
        raise RealModelUnavailable(f"{MODEL_NAME} does not answer: {error}") from error
    if len(arrived_s) < 2:
        raise RealModelUnavailable(f"{MODEL_NAME} answered {len(arrived_s)} tokens, 24 were asked for")
    tokens_per_s = (len(arrived_s) - 1) / (arrived_s[-1] - arrived_s[0])
    return round((arrived_s[0] - started_s) * 1e3, 1), round(tokens_per_s, 1)


def _config_path(children: Children) -> str:
    return str(children.directory / "pointsman.yaml")


def _start_gateway(
    console: Console, children: Children, config: dict[str, object], port: int
) -> tuple[str, Child]:
    path = _config_path(children)
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(config, file, sort_keys=False)
    taken = free_port(port)
    if taken != port:
        console.print(f"port {port} is in use, the gateway takes {taken}")
    child = children.start("gateway", serve_command(path, taken))
    wait_until_ready(child, f"http://127.0.0.1:{taken}/health/ready", START_TIMEOUT_S)
    return f"http://127.0.0.1:{taken}/v1", child


def _say_what_is_real(console: Console, models: Sequence[DemoModel]) -> None:
    simulated = ", ".join(model.name for model in models if not model.is_real)
    for model in models:
        if model.is_real:
            console.print(
                f"[green]real[/]: the gateway, its decisions, the client, and {model.name}, answered by "
                f"{MODEL_NAME} on llama.cpp here, one thread (measured: first token {model.ttft_p50_ms:,.0f} "
                f"ms, {model.tokens_per_s:,.0f} tokens/s; nominal {NANO.ttft_p50_ms:,.0f} ms)"
            )
            break
    else:
        console.print("[green]real[/]: the gateway, its decisions and the client")
    console.print(
        f"[dim]simulated[/]: {simulated}: canned answers after the nominal latency. Prices are nominal, "
        "qualities are priors; nobody is paid."
    )


def _wait_for_interrupt(gateway: Child) -> None:
    """Wait until Ctrl-C, or until the gateway ends by itself.

    Raises:
        ChildFailed: The gateway ended.
    """
    gateway.process.wait()
    raise gateway.failed(f"ended with status {gateway.process.returncode}")
