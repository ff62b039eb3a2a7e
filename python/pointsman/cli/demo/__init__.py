"""`pointsman demo`: the whole road on one machine, one real small model and three simulated ones."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["DEFAULT_PORT", "demo"]

DEFAULT_PORT = 4100
"""The gateway's default port; the demo takes a free one when this is in use."""


def demo(
    stay: Annotated[
        bool, typer.Option("--stay", help="Keep everything up afterwards, until Ctrl-C.")
    ] = False,
    simulated_only: Annotated[
        bool, typer.Option("--simulated-only", help="Do not install or start the real model.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the gateway.", min=1, max=65535)] = DEFAULT_PORT,
) -> None:
    """Start providers and a gateway on loopback, send a dozen requests, show what was chosen and why."""
    # Imported here: the command line lists this command without paying for tables and processes.
    from pointsman.cli.demo.run import run_demo

    raise typer.Exit(run_demo(stay=stay, simulated_only=simulated_only, port=port))
