"""`pointsman explain`: what was decided for one request and why, out of the decision log."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from pointsman.cli.gateway_call import call_gateway
from pointsman.cli.options import ConfigOption, JsonOption, StoreOption, store_url
from pointsman.cli.route import show_decision
from pointsman.errors import ConfigError, RequestError, StoreUnavailable


def explain(
    decision_id: Annotated[str, typer.Argument(help="Id of the decision, or of its answer.")],
    url: Annotated[str | None, typer.Option(help="Ask this gateway, not the log itself.")] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was decided, why the others were not chosen, what became of it and what was said of it."""
    from pointsman.learning.feedback import decision_id_of

    wanted = decision_id_of(decision_id)
    try:
        if url is not None:
            found = call_gateway(url, "GET", f"/v1/decisions/{wanted}")
        else:
            found = _read(store_url(store, config), wanted)
    except (ConfigError, RequestError, StoreUnavailable) as error:
        print(f"pointsman explain: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(found) + b"\n")
        return
    show_decision(found)
    _show_outcome(found["outcome"], found["feedback"], who_decided(found))


def _read(url: str, decision_id: str) -> dict[str, Any]:
    from pointsman.router.ledger import explained, unknown_decision
    from pointsman.store.store import open_existing

    store = open_existing(url)
    try:
        found = explained(store, decision_id)
    finally:
        store.close()
    if found is None:
        raise unknown_decision(decision_id, has_log=True)
    return found


def who_decided(found: dict[str, Any]) -> str:
    """Which version of which policy decided."""
    version = str(found["policy_version"])
    said = {"canary": f"canary {version}", "pinned": f"the caller, who named the model ({version})"}
    return said.get(found.get("arm") or "", version)


def _show_outcome(outcome: dict[str, Any], feedback: list[dict[str, Any]], decided_by: str) -> None:
    console = Console(highlight=False)
    table = Table("what became of it", "")
    table.columns[1].overflow = "fold"
    answered = outcome["deployment"] or f"nobody ({outcome['error_code']})"
    if outcome["cache_layer"]:
        answered += f", from the cache ({outcome['cache_layer']})"
    table.add_row("decided by", decided_by)
    if (shadow := outcome.get("shadow")) is not None:
        table.add_row(f"shadow {shadow['version']}", _shadow_words(shadow))
    table.add_row("answered by", answered)
    for attempt in outcome["attempts"]:
        table.add_row("call", f"{attempt['deployment']}: {attempt['error_code'] or 'answered'}")
    table.add_row(
        "asked", f"{_when(outcome['decided_at_s'])} by {outcome['tenant']}, policy {outcome['policy']}"
    )
    table.add_row("cost", f"{outcome['cost_usd']:.6f} USD; baseline {outcome['baseline_cost_usd']:.6f} USD")
    table.add_row("latency", f"{outcome['latency_ms']:.0f} ms")
    for one in feedback:
        said = f"preferred to {one['rejected_id']}" if one["rejected_id"] else f"{one['value']:g}"
        table.add_row(f"{one['name']} of {one['source']}", said)
    if outcome["reward"] is not None:
        table.add_row("reward", f"{outcome['reward']:.3f}")
    console.print(table)


def _shadow_words(shadow: dict[str, Any]) -> str:
    if "error" in shadow:
        return f"no choice: {shadow['error']}"
    if shadow["is_same"]:
        return f"the same, {shadow['deployment']}"
    return (
        f"{shadow['deployment']}: quality {shadow['quality_difference']:+.3f}, "
        f"cost {shadow['cost_difference_usd']:+.6f} USD, as predicted"
    )


def _when(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
