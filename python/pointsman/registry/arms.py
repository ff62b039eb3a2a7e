"""The versions of each policy as policies: what serves, its canary, its shadow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from pointsman.errors import ConfigError
from pointsman.registry.policies import build_policies, document_of, policy_of
from pointsman.registry.policy_set import version_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pointsman.config import Config
    from pointsman.registry.policies import Policy
    from pointsman.registry.policy_set import PolicySet, PolicyVersion

_PLACES = 2.0**64


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyArms:
    """One policy's versions.

    Attributes:
        main: What serves.
        pinned: The same, for requests that pin a model: those no policy chooses for.
        canary: What decides a share of the sessions; `None`: nothing is tried.
        share: That share, in (0, 1); 0 without a canary.
        since_s: When the canary began, Unix seconds.
        shadow: What is asked, and not heeded; `None`: nothing.
    """

    main: Policy
    pinned: Policy
    canary: Policy | None = None
    share: float = 0.0
    since_s: float = 0.0
    shadow: Policy | None = None


def build_arms(config: Config, policies: PolicySet) -> dict[str, PolicyArms]:
    """The versions of each policy by its name.

    Raises:
        ConfigError: A version names a model or provider that the config does not have.
    """
    configured = build_policies(config)
    problems: list[str] = []
    built = {name: _arms(config, policies, name, own, problems) for name, own in configured.items()}
    if problems:
        raise ConfigError(problems)
    return built


def _arms(
    config: Config, policies: PolicySet, name: str, configured: Policy, problems: list[str]
) -> PolicyArms:
    state = policies.state(name)

    def made(one: PolicyVersion | None, arm: Any) -> Policy | None:
        if one is None:
            return None
        lacking = list(lacking_names(config, one.document))
        problems.extend(
            f"version {one.version}: {each}; put it back, or run `pointsman rollback`" for each in lacking
        )
        try:
            return replace(policy_of(name, one.document), version=one.version, arm=arm)
        except ValueError:  # pydantic's, whose text would print the document
            seen = f"version {one.version} is of another release, or was changed by hand"
            problems.append(f"{seen}; run `pointsman rollback`, or promote it anew")
            return None

    document = document_of(config.policies.get(name))
    own = replace(configured, version=version_of(name, document))
    main = made(state.serving, "main") or own
    canary, shadow = made(state.canary, "canary"), made(state.shadow, "shadow")
    return PolicyArms(
        main=main,
        pinned=replace(main, arm="pinned"),
        canary=canary,
        share=(state.canary.share or 0.0) if state.canary else 0.0,
        since_s=state.canary.since_s if state.canary else 0.0,
        shadow=shadow,
    )


def lacking_names(config: Config, document: Mapping[str, Any]) -> Iterator[str]:
    """What a policy's document names and the config does not have."""
    provider = document.get("provider") or {}
    models = [*(document.get("models") or ()), document.get("quality_like")]
    providers = [name for key in ("order", "only", "ignore") for name in provider.get(key) or ()]
    yield from (f"no model {name!r} in the config" for name in models if name and name not in config.models)
    yield from (f"no provider {name!r} in the config" for name in providers if name not in config.providers)


def place_of(version: str, tenant: str | None, session_id: str) -> float:
    """Where a session stands in [0, 1) for a version: those below its share are its own, whatever the share.

    Example:
        >>> place_of("default@1f0c9a2b", None, "a") == place_of("default@1f0c9a2b", None, "a")
        True
    """
    content = "\0".join((version, tenant or "", session_id)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big") / _PLACES
