"""Starting from API keys alone."""

from datetime import date

import pytest

from pointsman.config import KNOWN_PROVIDERS, config_from_environment
from pointsman.config.environment import PORTFOLIO
from pointsman.errors import ConfigError
from pointsman.registry import price_list, registry_from_config

TODAY = date(2026, 11, 24)
ALL_KEYS = {known.key_variables[0]: f"secret-{name}" for name, known in KNOWN_PROVIDERS.items()}


def test_one_key_gives_one_provider_with_its_models():
    config = config_from_environment({"ANTHROPIC_API_KEY": "k"}, today=TODAY)
    assert list(config.providers) == ["anthropic"]
    assert {deployment.provider for deployment in config.deployments} == {"anthropic"}
    assert set(config.models) == {deployment.model for deployment in config.deployments}


def test_every_provider_makes_a_catalog():
    registry = registry_from_config(config_from_environment(ALL_KEYS, today=TODAY))
    assert len(registry.catalog) == sum(map(len, PORTFOLIO.values()))
    assert {settings.api_key for settings in registry.providers} == set(ALL_KEYS.values())


def test_the_same_weights_at_two_providers_are_one_model():
    config = config_from_environment({"GROQ_API_KEY": "k", "TOGETHER_API_KEY": "k"}, today=TODAY)
    served_by = [
        deployment.provider for deployment in config.deployments if deployment.model == "gpt-oss-120b"
    ]
    assert served_by == ["groq", "together"]


def test_google_s_variable_is_gemini_s_too():
    environ = {"GOOGLE_API_KEY": "g"}
    assert config_from_environment(environ, today=TODAY).providers["gemini"].api_key.get_secret_value() == "g"
    environ["GEMINI_API_KEY"] = "first"
    config = config_from_environment(environ, today=TODAY)
    assert config.providers["gemini"].api_key.get_secret_value() == "first"


def test_openai_base_url_moves_openai():
    environ = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"}
    assert (
        config_from_environment(environ, today=TODAY).providers["openai"].base_url == "http://127.0.0.1:9/v1"
    )


def test_a_bad_openai_base_url_names_the_environment():
    with pytest.raises(ConfigError) as caught:
        config_from_environment({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "nonsense"}, today=TODAY)
    [problem] = caught.value.problems
    assert problem.startswith(
        "environment: providers.openai.base_url: '${OPENAI_BASE_URL}' (from the environment)"
    )


@pytest.mark.parametrize("environ", [{}, {"OPENAI_API_KEY": ""}, {"OPENAI_API_KEY": "  "}])
def test_no_key_lists_the_variables_and_the_demo(environ):
    with pytest.raises(ConfigError) as caught:
        config_from_environment(environ, today=TODAY)
    [problem] = caught.value.problems
    assert all(variable in problem for known in KNOWN_PROVIDERS.values() for variable in known.key_variables)
    assert "`pointsman demo`" in problem


def test_deprecated_models_are_left_out():
    def names(today: date) -> set[str]:
        return set(config_from_environment({"GEMINI_API_KEY": "k"}, today=today).models)

    assert names(date(2027, 5, 6)) - names(date(2027, 5, 7)) == {"gemini-3.1-flash-lite"}


@pytest.mark.parametrize("provider", PORTFOLIO)
def test_the_portfolio_agrees_with_the_price_list(provider):
    assert 2 <= len(PORTFOLIO[provider]) <= 6
    for model in PORTFOLIO[provider]:
        entry = price_list().find(model.upstream_model, provider)
        assert entry is not None, model.name
        assert entry.provider == KNOWN_PROVIDERS[provider].price_prefix
        assert entry.mode == "chat"
        assert entry.deprecation_date == model.deprecation_date, model.name
        assert entry.context_window
        assert not entry.is_deprecated(TODAY)


def test_every_known_provider_has_a_portfolio():
    assert list(PORTFOLIO) == list(KNOWN_PROVIDERS)
