"""A config without a file: the API keys of the environment and a portfolio of models per provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from pointsman.config.known import KNOWN_PROVIDERS, KnownProvider
from pointsman.config.load import parse_config
from pointsman.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pointsman.config.schema import Config

SOURCE = "environment"


@dataclass(frozen=True, slots=True)
class PortfolioModel:
    """A model an environment-only start offers.

    Attributes:
        name: Its name here; the same weights at two providers carry the same name.
        upstream_model: The provider's name of it.
        deprecation_date: Day from which it is left out.
    """

    name: str
    upstream_model: str
    deprecation_date: date | None = None


def _models(
    *names: str | tuple[str, str], until: Mapping[str, date] | None = None
) -> tuple[PortfolioModel, ...]:
    pairs = [(name, name) if isinstance(name, str) else name for name in names]
    return tuple(PortfolioModel(name, upstream, (until or {}).get(upstream)) for name, upstream in pairs)


# The newest generation of each provider's chat models, from its dearest to its cheapest, as the built-in list
# (LiteLLM 1.109.1) has them; a test holds names and dates against that list.
PORTFOLIO: Mapping[str, tuple[PortfolioModel, ...]] = {
    "openai": _models("gpt-6-astra", "gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna", "gpt-4.1", "gpt-4.1-mini"),
    "anthropic": _models("claude-fable-5-1", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"),
    "gemini": _models(
        "gemini-4-argon",
        "gemini-3.8-flash",
        "gemini-3.1-flash-lite",
        "gemini-2.5-flash-lite",
        until={"gemini-3.1-flash-lite": date(2027, 5, 7)},
    ),
    "mistral": _models(
        "mistral-large-4", "mistral-medium-3-5", "mistral-small-2603", "codestral-2508", "ministral-8b-2512"
    ),
    # Its other names are older models or aliases of these two.
    "deepseek": _models("deepseek-v4-pro", "deepseek-v4-flash"),
    "xai": _models("grok-4.7", "grok-4.3", "grok-4.20-non-reasoning", "grok-build-0.1"),
    "groq": _models(
        ("qwen3.8-27b", "qwen/qwen3.8-27b"),
        ("gpt-oss-120b", "openai/gpt-oss-120b"),
        ("gpt-oss-20b", "openai/gpt-oss-20b"),
    ),
    "together": _models(
        ("kimi-k3", "moonshotai/Kimi-K3"),
        ("glm-5.3", "zai-org/GLM-5.3"),
        ("glm-5.3-flash", "zai-org/GLM-5.3-Flash"),
        ("gpt-oss-120b", "openai/gpt-oss-120b"),
        ("qwen3.5-9b", "Qwen/Qwen3.5-9B"),
    ),
}


def config_from_environment(environ: Mapping[str, str], *, today: date | None = None) -> Config:
    """A config of every provider whose key is set, with its current models.

    Prices, context windows and capabilities come from the built-in price list.

    Args:
        environ: Environment variables; `OPENAI_BASE_URL` moves the `openai` provider.
        today: Models deprecated by this day are left out; the day it is if not given.

    Raises:
        ConfigError: No key is set, or a value cannot be used.
    """
    day = date.today() if today is None else today
    keyed = {
        known.name: variable
        for known in KNOWN_PROVIDERS.values()
        for variable in _key_variable(known, environ)
    }
    if not keyed:
        raise ConfigError([_no_keys()])
    deployments = [
        {"model": model.name, "provider": name, "upstream_model": model.upstream_model}
        for name in keyed
        for model in PORTFOLIO[name]
        if model.deprecation_date is None or model.deprecation_date > day
    ]
    document = {
        "providers": {
            name: _provider(KNOWN_PROVIDERS[name], variable, environ) for name, variable in keyed.items()
        },
        "models": {deployment["model"]: {} for deployment in deployments},
        "deployments": deployments,
    }
    # The variables are named, not pasted, so that no problem can show what they hold.
    return parse_config(document, source=SOURCE, environ=environ)


def _provider(known: KnownProvider, key_variable: str, environ: Mapping[str, str]) -> dict[str, Any]:
    settings = {"kind": known.kind, "base_url": known.base_url, "api_key": f"${{{key_variable}}}"}
    if known.base_url_variable and environ.get(known.base_url_variable):
        settings["base_url"] = f"${{{known.base_url_variable}}}"
    return settings


def _key_variable(known: KnownProvider, environ: Mapping[str, str]) -> Iterator[str]:
    """The first of the provider's variables that is set, if one is."""
    yield from [variable for variable in known.key_variables if environ.get(variable, "").strip()][:1]


def _no_keys() -> str:
    variables = [variable for known in KNOWN_PROVIDERS.values() for variable in known.key_variables]
    return (
        f"{SOURCE}: no config file and no API key; set one of {', '.join(variables)}, "
        "write a pointsman.yaml (see pointsman.example.yaml), or try `pointsman demo`, which needs no key"
    )
