"""What `pointsman simulate` prints: scenarios, kinds of fault, and the summary at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from pointsman.cli.demo.report import make_console
from pointsman.simulate import FAULTS, SCENARIOS

if TYPE_CHECKING:
    from pointsman.simulate import SimulatedProvider, Simulation


def print_lists() -> None:
    """Every scenario, and every kind of fault that a script can name."""
    console = make_console()
    scenarios = Table("scenario", "shows", title="pointsman simulate --scenario NAME", title_justify="left")
    for name, scenario in SCENARIOS.items():
        scenarios.add_row(name, scenario.shows)
    faults = Table("fault", "what a client sees", "lost", title="faults of a script", title_justify="left")
    for kind, rule in FAULTS.items():
        only = " (streams only)" if rule.streams_only else ""
        faults.add_row(kind, rule.does + only, "yes" if rule.is_failure else "no")
    console.print(scenarios)
    console.print(faults)


def print_summary(simulation: Simulation) -> None:
    """One row a provider: what it saw, and the latencies it drew."""
    columns = "provider,calls,whole,failed,left,first token ms,tokens,billed $,faults"
    table = Table(*columns.split(","), caption="left: by the client; first token: p50, p95 of those sent")
    for name, provider in simulation.providers.items():
        row = provider.summary()
        faults = ", ".join(f"{kind} {n}" for kind, n in row["faults"].items())
        counts = [str(row[f"{key}"]) for key in ("n_calls", "n_complete", "n_failed", "n_cancelled")]
        table.add_row(
            name, *counts, _ttft(provider), str(row["n_tokens_sent"]), f"{row['cost_usd']:.6f}", faults or "-"
        )
    make_console().print(table)


def _ttft(provider: SimulatedProvider) -> str:
    taken = sorted(
        call.first_byte_s - call.arrived_s
        for call in provider.calls
        if call.first_byte_s is not None and call.course.status == 200
    )
    if not taken:
        return "-"
    return ", ".join(f"{taken[int(share * (len(taken) - 1))] * 1e3:,.0f}" for share in (0.5, 0.95))
