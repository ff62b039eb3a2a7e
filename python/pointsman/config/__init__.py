"""Typed settings from YAML, with errors that name file, line, key path, the value seen and the remedy."""

from pointsman.config.cache import CacheSettings
from pointsman.config.deployments import (
    DeploymentSettings,
    LatencySettings,
    LimitSettings,
    PriceSettings,
    RateSettings,
)
from pointsman.config.environment import config_from_environment
from pointsman.config.keys import AllowanceSettings, BudgetsSettings, KeySettings
from pointsman.config.known import KNOWN_PROVIDERS, KnownProvider
from pointsman.config.learning import LearningSettings
from pointsman.config.load import load_config, parse_config
from pointsman.config.problems import Origin
from pointsman.config.promotion import PromotionSettings, ProtectedSettings
from pointsman.config.providers import ProviderSettings, TimeoutSettings
from pointsman.config.schema import Config, ModelSettings, PolicySettings, PreferenceSettings, ServerSettings
from pointsman.config.signals import JudgeSettings, SignalSettings, VerdictSettings
from pointsman.config.store import StoreSettings
from pointsman.config.values import Secret

__all__ = [
    "KNOWN_PROVIDERS",
    "AllowanceSettings",
    "BudgetsSettings",
    "CacheSettings",
    "Config",
    "DeploymentSettings",
    "JudgeSettings",
    "KeySettings",
    "KnownProvider",
    "LatencySettings",
    "LearningSettings",
    "LimitSettings",
    "ModelSettings",
    "Origin",
    "PolicySettings",
    "PreferenceSettings",
    "PriceSettings",
    "PromotionSettings",
    "ProtectedSettings",
    "ProviderSettings",
    "RateSettings",
    "Secret",
    "ServerSettings",
    "SignalSettings",
    "StoreSettings",
    "TimeoutSettings",
    "VerdictSettings",
    "config_from_environment",
    "load_config",
    "parse_config",
]
