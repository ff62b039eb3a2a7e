"""Promotion: a candidate is judged by a log, put in a role, and what was seen is written down.

A candidate is a policy's document: another policy of the config, a file that holds one, or a version that is
tried already. Roles: `canary` decides a share of the sessions, `shadow` is asked and not heeded, `serving`
decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pointsman.config.policy_file import load_policy
from pointsman.errors import ConfigError
from pointsman.learning.gate import refusals
from pointsman.learning.replay import replay
from pointsman.registry.arms import lacking_names
from pointsman.registry.policies import document_of, policy_of
from pointsman.registry.policy_set import PolicySet, PolicyVersion, name_of, version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pointsman.learning.gate import GateRules
    from pointsman.registry import Registry
    from pointsman.registry.policy_folder import PolicyFolder

Role = Literal["canary", "shadow", "serving"]
_ACTIONS = {"canary": "canary", "shadow": "shadow", "serving": "promote"}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A document that is to take a role in a policy.

    Attributes:
        policy: Name of the policy.
        document: What it says, as a config has it.
    """

    policy: str
    document: Mapping[str, Any]

    @property
    def version(self) -> str:
        """The name its content gives it."""
        return version_of(self.policy, self.document)


def propose(registry: Registry, policies: PolicySet, policy: str, candidate: str) -> Proposal:
    """The proposal that a candidate's name stands for.

    Args:
        registry: What the config says.
        policies: The versions there are.
        policy: Name of the policy it is to take a role in.
        candidate: A policy of the config, a `.yaml` file, or a version that is tried or served already.

    Raises:
        ConfigError: There is no such policy or candidate, or it names what the config does not have.
    """
    if policy not in registry.arms:
        raise ConfigError([f"no policy named {policy!r}; the config has {', '.join(registry.arms)}"])
    state = policies.state(policy)
    versions = [one for one in (state.canary, state.shadow, state.serving, *state.former) if one is not None]
    known = {one.version: one.document for one in versions}
    if candidate in known:
        document = known[candidate]
    elif Path(candidate).suffix in (".yaml", ".yml"):
        document = document_of(load_policy(Path(candidate), policy))
    elif candidate in registry.arms:
        document = document_of(registry.config.policies.get(candidate))
    else:
        names = ", ".join([*registry.arms, *known])
        raise ConfigError([f"no candidate {candidate!r}; give one of {names}, or a .yaml file"])
    lacking = list(lacking_names(registry.config, document))
    if lacking:
        raise ConfigError([f"candidate {candidate}: {each}; add it, or drop it" for each in lacking])
    return Proposal(policy, document)


def judge(
    registry: Registry, proposal: Proposal, rows: Iterable[Mapping[str, Any]], rules: GateRules
) -> dict[str, Any]:
    """What a log says of a proposal.

    Returns:
        `version`, `serving`, what `replay` reports, `rules` and `refusals`: why it may not take over.
    """
    serving = registry.arms[proposal.policy].main.version
    candidate = replace(policy_of(proposal.policy, proposal.document), version=proposal.version)
    report = replay(rows, candidate, logged_policy=proposal.policy, rules=rules, serving=serving)
    told = {"version": proposal.version, "serving": serving, **report}
    told["rules"] = {"margin": rules.margin, "quality_value_usd": rules.quality_value_usd}
    return told | {"refusals": refusals(report["ope"])}


def place(
    folder: PolicyFolder,
    proposal: Proposal,
    role: Role,
    *,
    by: str,
    now_s: float,
    share: float | None = None,
    why: str | None = None,
    gate: Mapping[str, Any] | None = None,
    live: Mapping[str, Any] | None = None,
) -> PolicySet:
    """Put a proposal into a role, at once and for every process that follows the folder.

    Args:
        folder: Where versions are kept.
        proposal: What.
        role: Which.
        by: Who says so.
        now_s: Unix time, seconds.
        share: Of a canary.
        why: Why, in words.
        gate: What `judge` said.
        live: What its canary showed so far.

    Raises:
        ConfigError: The folder cannot be written.
    """
    made = PolicyVersion(version=proposal.version, document=proposal.document, since_s=now_s, share=share)
    event: dict[str, Any] = {
        "action": _ACTIONS[role],
        "version": made.version,
        "at_s": now_s,
        "by": by,
        "why": why,
        "gate": None if gate is None else figures_of(gate),
        "live": live,
    }
    if share is not None:
        event["share"] = share

    def change(policies: PolicySet) -> PolicySet:
        told = event | {"from": name_of(policies.state(proposal.policy).serving)}
        if role == "canary":
            return policies.tried(proposal.policy, made, told)
        if role == "shadow":
            return policies.shadowed(proposal.policy, made, told)
        return policies.promoted(proposal.policy, made, told)

    return folder.change(change)


def figures_of(judged: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a judgement that the audit trail keeps."""
    ope = judged["ope"]
    told: dict[str, Any] = {name: judged[name] for name in ("n", "n_changed", "rules", "refusals")}
    told["n_graded"] = ope["n_graded"]
    for name in ("utility", "quality", "cost_usd"):
        if name in ope:
            told[name] = {key: ope[name][key] for key in ("gain", "gain_lcb", "ess", "mean_weight")}
    told["slices"] = [
        {key: one[key] for key in ("labels", "min_quality", "n", "dr_lcb")} for one in ope.get("slices", ())
    ]
    return told
