"""The registry: one frozen object with all a router needs of its config."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

import orjson

from pointsman._native import Catalog
from pointsman.errors import ConfigError, InvalidInput, UnknownName
from pointsman.registry.adapters import provider_settings
from pointsman.registry.document import build_catalog_document
from pointsman.registry.policies import Policy, build_policies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.config import Config, DeploymentSettings, ServerSettings
    from pointsman.providers import ProviderSettings


@dataclass(frozen=True, repr=False, eq=False)
class Registry:
    """Models, providers, deployments and policies of one config; never changes, a new config makes a new one.

    Attributes:
        config: What it was made of.
        catalog: What the core decides on.
        providers: Settings of each provider's adapter, in the config's order.
        policies: By name; `default` is always there.
    """

    config: Config
    catalog: Catalog
    providers: tuple[ProviderSettings, ...]
    policies: Mapping[str, Policy]

    def __repr__(self) -> str:
        source, n_deployments = self.config.origin.source, len(self.catalog)
        return f"Registry({source!r}, {n_deployments} deployments, {self.catalog.version})"

    @property
    def server(self) -> ServerSettings:
        """Where the gateway listens."""
        return self.config.server

    @property
    def deployments(self) -> tuple[DeploymentSettings, ...]:
        """Deployments, in catalog order."""
        return self.config.deployments

    @cached_property
    def _by_name(self) -> dict[str, DeploymentSettings]:
        return {deployment.name: deployment for deployment in self.deployments}

    def deployment(self, name: str) -> DeploymentSettings:
        """The settings of a deployment.

        Raises:
            UnknownName: No such deployment.
        """
        if name not in self._by_name:
            raise UnknownName(_unknown("deployment", name, self._by_name))
        return self._by_name[name]

    def upstream_model(self, deployment: str) -> str:
        """What the provider calls the model of a deployment; raises as `deployment`."""
        return self.deployment(deployment).upstream_model

    def resolve_policy(self, name: str) -> Policy:
        """The policy of a name.

        Raises:
            UnknownName: No such policy.
        """
        if name not in self.policies:
            raise UnknownName(_unknown("policy", name, self.policies))
        return self.policies[name]


def registry_from_config(config: Config) -> Registry:
    """The registry of a config.

    Raises:
        ConfigError: A price or context window is nowhere to be found, or the core refuses the catalog.
    """
    document = build_catalog_document(config)
    try:
        catalog = Catalog.from_json(orjson.dumps(document))
    except InvalidInput as error:
        raise ConfigError([f"{config.origin.source}: the core refuses the catalog: {error}"]) from None
    return Registry(
        config=config,
        catalog=catalog,
        providers=provider_settings(config),
        policies=MappingProxyType(build_policies(config)),
    )


_PLURALS = {"deployment": "deployments", "policy": "policies"}

from_config = registry_from_config


def _unknown(noun: str, name: str, known: Mapping[str, object]) -> str:
    from pointsman.config.problems import suggest

    return f"unknown {noun} {name!r}; {suggest(name, known, noun=_PLURALS[noun])}"
