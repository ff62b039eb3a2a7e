"""Which version of each policy serves, which is tried, which served before; and who said so and why.

A version is a policy's document under a name that its content gives: `default@1f0c9a2b`. Where nothing was
promoted the config's own document serves. Changing a set makes a new one; `PolicyFolder` keeps the newest.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson

from pointsman.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGEST_BYTES = 4
# Versions a policy can be rolled back over.
_MOST_FORMER = 20
Event = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """A version of a policy in a role.

    Attributes:
        version: Its name.
        document: The policy as a config has it.
        since_s: When it came into the role, Unix seconds.
        share: Of a canary: the share of sessions it decides, in (0, 1).
    """

    version: str
    document: Mapping[str, Any]
    since_s: float
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """The versions of one policy.

    Attributes:
        serving: What decides; `None`: the config's document.
        former: What decided before, the latest last; `None` in it: the config's document.
        canary: What decides a share of the sessions.
        shadow: What is asked, and not heeded.
    """

    serving: PolicyVersion | None = None
    former: tuple[PolicyVersion | None, ...] = ()
    canary: PolicyVersion | None = None
    shadow: PolicyVersion | None = None


_AS_CONFIGURED = PolicyState()


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The versions of all policies that were ever promoted, and the audit trail, oldest event first."""

    policies: Mapping[str, PolicyState] = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    def state(self, policy: str) -> PolicyState:
        """The versions of a policy; as configured, if nothing was promoted."""
        return self.policies.get(policy, _AS_CONFIGURED)

    def promoted(self, policy: str, version: PolicyVersion, event: Event) -> PolicySet:
        """`version` serves from now on; a canary or shadow of it has ended."""
        now = self.state(policy)
        kept = {
            role: None if one is not None and one.version == version.version else one
            for role, one in (("canary", now.canary), ("shadow", now.shadow))
        }
        # A canary of something else was compared with what serves no more.
        changed = replace(
            now, serving=version, former=(*now.former, now.serving)[-_MOST_FORMER:], shadow=kept["shadow"]
        )
        return self._with(policy, replace(changed, canary=None), event)

    def tried(self, policy: str, version: PolicyVersion, event: Event) -> PolicySet:
        """`version` decides its share of the sessions from now on."""
        return self._with(policy, replace(self.state(policy), canary=version), event)

    def shadowed(self, policy: str, version: PolicyVersion | None, event: Event) -> PolicySet:
        """`version` is asked from now on, and not heeded; `None`: nothing is."""
        return self._with(policy, replace(self.state(policy), shadow=version), event)

    def rolled_back(self, policy: str, event: Event) -> PolicySet:
        """A running canary ends; without one, what served before serves again.

        Raises:
            ConfigError: There is neither.
        """
        now = self.state(policy)
        if now.canary is not None:
            told = event | {"version": now.canary.version, "to": name_of(now.serving)}
            return self._with(policy, replace(now, canary=None), told)
        if not now.former:
            raise ConfigError(
                [f"policy {policy!r} has no canary and served nothing before; there is nothing to roll back"]
            )
        before = now.former[-1]
        told = event | {"version": name_of(now.serving), "to": name_of(before)}
        return self._with(policy, replace(now, serving=before, former=now.former[:-1]), told)

    def _with(self, policy: str, state: PolicyState, event: Event) -> PolicySet:
        return PolicySet({**self.policies, policy: state}, (*self.events, {"policy": policy, **event}))


def name_of(version: PolicyVersion | None) -> str:
    """A version's name; `config` of the config's own."""
    return "config" if version is None else version.version


def version_of(policy: str, document: Mapping[str, Any]) -> str:
    """The name of a policy's document: equal ones have equal names.

    Example:
        >>> version_of("default", {"min_quality": 0.8})
        'default@909722e7'
    """
    content = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    return f"{policy}@{blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()}"
