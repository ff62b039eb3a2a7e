"""Every malformed config gives clear lines: place, key path, the value seen, the remedy. And no secret."""

import traceback

import pytest

from pointsman.config import parse_config
from pointsman.errors import ConfigError
from tests.config.malformed import BASE, ENVIRON, MALFORMED, SECRET, Malformed


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, source="pointsman.yaml", environ=ENVIRON)
    return caught.value


def test_the_good_config_is_good():
    assert len(parse_config(BASE, environ=ENVIRON).deployments) == 2


def test_the_table_is_long_enough_and_its_names_are_unique():
    assert len(MALFORMED) >= 30
    assert len({case.name for case in MALFORMED}) == len(MALFORMED)


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name.replace(" ", "-"))
def test_malformed_config_names_place_value_and_remedy(case: Malformed):
    problems = refused(case.text).problems
    begin = f"pointsman.yaml:{case.place}: " if case.place else "pointsman.yaml: "
    matching = [problem for problem in problems if problem.startswith(begin)]
    assert any(all(fragment in problem for fragment in case.fragments) for problem in matching), problems


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name.replace(" ", "-"))
def test_malformed_config_gives_one_short_line_a_problem(case: Malformed):
    error = refused(case.text)
    assert 1 <= len(error.problems) <= 4
    for problem in error.problems:
        assert "\n" not in problem
        assert len(problem) < 400
        assert problem.isprintable()
        assert not {"pydantic", "Traceback", "ValidationError", "errors."} & set(problem.split())


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name.replace(" ", "-"))
def test_no_secret_in_the_error_or_what_led_to_it(case: Malformed):
    error = refused(case.text)
    assert SECRET not in "".join(traceback.format_exception(error))
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


def test_all_problems_are_reported_at_once_in_the_order_of_the_file():
    text = BASE.replace("port: 4100", "port: -1").replace("quality: 0.7", "quality: 7")
    text = text.replace("model: gpt-4.1, provider", "model: gpt-4, provider").replace(" 0.15", " -1")
    places = [problem.split(": ")[:2] for problem in refused(text + "polices: {}\n").problems]
    assert places == [
        ["pointsman.yaml:1", "server.port"],
        ["pointsman.yaml:5", "models.gpt-4o-mini.quality"],
        ["pointsman.yaml:10", "deployments[0].price_usd_per_mtok.input"],
        ["pointsman.yaml:12", "deployments[1].model"],
        ["pointsman.yaml:15", "polices"],
    ]


def test_an_unfilled_variable_is_reported_once():
    text = BASE.replace("{api_key:", "{base_url: '${NOWHERE}', api_key:")
    assert refused(text).problems == [
        "pointsman.yaml:3: providers.openai.base_url: environment variable NOWHERE is not set; "
        "set it, or write ${NOWHERE:-default} for a default"
    ]
