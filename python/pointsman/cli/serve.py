"""`pointsman serve`."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.cli.options import ConfigOption, config_path
from pointsman.cli.parent import WithParentOption, when_stdin_closes
from pointsman.observe.logs import LogFormat, set_up_logging

if TYPE_CHECKING:
    import uvicorn

    from pointsman.registry import Registry

# With a 250 µs handler, 256 clients that connect at once were all answered after 24 s with 1, 3 s with 8, and
# 1 s with 32 (`benches/bench_gateway.py` ramps up this way).
_N_ACCEPTS_PER_TURN = 32


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address to bind; default server.host.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to bind; default server.port.", min=0, max=65535)
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(help="Text, or JSON: an object a line, and a line a request.")
    ] = LogFormat.TEXT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, then exit.")] = False,
    with_parent: WithParentOption = False,
) -> None:
    """Serve the OpenAI-compatible gateway."""
    try:
        import uvicorn

        from pointsman.gateway import create_app
        from pointsman.gateway.server import server_settings
    except ModuleNotFoundError as error:
        print(f"pointsman serve needs {error.name}: pip install 'pointsman[gateway]'", file=sys.stderr)
        raise typer.Exit(1) from None
    from pointsman.router import Router, load_registry

    set_up_logging(log_format)
    path = config_path(config)
    registry = load_registry(path)
    source = str(path) if path else "the environment"
    host = host or registry.server.host
    app = create_app(path, router=None if path else Router(registry))
    n_keys = _n_keys(registry)
    settings = server_settings(app, host, registry.server.port if port is None else port, n_keys=n_keys)
    if dry_run:
        print(f"{source}: {len(registry.catalog)} deployments; would serve http://{host}:{settings.port}/v1")
        return
    app.open()
    listener = _bind(host, settings.port)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the application listens to it
    address = f"http://{host}:{listener.getsockname()[1]}/v1"
    print(f"pointsman serves {len(registry.catalog)} deployments from {source} at {address}", file=sys.stderr)
    if registry.keys is not None and not n_keys:
        print("no key can be used yet, so nobody is let in: run `pointsman keys create`", file=sys.stderr)
    if with_parent:
        when_stdin_closes(partial(os.kill, os.getpid(), signal.SIGTERM))
    _run(uvicorn.Server(settings), listener)


def _n_keys(registry: Registry) -> int:
    """How many keys callers may use."""
    from pointsman.keys import KeyFolder

    if registry.keys is None:
        return 0
    return KeyFolder(Path(registry.keys.path)).load().n_usable(time.time())


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        print(
            f"pointsman serve: cannot bind {host}:{port}: {error.strerror}; choose another --port",
            file=sys.stderr,
        )
        raise typer.Exit(1) from None


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; exit status 1 when the server could not start."""
    import uvloop

    # libuv accepts one connection a loop turn and listener: a busy loop would let new clients starve.
    listeners = [listener, *(listener.dup() for _ in range(_N_ACCEPTS_PER_TURN - 1))]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve(sockets=listeners))
    if not server.started:
        raise typer.Exit(1)
