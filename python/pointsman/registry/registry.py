"""The registry: one frozen object with all a router needs of its config."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import orjson

from pointsman._native import Catalog
from pointsman.errors import ConfigError, InvalidInput
from pointsman.registry.adapters import provider_settings
from pointsman.registry.arms import build_arms
from pointsman.registry.document import (
    build_catalog_document,
    embedding_catalog_document,
    embedding_prices,
)
from pointsman.registry.policy_folder import policy_folder
from pointsman.registry.policy_set import PolicySet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.config import (
        BudgetsSettings,
        CacheSettings,
        Config,
        DeploymentSettings,
        KeySettings,
        LearningSettings,
        PromotionSettings,
        ServerSettings,
        SignalSettings,
        StoreSettings,
    )
    from pointsman.providers import ProviderSettings
    from pointsman.registry.arms import PolicyArms
    from pointsman.registry.policies import Policy


@dataclass(frozen=True, repr=False, eq=False)
class Registry:
    """Models, providers, deployments and policies of one config; never changes, a new config makes a new one.

    Attributes:
        config: What it was made of.
        catalog: What the core decides on.
        providers: Settings of each provider's adapter, in the config's order.
        arms: Each policy's versions by its name; `default` is always there.
        max_output_tokens: The most tokens each model can write; `None`: unknown.
        embedding_catalog: The deployments of embedding models; `None`: there are none.
        embedding_prices: Nano-dollars per 1M input tokens of each deployment of an embedding model, by name.
    """

    config: Config
    catalog: Catalog
    providers: tuple[ProviderSettings, ...]
    arms: Mapping[str, PolicyArms]
    max_output_tokens: Mapping[str, int | None] = field(default_factory=dict)
    embedding_prices: Mapping[str, int] = field(default_factory=dict)
    embedding_catalog: Catalog | None = None

    def __repr__(self) -> str:
        source, n_deployments = self.config.origin.source, len(self.catalog)
        return f"Registry({source!r}, {n_deployments} deployments, {self.catalog.version})"

    @property
    def policies(self) -> Mapping[str, Policy]:
        """What serves of each policy, by name."""
        return MappingProxyType({name: arms.main for name, arms in self.arms.items()})

    @property
    def promotion(self) -> PromotionSettings | None:
        """Where versions of policies are kept; `None`: the config's own serve."""
        return self.config.promotion

    @property
    def server(self) -> ServerSettings:
        """Where the gateway listens."""
        return self.config.server

    @property
    def signals(self) -> SignalSettings | None:
        """What is looked at in answers; `None`: nothing is."""
        return self.config.signals

    @property
    def cache(self) -> CacheSettings | None:
        """Settings of the semantic cache; `None`: there is none."""
        return self.config.cache

    @property
    def store(self) -> StoreSettings | None:
        """Settings of the decision log; `None`: nothing is logged."""
        return self.config.store

    @property
    def keys(self) -> KeySettings | None:
        """Where the callers' keys are kept; `None`: nobody needs one."""
        return self.config.keys

    @property
    def budgets(self) -> BudgetsSettings | None:
        """What requests may cost together; `None`: there is no such limit."""
        return self.config.budgets

    @property
    def learning(self) -> LearningSettings:
        """Where what was learned is kept."""
        return self.config.learning

    @property
    def deployments(self) -> tuple[DeploymentSettings, ...]:
        """Deployments of models that chat, in catalog order."""
        return tuple(each for each in self.config.deployments if each.name not in self.embedding_prices)

    @property
    def embedding_deployments(self) -> tuple[DeploymentSettings, ...]:
        """Deployments of embedding models, which are not in the catalog."""
        return tuple(each for each in self.config.deployments if each.name in self.embedding_prices)


def registry_from_config(config: Config) -> Registry:
    """The registry of a config.

    Raises:
        ConfigError: A price or context window is nowhere to be found, or the core refuses the catalog.
    """
    document, embedding = build_catalog_document(config), embedding_catalog_document(config)
    folder = policy_folder(config.promotion)
    try:
        catalog = Catalog.from_json(orjson.dumps(document))
        embedding_catalog = Catalog.from_json(orjson.dumps(embedding)) if embedding else None
    except InvalidInput as error:
        raise ConfigError([f"{config.origin.source}: the core refuses the catalog: {error}"]) from None
    return Registry(
        config=config,
        catalog=catalog,
        providers=provider_settings(config),
        arms=MappingProxyType(build_arms(config, folder.load() if folder else PolicySet())),
        max_output_tokens={model["name"]: model["max_output_tokens"] for model in document["models"]},
        embedding_prices=MappingProxyType(embedding_prices(config)),
        embedding_catalog=embedding_catalog,
    )
