"""What a router is made of and what it leaves behind: registries read, errors named, providers closed."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from anyio import CancelScope

from pointsman.errors import PointsmanError, RequestError
from pointsman.execution.retry import RetryRules
from pointsman.registry import registry_from_config

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pointsman.execution.dispatch import Dispatch
    from pointsman.providers import Provider
    from pointsman.registry import Registry

_SEED = random.getrandbits(63)
"""Tells the ejections of this process from those of others."""
_LOG = logging.getLogger("pointsman.router")


def unknown_name(message: str) -> RequestError:
    """The core's complaint about a name, which begins with the field that holds it."""
    field = message.split(":", 1)[0]
    if field == "allowed_models":
        return RequestError(
            message.removeprefix("allowed_models: "), code="caller_model_not_found", param="model", status=404
        )
    param = "pointsman.quality_like" if field == "quality_like" else field
    return RequestError(message, code="caller_unknown_name", param=param)


def configure(dispatch: Dispatch, registry: Registry) -> None:
    """Meet failures as the registry's config says."""
    settings = registry.config
    rules = RetryRules(**settings.retries.model_dump())
    dispatch.configure(rules, settings.health.of_core(_SEED))


async def close_all(providers: Iterable[Provider]) -> None:
    """Close each, whatever becomes of the others or of the caller."""
    with CancelScope(shield=True):
        for provider in providers:
            try:
                await provider.aclose()
            except (PointsmanError, OSError) as error:
                _LOG.warning("provider %s did not close: %s", provider.name, error)


def load_registry(config: str | Path | Mapping[str, Any] | None) -> Registry:
    """Read a registry from a config file, a mapping of the same shape, or (`None`) the environment.

    Raises:
        ConfigError: Every problem found, one line each.
    """
    # Here, not above: pydantic costs more to import than ten thousand decisions.
    from pointsman import config as configs

    if config is None:
        return registry_from_config(configs.config_from_environment(os.environ))
    if isinstance(config, Mapping):
        return registry_from_config(configs.parse_config(config, source="mapping"))
    return registry_from_config(configs.load_config(config))
