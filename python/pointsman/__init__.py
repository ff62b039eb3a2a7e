"""pointsman: a router for LLM requests.

    from pointsman import Router

    async with Router.from_config("pointsman.yaml") as router:
        answer = await router.complete("Is 'I want my money back' a complaint? yes or no", min_quality=0.7)

Importing costs little: the router, its config and its HTTP clients are loaded when first used.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pointsman import _native
from pointsman._native import Catalog, Core, Decision, Infeasible, __version__
from pointsman.errors import (
    ConfigError,
    DeploymentsUnavailable,
    InvalidInput,
    InvalidState,
    NoFeasibleDeployment,
    PointsmanError,
    ProviderError,
    ProvidersExhausted,
    ProviderTimeout,
    ProviderUnreachable,
    RequestError,
    StoreUnavailable,
    UnknownName,
)
from pointsman.types import (
    Attempt,
    Certificate,
    Completion,
    Constraints,
    Outcome,
    ProviderPreferences,
    Request,
    Usage,
)

if TYPE_CHECKING:
    from pointsman.execution.gate import DeploymentState, HealthEvent
    from pointsman.registry import Registry
    from pointsman.router import CompletionStream, Router

__all__ = [
    "Attempt",
    "Catalog",
    "Certificate",
    "Completion",
    "CompletionStream",
    "ConfigError",
    "Constraints",
    "Core",
    "Decision",
    "DeploymentState",
    "DeploymentsUnavailable",
    "HealthEvent",
    "Infeasible",
    "InvalidInput",
    "InvalidState",
    "NoFeasibleDeployment",
    "Outcome",
    "PointsmanError",
    "ProviderError",
    "ProviderPreferences",
    "ProviderTimeout",
    "ProviderUnreachable",
    "ProvidersExhausted",
    "Registry",
    "Request",
    "RequestError",
    "Router",
    "StoreUnavailable",
    "UnknownName",
    "Usage",
    "__version__",
]

_LAZY = {
    "DeploymentState": "pointsman.execution.gate",
    "HealthEvent": "pointsman.execution.gate",
    "Router": "pointsman.router",
    "CompletionStream": "pointsman.router",
    "Registry": "pointsman.registry",
}

if _native.build_profile == "debug":
    warnings.warn("pointsman's native core is a debug build, 10x slower; use `make build`", stacklevel=2)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
