"""`pointsman replay`: decide a log again, under another policy or at other prices."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from pointsman.cli.options import ConfigOption, JsonOption, config_path
from pointsman.errors import ConfigError

if TYPE_CHECKING:
    from pointsman.learning.redecide import Prices
    from pointsman.registry import Policy

LogArgument = Annotated[
    str, typer.Argument(help="The decision log: a folder of `pointsman export`, or a database as store.url.")
]


MarginOption = Annotated[
    float | None,
    typer.Option("--margin", min=0.0, max=0.999, help="Utility it may lose. Default: the config's, else 0."),
]
QualityValueOption = Annotated[
    float | None,
    typer.Option(
        "--quality-value-usd",
        min=1e-9,
        help="What a quality of 1 instead of 0 is worth a request: costs count then. Default: the config's.",
    ),
]


def replay(
    log: LogArgument,
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="NAME of the config's policies, or a file that holds one.")
    ] = "default",
    prices: Annotated[
        Path | None, typer.Option("--prices", help="A config file with the prices to replay at.")
    ] = None,
    of_policy: Annotated[
        str | None, typer.Option("--of", help="Only requests decided under this policy.")
    ] = None,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit with 1 unless the policy may take over: no worse, by 95 %.")
    ] = False,
    margin: MarginOption = None,
    quality_value_usd: QualityValueOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what another policy or price list would have changed, cost and been worth.

    Choices are made anew on what each decision knew: predictions as they were then. The policy's own limits
    hold; what a caller asked for beside them is not in a log.
    """
    from pointsman.learning.gate import gate_rules, refusals
    from pointsman.learning.replay import replay as replayed
    from pointsman.router import load_registry
    from pointsman.store.rows import decision_rows

    try:
        wanted, other_prices = named_policy(policy, config), _prices(prices, config)
        settings = load_registry(config_path(config)).promotion
        rules = gate_rules(settings, margin=margin, quality_value_usd=quality_value_usd)
        report = replayed(
            decision_rows(log), wanted, prices=other_prices, logged_policy=of_policy, rules=rules
        )
    except ConfigError as error:
        print(f"pointsman replay: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(report) + b"\n")
    else:
        show(report)
    refused = refusals(report["ope"])
    if gate and refused:
        for reason in refused:
            print(f"pointsman replay: refused: {reason}", file=sys.stderr)
        raise typer.Exit(1)


def named_policy(name: str, config: Path | None) -> Policy:
    """A policy of the config by its name, or the `default` (or only) one of a file.

    Raises:
        ConfigError: No such policy, or a file that is no config.
    """
    from pointsman.router import Router

    if Path(name).suffix in (".yaml", ".yml"):
        policies = Router.from_config(Path(name)).registry.policies
        others = [one for one in policies if one != "default"]
        return policies[others[0] if len(others) == 1 else "default"]
    policies = Router.from_config(config_path(config)).registry.policies
    if name not in policies:
        known = ", ".join(policies)
        raise ConfigError([f"no policy named {name!r}; the config has {known}, or give a .yaml file"])
    return policies[name]


def _prices(prices: Path | None, config: Path | None) -> Prices | None:
    from pointsman.learning.redecide import Prices
    from pointsman.router import Router

    if prices is None:
        return None
    old, new = (Router.from_config(path).registry.catalog for path in (config_path(config), prices))
    return Prices(old, new)


def show(report: dict[str, Any]) -> None:
    """Print a report for people."""
    console = Console()
    if report["n"] == 0:
        print("no decision in the log (of that policy)")
        return
    share = report["n_changed"] / report["n"]
    console.print(
        f"{report['n']:,} decisions under policy [bold]{report['policy']}[/bold]: {report['n_changed']:,} "
        f"({share:.1%}) go elsewhere, {report['n_infeasible']:,} have no feasible deployment"
    )
    table = Table("mean of a request, predicted", "before", "after")
    before, after = report["before"], report["after"]
    table.add_row("cost, USD", f"{before['cost_usd']:.6f}", f"{after['cost_usd']:.6f}")
    table.add_row("quality", f"{before['quality']:.4f}", f"{after['quality']:.4f}")
    console.print(table)
    for move in report["moves"][:8]:
        console.print(f"  {move['n']:,} from {move['from']} to {move['to']}")
    for line in estimate_lines(report["ope"]):
        console.print(line)


def estimate_lines(ope: dict[str, Any]) -> list[str]:
    """What the rewards say, in words."""
    if "disabled" in ope:
        return [f"OPE disabled: {ope['disabled']}"]
    quality, cost = ope["quality"], ope["cost_usd"]
    lines = [
        f"by {ope['n_graded']:,} graded decisions ({quality['ess']:.0f} effective, mean weight "
        f"{quality['mean_weight']:.3f}), doubly robust with 95 % intervals:",
        f"  quality {_interval(quality['dr'], 4)}, gain {_interval(quality['gain'], 4)}",
        f"  cost    {_interval(cost['dr'], 6)} USD, change {_interval(cost['gain'], 6)}",
    ]
    if "utility" in ope:
        utility = ope["utility"]
        lines.append(f"  utility {_interval(utility['dr'], 4)}, gain {_interval(utility['gain'], 4)}")
    for one in ope["slices"]:
        labels = ", ".join(one["labels"].values()) or "all"
        bound = f"quality at least {one['dr_lcb']:.4f}" if one["n"] else "nothing graded"
        lines.append(f"  {labels}: {bound}, floor {one['min_quality']:.4f} ({one['n']:,} graded)")
    if ope["n_unsupported"]:
        lines.append(
            f"  of {ope['n_unsupported']:,} the log could not have drawn the choice: "
            "there it rests on predictions"
        )
    return lines


def _interval(one: dict[str, float], digits: int) -> str:
    return f"{one['mean']:+.{digits}f} [{one['low']:+.{digits}f}, {one['high']:+.{digits}f}]"
