"""`pointsman promote` and `pointsman rollback`: which version of a policy decides."""

from __future__ import annotations

import getpass
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from pointsman.cli.options import ConfigOption, JsonOption, config_path, store_url
from pointsman.cli.replay import MarginOption, QualityValueOption, estimate_lines
from pointsman.errors import ConfigError

if TYPE_CHECKING:
    from pointsman.learning.promote import Proposal, Role
    from pointsman.registry import Registry
    from pointsman.registry.policy_folder import PolicyFolder
    from pointsman.registry.policy_set import PolicySet

PolicyOption = Annotated[
    str, typer.Option("--policy", "-p", help="The policy that gets another version, as the config names it.")
]
WhyOption = Annotated[str | None, typer.Option("--why", help="Why, for the audit trail.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who says so. Default: who is logged in.")]


def promote(
    candidate: Annotated[
        str,
        typer.Argument(
            help="A policy of the config by its name, a .yaml file that holds one, or a version tried now."
        ),
    ],
    policy: PolicyOption = "default",
    log: Annotated[
        str | None,
        typer.Option(
            "--log", help="Decisions to judge it by: a database, or an export. Default: the config's."
        ),
    ] = None,
    canary: Annotated[
        str | None, typer.Option("--canary", help="Only this share of sessions, such as 5%.")
    ] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Only ask it beside what serves; needs no gate.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Although the gate refuses; say --why.")] = False,
    why: WhyOption = None,
    by: ByOption = None,
    margin: MarginOption = None,
    quality_value_usd: QualityValueOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a candidate decide in a policy's place: all of it, or a share of the sessions first.

    It must pass the gate: by the log no worse than what serves, with 95 % confidence, and above the floor of
    every protected slice. A running gateway follows within seconds.
    """
    share = None if canary is None else _share(canary)
    if share is not None and shadow:
        raise typer.BadParameter("give --canary or --shadow, not both")
    if force and not why:
        raise typer.BadParameter("say why with --why: it stands in the audit trail")
    role: Role = "shadow" if shadow else "serving" if share is None else "canary"
    try:
        told = _promote(
            *_proposed(candidate, policy, config),
            role=role,
            log=None if role == "shadow" else log or store_url(None, config),
            share=share,
            is_forced=force,
            notes={"why": why, "by": by or getpass.getuser()},
            of_gate={"margin": margin, "quality_value_usd": quality_value_usd},
        )
    except ConfigError as error:
        print(f"pointsman promote: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(told) + b"\n")
    else:
        _show(told)
    if not told["is_placed"]:
        for reason in told["refusals"]:
            print(f"pointsman promote: refused: {reason}", file=sys.stderr)
        raise typer.Exit(1)


def rollback(
    policy: PolicyOption = "default",
    shadow: Annotated[bool, typer.Option("--shadow", help="Ask the shadow no longer, and no more.")] = False,
    why: WhyOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a policy's canary; without one, let the version decide that did before."""
    event = {
        "action": "end-shadow" if shadow else "rollback",
        "at_s": time.time(),
        "by": by or getpass.getuser(),
        "why": why,
    }

    def change(policies: PolicySet) -> PolicySet:
        if not shadow:
            return policies.rolled_back(policy, event)
        asked = policies.state(policy).shadow
        if asked is None:
            raise ConfigError([f"policy {policy!r} has no shadow"])
        return policies.shadowed(policy, None, event | {"version": asked.version})

    try:
        told = _folder_of_config(config).change(change).events[-1]
    except ConfigError as error:
        print(f"pointsman rollback: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(told) + b"\n")
    elif shadow:
        print(f"policy {policy}: {told['version']} is no longer asked")
    else:
        print(f"policy {policy}: {told['version']} is rolled back; {told['to']} decides")


def folder_of(registry: Registry) -> PolicyFolder:
    """Where a config keeps versions of policies.

    Raises:
        ConfigError: It has no such section.
    """
    from pointsman.registry.policy_folder import policy_folder

    folder = policy_folder(registry.promotion)
    if folder is None:
        source = registry.config.origin.source
        raise ConfigError([f"{source}: promotion: is missing; add `promotion: {{path: pointsman-policies}}`"])
    return folder


def _folder_of_config(config: Path | None) -> PolicyFolder:
    """As `folder_of`, although the versions in the folder may be none that the config can use."""
    from pointsman.config import load_config
    from pointsman.registry.policy_folder import policy_folder

    path = config_path(config)
    folder = policy_folder(load_config(path).promotion) if path is not None else None
    if folder is None:
        raise ConfigError(["there is no config with a `promotion:` section; give one with --config"])
    return folder


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise typer.BadParameter(f"--canary {text!r:.20} is no share; give 5% or 0.05, without it for all")
    return share


def _proposed(candidate: str, policy: str, config: Path | None) -> tuple[Registry, PolicyFolder, Proposal]:
    from pointsman.learning.promote import propose
    from pointsman.router import load_registry

    registry = load_registry(config_path(config))
    folder = folder_of(registry)
    return registry, folder, propose(registry, folder.load(), policy, candidate)


def _promote(
    registry: Registry,
    folder: PolicyFolder,
    proposal: Proposal,
    *,
    role: Role,
    log: str | None,
    share: float | None,
    is_forced: bool,
    notes: dict[str, Any],
    of_gate: dict[str, Any],
) -> dict[str, Any]:
    """Judge a proposal, and put it into its role unless it is refused."""
    from pointsman.learning.gate import gate_rules
    from pointsman.learning.promote import judge, place
    from pointsman.store.rows import decision_rows

    told: dict[str, Any] = {"policy": proposal.policy, "version": proposal.version, "role": role}
    told |= {"share": share, "refusals": [], "gate": None, "live": _live(registry, folder, proposal)}
    if role == "shadow" and registry.store is None:
        raise ConfigError(["a shadow's choices are logged; add `store: {}` to the config"])
    if role == "serving" and proposal.version == registry.arms[proposal.policy].main.version:
        raise ConfigError([f"{proposal.version} decides already"])
    if log is not None:
        rules = gate_rules(registry.promotion, registry.arms[proposal.policy].main, **of_gate)
        told["gate"] = judge(registry, proposal, decision_rows(log), rules)
        told["refusals"] = told["gate"]["refusals"]
    if told["live"] is not None and told["live"]["is_worse"]:
        told["refusals"] = [*told["refusals"], "its canary was found worse than what serves"]
    told["is_placed"] = is_forced or not told["refusals"]
    if told["is_placed"]:
        kept = {"gate": told["gate"], "live": told["live"], "share": share}
        place(folder, proposal, role, now_s=time.time(), **notes, **kept)
    return told


def _live(registry: Registry, folder: PolicyFolder, proposal: Proposal) -> dict[str, Any] | None:
    """What the proposal's own canary showed so far."""
    from pointsman.router.canary import read_figures, rules_of

    rules = rules_of(registry, proposal.policy)
    if rules is None or rules.version != proposal.version:
        return None
    return read_figures(folder.path, rules)


def _show(told: dict[str, Any]) -> None:
    gate = told["gate"]
    if gate is not None:
        print(f"{gate['n']:,} decisions of {gate['serving']}: {gate['n_changed']:,} go elsewhere")
        print("\n".join(estimate_lines(gate["ope"])))
    if told["live"] is not None:
        print(live_line(told["live"]))
    if not told["is_placed"]:
        return
    what = {
        "shadow": "is asked beside what decides; its choices stand in the log",
        "canary": f"decides {told['share'] or 0:.2%} of the sessions; taken back by itself if it is worse",
        "serving": "decides",
    }
    forced = ", although the gate refused it" if told["refusals"] else ""
    print(f"policy {told['policy']}: {told['version']} {what[told['role']]}{forced}")
    if told["role"] != "serving":
        print(
            f"next: `pointsman policies`, then `pointsman promote {told['version']}` or `pointsman rollback`"
        )


def live_line(live: dict[str, Any]) -> str:
    """What a canary showed so far, in words."""
    seen = [name for name in ("worth", "signals", "answers") if any(live[name]["n"])]
    return "live: " + ("; ".join(_measure_words(name, live[name]) for name in seen) or "nothing yet")


def _measure_words(name: str, found: dict[str, Any]) -> str:
    main, canary = ("-" if mean is None else f"{mean:.4f}" for mean in found["mean"])
    low, high = found["difference"]["low"], found["difference"]["high"]
    return (
        f"{name} {canary} of {found['n'][1]:,} sessions, others {main} of {found['n'][0]:,}, "
        f"difference in [{low:+.2f}, {high:+.2f}], e-value {found['e_value']:.2f}"
    )
