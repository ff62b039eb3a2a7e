"""`pointsman simulate`: providers on the loopback that are as slow, faulty and limited as a script says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.cli.parent import WithParentOption, when_stdin_closes

if TYPE_CHECKING:
    from pointsman.simulate import Script, Server

DEFAULT_PORT = 4200
_REFRESH_S = 1.0

ScriptArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[SCRIPT.yaml]", help="What to simulate; the docs of pointsman.simulate.script."),
]


def simulate(
    script: ScriptArgument = None,
    scenario: Annotated[str, typer.Option(help="A scenario instead of a script.")] = "calm",
    port: Annotated[int, typer.Option(help="Port; 0: any free one.", min=0, max=65535)] = DEFAULT_PORT,
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    seed: Annotated[int | None, typer.Option(help="Instead of the script's seed.", min=0)] = None,
    config_out: Annotated[
        Path | None, typer.Option(help="Write a pointsman.yaml that routes over these providers.")
    ] = None,
    list_all: Annotated[bool, typer.Option("--list", help="Show scenarios and kinds of fault.")] = False,
    with_parent: WithParentOption = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON line when it listens, and one at the end.")
    ] = False,
) -> None:
    """Serve simulated providers: OpenAI's and Anthropic's shapes under http://HOST:PORT/PROVIDER/v1.

    Latencies, faults, quotas and changes over time are drawn from a seed. `GET /_simulate` tells what each
    provider saw. Ctrl-C ends it with a summary.

    Scenarios: calm, limits, bursts, slow-start, cuts, silence, heavy-tail, liars, degrading, outage, chaos.
    What they do, and the faults that a script can name: --list.
    """
    from pointsman.cli.simulate_tables import print_lists

    if list_all:
        print_lists()
        return
    chosen = _script(script, scenario, seed)
    with contextlib.suppress(KeyboardInterrupt):
        _run(chosen, host, port, config_out=config_out, with_parent=with_parent, as_json=as_json)


def _script(path: Path | None, scenario: str, seed: int | None) -> Script:
    from pointsman.config.problems import suggest
    from pointsman.simulate import SCENARIOS, load_script

    if path is not None:
        script = load_script(path)
        return script if seed is None else script.model_copy(update={"seed": seed})
    if scenario not in SCENARIOS:
        hint = suggest(scenario, SCENARIOS, noun="scenarios")
        print(f"pointsman simulate: no scenario {scenario!r}; {hint}", file=sys.stderr)
        raise typer.Exit(2)
    return SCENARIOS[scenario].script(seed or 0)


def _run(
    script: Script, host: str, port: int, *, config_out: Path | None, with_parent: bool, as_json: bool
) -> None:
    try:
        from uvloop import new_event_loop
    except ImportError:
        from asyncio import new_event_loop  # type: ignore[assignment]
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            runner.run(_serve(script, host, port, config_out, with_parent=with_parent, as_json=as_json))
        except OSError as error:
            reason = f"cannot bind {host}:{port}: {error.strerror}; choose another --port"
            print(f"pointsman simulate: {reason}", file=sys.stderr)
            raise typer.Exit(1) from None


async def _serve(
    script: Script, host: str, port: int, config_out: Path | None, *, with_parent: bool, as_json: bool
) -> None:
    from pointsman.cli.simulate_tables import print_summary
    from pointsman.simulate import Simulation, serving

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    simulation = Simulation(script)
    async with serving(simulation, host=host, port=port) as server:
        _announce(server, config_out, as_json=as_json)
        if with_parent:
            when_stdin_closes(partial(loop.call_soon_threadsafe, stop.set))
        showing = not as_json and sys.stderr.isatty()
        progress = loop.create_task(_show_progress(server)) if showing else None
        await stop.wait()
        if progress is not None:
            progress.cancel()
    if as_json:
        print(json.dumps({"summary": simulation.summary()}), flush=True)
    else:
        print_summary(simulation)


def _announce(server: Server, config_out: Path | None, *, as_json: bool) -> None:
    providers = server.simulation.providers
    if config_out is not None:
        import yaml

        from pointsman.simulate.fleet import gateway_config

        document = gateway_config(server.simulation.script, server.address)
        config_out.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    urls = {name: server.url(name) for name in providers}
    if as_json:
        print(json.dumps({"listening": server.address, "providers": urls}), flush=True)
        return
    for name, url in urls.items():
        print(f"{name:12} {url}   models: {', '.join(providers[name].script.models)}")
    print(f"{'control':12} {server.address}/_simulate   Ctrl-C ends it")
    if config_out is not None:
        print(f"{'gateway':12} pointsman serve --config {config_out}", flush=True)


async def _show_progress(server: Server) -> None:
    from rich.console import Console

    with Console(stderr=True).status("no calls yet") as status:
        while True:
            rows = server.simulation.summary()["providers"]
            shown = (f"{name}: {row['n_calls']} calls, {row['n_open']} open" for name, row in rows.items())
            status.update("   ".join(shown))
            await asyncio.sleep(_REFRESH_S)
