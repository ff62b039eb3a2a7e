"""`pointsman models list | import | check`."""

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pointsman.cli.model_snippet import all_entries_of, snippet
from pointsman.cli.model_warnings import warnings_of
from pointsman.cli.models import models_app
from pointsman.config import KNOWN_PROVIDERS, parse_config
from pointsman.registry import build_catalog_document, price_list, registry_from_config
from tests.config.malformed import BASE, SECRET

EXAMPLE = Path(__file__).parents[2] / "pointsman.example.yaml"
TODAY = date(2026, 11, 24)
KEYS = {variable: SECRET for known in KNOWN_PROVIDERS.values() for variable in known.key_variables}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for variable in (*KEYS, "OPENAI_BASE_URL", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, **environ: str):
    result = CliRunner().invoke(models_app, list(arguments), env=environ)
    assert SECRET not in result.output
    return result


def config_file(text: str) -> str:
    Path("config.yaml").write_text(text)
    return "config.yaml"


# ---- list


def test_list_json_is_one_object_with_exact_prices():
    result = run("list", "--json", "--config", config_file(BASE), OPENAI_API_KEY=SECRET)
    assert result.exit_code == 0
    first, second = json.loads(result.stdout)["deployments"]
    assert first["deployment"] == "openai/gpt-4o-mini"
    assert first["price_usd_per_mtok"] == {
        "input": "0.15",
        "cached_input": None,
        "output": "0.6",
        "batch_input": None,
        "batch_output": None,
    }
    assert (first["quality_source"], second["quality_source"]) == ("config", "price_heuristic")


def test_list_shows_a_table_with_whole_names():
    result = run("list", "--config", str(EXAMPLE), **KEYS)
    assert result.exit_code == 0
    assert "openai/gpt-6.1-sol:flex" in result.stdout
    assert "0.80*" in result.stdout


def test_list_shows_prices_of_long_inputs_and_of_cache_writes_where_there_are_some():
    models = BASE.replace("gpt-4.1", "claude-opus-4-7").replace("gpt-4o-mini", "gpt-5.4")
    path = config_file(models.replace("price_usd_per_mtok", "parameters: []\n    # "))
    table = run("list", "--config", path, OPENAI_API_KEY=SECRET).stdout
    assert ">272k: 5/22.5" in table
    assert "cache write" in table
    assert "6.25" in table
    assert "reasoning" not in table.splitlines()[1]
    rows = json.loads(run("list", "--json", "--config", path, OPENAI_API_KEY=SECRET).stdout)["deployments"]
    assert rows[0]["price_usd_per_mtok"]["long_context"][0] == {
        "above_tokens": 272_000,
        "input": "5",
        "cached_input": "0.5",
        "output": "22.5",
        "batch_input": "2.5",
        "batch_cached_input": "0.25",
        "batch_output": "11.25",
    }
    plain = run("list", "--config", config_file(BASE), OPENAI_API_KEY=SECRET).stdout
    assert "long input" not in plain


def test_list_takes_the_file_in_the_directory_else_the_environment():
    assert "anthropic/claude-opus-5-5" in run("list", ANTHROPIC_API_KEY=SECRET).stdout
    Path("pointsman.yaml").write_text(BASE)
    result = run("list", OPENAI_API_KEY=SECRET)
    assert "openai/gpt-4o-mini" in result.stdout
    assert "claude" not in result.stdout


def test_list_with_nothing_to_go_by_says_what_to_set():
    result = run("list")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "OPENAI_API_KEY" in result.stderr


# ---- import


def test_import_prints_a_config_that_is_good():
    result = run("import", "gpt-4.1", "grok-4.7", "groq/openai/gpt-oss-120b")
    assert result.exit_code == 0
    registry = registry_from_config(parse_config(result.stdout, environ=KEYS))
    assert registry.catalog.deployments == ["openai/gpt-4.1", "xai/grok-4.7", "groq/gpt-oss-120b"]
    assert registry.deployments[2].upstream_model == "openai/gpt-oss-120b"


def test_import_of_an_unknown_name_gives_the_nearest():
    result = run("import", "gpt-4.1", "gpt-4o-mni")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("'gpt-4o-mni' is not in the built-in price list; nearest: gpt-4o-mini")


def test_import_of_an_unknown_provider_gives_the_nearest():
    result = run("import", "--all-of", "anthropc")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "unknown provider 'anthropc'; did you mean 'anthropic'?" in result.stderr


def test_import_of_nothing_is_wrong_usage():
    result = run("import")
    assert result.exit_code == 2
    assert "--all-of PROVIDER" in result.stderr


@pytest.mark.parametrize("provider", price_list().providers())
def test_all_of_every_provider_is_a_good_config(provider):
    entries, problems = all_entries_of(provider, TODAY)
    if problems:
        assert "deprecated" in problems[0] or "chat model" in problems[0]
        return
    text = snippet(entries)
    environ = {line.split("${")[1].rstrip("}"): "k" for line in text.splitlines() if "${" in line}
    built = build_catalog_document(parse_config(text, environ=environ))
    assert {model["quality_source"] for model in built["models"]} == {"price_heuristic"}
    listed = {(entry.price.input, entry.price.output) for entry in entries}
    prices = [deployment["price_nano_usd_per_mtok"] for deployment in built["deployments"]]
    assert {(price["input"], price["output"]) for price in prices} <= listed


# ---- check


def test_check_of_a_good_config_says_so():
    result = run("check", "--config", str(EXAMPLE), **KEYS)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("pointsman.example.yaml: good; 5 deployments of 4 models\n")


def test_check_prints_every_problem_on_a_line_of_its_own():
    path = config_file(BASE.replace("port: 4100", "port: -1").replace("quality: 0.7", "quality: 7"))
    result = run("check", "-c", path, OPENAI_API_KEY=SECRET)
    assert (result.exit_code, result.stdout) == (1, "")
    places = [line.split(": ")[:2] for line in result.stderr.splitlines()]
    assert places == [["config.yaml:1", "server.port"], ["config.yaml:5", "models.gpt-4o-mini.quality"]]


def test_check_prints_what_only_the_price_list_can_tell():
    result = run("check", "-c", config_file(BASE.replace("gpt-4.1", "gpt-4.1x")), OPENAI_API_KEY=SECRET)
    assert result.exit_code == 1
    assert "'gpt-4.1x' is not in the built-in price list (nearest: gpt-4.1" in result.stderr


def warnings(text: str, today: date = TODAY) -> list[str]:
    config = parse_config(text, source="pointsman.yaml", environ=KEYS)
    return warnings_of(config, build_catalog_document(config), today)


def test_a_deprecated_model_is_warned_of_from_its_day():
    text = BASE.replace("gpt-4.1", "gpt-5.1")
    assert warnings(text, date(2027, 3, 31)) == []
    assert warnings(text, date(2027, 4, 1)) == [
        "pointsman.yaml:12: deployments[1]: openai/gpt-5.1: gpt-5.1 is deprecated since 2027-04-01; choose a newer model"
    ]


@pytest.mark.parametrize(
    ("price", "is_warned"), [("0.12", False), ("0.18", False), ("0.11", True), ("0.19", True)]
)
def test_a_price_more_than_a_fifth_off_is_warned_of(price, is_warned):
    found = warnings(BASE.replace("0.15", price))
    assert bool(found) == is_warned
    if found:
        assert f"input price {price} differs from the built-in list's 0.15" in found[0]


def test_a_model_without_deployment_and_one_for_responses_only_are_warned_of():
    text = BASE.replace("{model: gpt-4.1,", "{model: gpt-5.2-pro,").replace(
        "  gpt-4.1: {}", "  gpt-4.1: {}\n  gpt-5.2-pro: {}"
    )
    unserved, responses = warnings(text)
    assert 'models["gpt-4.1"]: has no deployment' in unserved
    assert "answers on /v1/responses only" in responses


def test_warnings_go_to_stderr_and_do_not_fail():
    result = run("check", "-c", config_file(BASE.replace("0.15", "5")), OPENAI_API_KEY=SECRET)
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: config.yaml:8: deployments[0]: ")
