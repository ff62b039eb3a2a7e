"""Whatever stands in a config, the answer is a `Registry` or a `ConfigError`, and printable."""

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pointsman.config import parse_config
from pointsman.errors import ConfigError
from pointsman.registry import registry_from_config
from tests.config.malformed import BASE, ENVIRON, SECRET

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("${OPENAI_API_KEY}")
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def answer_of(document) -> None:
    problems = []
    try:
        registry_from_config(parse_config(document, source="pointsman.yaml", environ=ENVIRON))
    except ConfigError as error:
        problems = error.problems
    for problem in problems:
        assert problem.startswith("pointsman.yaml")
        assert problem.isprintable(), problem
        assert SECRET not in problem


@given(st.integers(0, len(BASE)), st.integers(0, 12), st.text(max_size=6))
@example(0, 0, "\ud800")
@example(30, 1, "\\")
@example(0, 0, "? [a, b]\n: 1\n")
@example(0, 0, "%YAML 3.0\n---\n")
@example(0, 0, "!<x> ")
def test_damaged_text_is_answered(start, length, text):
    answer_of(BASE[:start] + text + BASE[start + length :])


def paths(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def put(document, path, value):
    if not path:
        return value
    if len(path) == 1 and isinstance(document, dict):
        return document | {path[0]: value}
    changed = dict(document) if isinstance(document, dict) else list(document)
    changed[path[0]] = put(changed[path[0]], path[1:], value)
    return changed


GOOD = yaml.safe_load(BASE)
PATHS = [path for path in paths(GOOD) if path]


@given(st.sampled_from(PATHS), values)
@example(("deployments", 0, "price_usd_per_mtok", "input"), float("nan"))
@example(("deployments", 0, "price_usd_per_mtok", "input"), 10**5000)
@example(("deployments", 0, "name"), "\ud800")
@example(("models", "gpt-4o-mini", "quality"), {"\ud800": 1})
def test_any_value_anywhere_is_answered(path, value):
    answer_of(put(GOOD, path, value))


@given(st.sampled_from([path for path in PATHS if isinstance(path[-1], str)]), st.text(max_size=8))
def test_any_key_anywhere_is_answered(path, key):
    parent = GOOD
    for part in path[:-1]:
        parent = parent[part]
    answer_of(put(GOOD, path[:-1], {**parent, key: parent[path[-1]]}) if path[:-1] else {**GOOD, key: 1})
