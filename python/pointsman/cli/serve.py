"""`pointsman serve`."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.cli.options import ConfigOption, config_path

if TYPE_CHECKING:
    import uvicorn


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address to bind; default server.host.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to bind; default server.port.", min=0, max=65535)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, then exit.")] = False,
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

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    path = config_path(config)
    registry = load_registry(path)
    settings = server_settings(
        create_app(path, router=None if path else Router(registry)),
        host or registry.server.host,
        registry.server.port if port is None else port,
    )
    source = str(path) if path else "the environment"
    address = f"http://{settings.host}:{settings.port}"
    if dry_run:
        print(f"{source}: {len(registry.catalog)} deployments; would serve {address}/v1")
        return
    print(
        f"pointsman serves {len(registry.catalog)} deployments from {source} at {address}/v1", file=sys.stderr
    )
    _run(uvicorn.Server(settings))


def _run(server: uvicorn.Server) -> None:
    """Serve until SIGINT or SIGTERM; exit status 1 when the server could not start."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve())
    if not server.started:
        raise typer.Exit(1)
