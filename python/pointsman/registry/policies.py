"""Named policies of a config as the constraints and preferences a request starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pointsman.types import NO_CONSTRAINTS, NO_PREFERENCES, Budget, Constraints, ProviderPreferences

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from pointsman.config import Config, PolicySettings, PreferenceSettings
    from pointsman.types import Arm, CacheMode

DEFAULT_POLICY = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A named set of constraints and preferences; a request's own go over them.

    Attributes:
        name: Its name; callers write `auto:NAME`.
        constraints: What an answer must satisfy.
        preferences: Which providers may answer.
        allowed_models: Models that may answer, in order of preference; `None`: all of the catalog.
        budgets: What its requests may spend together; the prices of several add.
        cache: What the cache may do for its requests, if there is one; a request can only narrow it.
        cascade: Whether `auto` may ask several deployments one after the other.
        cascade_buffer_tokens: Tokens of a stream that are held back before a step's answer is looked at;
            `None`: all of them.
        hedge: Whether `auto` may ask a second deployment when the first is late.
        is_tolerance_default: Whether `constraints.quality_tolerance` stands for none given, widened by a
            budget: a request's floor takes its place.
        hedge_tools: Whether requests with tools may be asked twice, as their tools have no side effects.
        version: Name of its document (`pointsman.registry.policy_set`).
        arm: Which of the policy's versions it is.
    """

    name: str
    constraints: Constraints = NO_CONSTRAINTS
    preferences: ProviderPreferences = NO_PREFERENCES
    allowed_models: tuple[str, ...] | None = None
    budgets: tuple[Budget, ...] = ()
    cache: CacheMode = "read-write"
    cascade: bool = False
    cascade_buffer_tokens: int | None = None
    hedge: bool = False
    hedge_tools: bool = False
    is_tolerance_default: bool = False
    version: str = ""
    arm: Arm = "main"


def build_policies(config: Config) -> dict[str, Policy]:
    """Policies by name; `default` is always there, empty if the config has none."""
    configured = {name: _policy(name, settings) for name, settings in config.policies.items()}
    return {DEFAULT_POLICY: Policy(name=DEFAULT_POLICY)} | configured


def document_of(settings: PolicySettings | None) -> dict[str, Any]:
    """A policy as a config has it, without what is left at its default; `None`: nothing is said of it."""
    return {} if settings is None else settings.model_dump(mode="json", exclude_defaults=True)


def policy_of(name: str, document: Mapping[str, Any]) -> Policy:
    """The policy of a document that was checked when it was kept.

    Raises:
        pydantic.ValidationError: It is of another release.
    """
    from pointsman.config import PolicySettings

    return _policy(name, PolicySettings.model_validate(document))


def _policy(name: str, settings: PolicySettings) -> Policy:
    return Policy(
        name=name,
        constraints=Constraints(
            max_cost_usd=settings.max_cost_usd,
            max_latency_ms=settings.max_latency_ms,
            max_ttft_ms=settings.max_ttft_ms,
            min_quality=settings.min_quality,
            quality_like=settings.quality_like,
            quality_tolerance=_tolerance(settings),
            within_best=settings.within_best,
            quality_value_usd=settings.quality_value_usd,
            latency_value_usd_per_s=settings.latency_value_usd_per_s,
            strategy=settings.strategy,
            exploration=settings.exploration,
            min_propensity=settings.min_propensity,
        ),
        preferences=_preferences(settings.provider),
        allowed_models=settings.models,
        budgets=tuple(
            Budget(usd_per_request=one.usd_per_request, usd=one.usd, window_s=one.window_s)
            for one in settings.budget
        ),
        cache=settings.cache,
        cascade=settings.cascade,
        cascade_buffer_tokens=settings.cascade_buffer_tokens,
        hedge=settings.hedge,
        hedge_tools=settings.hedge_tools,
    )


def _tolerance(settings: PolicySettings) -> tuple[float, float, float] | None:
    from pointsman.config.values import DEFAULT_QUALITY_TOLERANCE

    if settings.quality_tolerance is None:
        return None
    filled: dict[str, float] = DEFAULT_QUALITY_TOLERANCE | {**settings.quality_tolerance}
    return filled["lookup"], filled["generation"], filled["reasoning"]


def _preferences(settings: PreferenceSettings) -> ProviderPreferences:
    return ProviderPreferences(
        order=settings.order,
        only=settings.only,
        ignore=settings.ignore,
        allow_fallbacks=settings.allow_fallbacks,
        require_parameters=settings.require_parameters,
        data_collection=settings.data_collection,
        sort=settings.sort,
        max_input_price_usd_per_mtok=_float(settings.max_price.prompt),
        max_output_price_usd_per_mtok=_float(settings.max_price.completion),
    )


def _float(price: Decimal | None) -> float | None:
    return None if price is None else float(price)
