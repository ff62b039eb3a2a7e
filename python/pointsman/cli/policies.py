"""`pointsman policies`: which version of each policy decides, what is tried, and who changed it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from pointsman.cli.options import ConfigOption, JsonOption, StoreOption, config_path, store_url
from pointsman.cli.promote import folder_of, live_line
from pointsman.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pointsman.registry import Registry
    from pointsman.registry.policy_set import PolicySet


def policies(
    store: StoreOption = None,
    n_events: Annotated[int, typer.Option("--events", min=0, help="How many of the newest events.")] = 10,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the versions of each policy, how canaries and shadows stand, and the audit trail."""
    from pointsman.router import load_registry

    try:
        registry = load_registry(config_path(config))
        kept = folder_of(registry).load()
        listed = [_told(registry, kept, name, store, config) for name in registry.arms]
    except ConfigError as error:
        print(f"pointsman policies: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    events = list(kept.events[max(0, len(kept.events) - n_events) :])
    if as_json:
        sys.stdout.buffer.write(orjson.dumps({"policies": listed, "events": events}) + b"\n")
        return
    _show(listed, events)


def _told(
    registry: Registry, kept: PolicySet, name: str, store: str | None, config: Path | None
) -> dict[str, Any]:
    from pointsman.router.canary import read_figures, rules_of

    arms, state = registry.arms[name], kept.state(name)
    told: dict[str, Any] = {
        "policy": name,
        "serving": arms.main.version,
        "is_promoted": state.serving is not None,
        "former": [None if one is None else one.version for one in state.former],
        "canary": None,
        "shadow": None,
    }
    rules = rules_of(registry, name)
    if rules is not None:
        live = read_figures(folder_of(registry).path, rules)
        told["canary"] = {"version": rules.version, "share": rules.share, "live": live}
    if state.shadow is not None:
        sums = _shadow_sums(store_url(store, config), state.shadow.version)
        told["shadow"] = {"version": state.shadow.version, **sums}
    return told


def _shadow_sums(url: str, version: str) -> dict[str, Any]:
    """What the log says of a shadow; `n` 0 where there is no log yet."""
    from pointsman.store.rows import decision_rows

    try:
        return sums_of(row["shadow"] for row in decision_rows(url) if row["shadow"] is not None)[version]
    except (ConfigError, KeyError):
        return {"n": 0}


def sums_of(choices: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By version: how many choices, how many the same, means of the predicted differences and of the time."""
    sums: dict[str, dict[str, float]] = {}
    for one in choices:
        total = sums.setdefault(one["version"], dict.fromkeys(("n", "n_same", "n_failed", *_MEANS), 0.0))
        total["n"] += 1
        total["decide_us"] += one["decide_us"]
        if "error" in one:
            total["n_failed"] += 1
            continue
        total["n_same"] += one["is_same"]
        for name in _MEANS[1:]:
            total[name] += one[name]
    return {version: _means(total) for version, total in sums.items()}


_MEANS = ("decide_us", "quality_difference", "cost_difference_usd")


def _means(total: dict[str, float]) -> dict[str, Any]:
    n, n_chosen = total["n"], total["n"] - total["n_failed"]
    told: dict[str, Any] = {name: int(total[name]) for name in ("n", "n_same", "n_failed")}
    told["decide_us"] = total["decide_us"] / n
    return told | {name: total[name] / max(1.0, n_chosen) for name in _MEANS[1:]}


def _show(listed: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
    console = Console(highlight=False)
    table = Table("policy", "decides", "canary", "shadow")
    for one in listed:
        canary, shadow = one["canary"], one["shadow"]
        table.add_row(
            one["policy"],
            one["serving"] + ("" if one["is_promoted"] else " (config)"),
            f"{canary['version']} {100 * canary['share']:g}%" if canary else "",
            shadow["version"] if shadow else "",
        )
    console.print(table)
    for one in listed:
        if one["canary"] and one["canary"]["live"]:
            console.print(f"{one['policy']}: {live_line(one['canary']['live'])}", soft_wrap=True)
        if one["shadow"] and one["shadow"]["n"]:
            console.print(f"{one['policy']}: {shadow_line(one['shadow'])}", soft_wrap=True)
    for event in events:
        console.print(event_line(event), soft_wrap=True)


def shadow_line(shadow: dict[str, Any]) -> str:
    """What a shadow would have changed, in words."""
    return (
        f"shadow: of {shadow['n']:,} requests {shadow['n_same']:,} the same, {shadow['n_failed']:,} without "
        f"a choice; predicted quality {shadow['quality_difference']:+.4f}, cost "
        f"{shadow['cost_difference_usd']:+.6f} USD a request; {shadow['decide_us']:.0f} us each"
    )


def event_line(event: dict[str, Any]) -> str:
    """An event of the audit trail in words."""
    at = datetime.fromtimestamp(event["at_s"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    place = f" -> {event['to']}" if "to" in event else ""
    share = f" to {event['share']:.2%}" if "share" in event else ""
    gate = event.get("gate")
    passed = "" if gate is None else "; gate passed" if not gate["refusals"] else "; gate refused"
    why = f": {event['why']}" if event.get("why") else ""
    what = f"{event['action']} {event['policy']} {event['version']}{place}{share}{passed}{why}"
    return f"{at} {event['by']} {what}"
