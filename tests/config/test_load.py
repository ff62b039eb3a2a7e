"""What a good config means, and files that cannot be read."""

import json
from decimal import Decimal

import pytest
import yaml
from pydantic import BaseModel

from pointsman.config import Config, load_config, parse_config
from pointsman.config import deployments as config_deployments
from pointsman.config import providers as config_providers
from pointsman.config import schema as config_schema
from pointsman.errors import ConfigError
from tests.config.malformed import BASE, ENVIRON, SECRET


def problems_of(act) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        act()
    return caught.value.problems


# ---- files


def test_missing_file_says_how_to_make_one(tmp_path):
    [problem] = problems_of(lambda: load_config(tmp_path / "nix.yaml"))
    assert "nix.yaml: no such file; create it (see pointsman.example.yaml)" in problem


def test_directory_asks_for_the_file(tmp_path):
    [problem] = problems_of(lambda: load_config(tmp_path))
    assert "is a directory; give the file" in problem


def test_path_through_a_file_cannot_be_read(tmp_path):
    (tmp_path / "a").write_text("")
    [problem] = problems_of(lambda: load_config(tmp_path / "a" / "pointsman.yaml"))
    assert "cannot be read" in problem


def test_nul_in_the_path_cannot_be_read():
    [problem] = problems_of(lambda: load_config("a\0b"))
    assert "cannot be read" in problem


def test_bytes_that_are_no_utf8_name_their_line(tmp_path):
    path = tmp_path / "pointsman.yaml"
    path.write_bytes(b"models:\n  caf\xe9: {}\n")
    assert problems_of(lambda: load_config(path)) == [
        f"{path}:2: byte 0xe9 is not UTF-8; save the file as UTF-8"
    ]


def test_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "pointsman.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + BASE.encode())
    assert load_config(path, environ=ENVIRON).server.port == 4100


def test_crlf_lines_count_as_lines(tmp_path):
    path = tmp_path / "pointsman.yaml"
    path.write_bytes(BASE.replace("0.15", "-1").replace("\n", "\r\n").encode())
    assert problems_of(lambda: load_config(path, environ=ENVIRON))[0].startswith(f"{path}:10: ")


# ---- values


def test_names_default_to_provider_model_and_tier():
    text = BASE.replace(
        "{model: gpt-4.1, provider: openai}", "{model: gpt-4.1, provider: openai, tier: flex}"
    )
    first, second = parse_config(text, environ=ENVIRON).deployments
    assert (first.name, first.upstream_model) == ("openai/gpt-4o-mini", "gpt-4o-mini")
    assert second.name == "openai/gpt-4.1:flex"


def test_a_known_provider_brings_its_url():
    config = parse_config(BASE.replace("openai", "mistral"), environ=ENVIRON | {"mistral_API_KEY": "k"})
    assert config.providers["mistral"].base_url == "https://api.mistral.ai/v1"


def test_null_sections_take_their_defaults():
    config = parse_config(BASE.replace("  gpt-4.1: {}", "  gpt-4.1:"), environ=ENVIRON)
    assert config.models["gpt-4.1"].quality is None


def test_p95_follows_a_median_given_alone():
    text = BASE.replace("ttft_p50_ms: 400, ttft_p95_ms: 900", "ttft_p50_ms: 4000")
    assert parse_config(text, environ=ENVIRON).deployments[0].latency.ttft_p95_ms == 10_000


def test_merge_keys_and_anchors_work_and_own_keys_win():
    text = BASE.replace("  - model: gpt-4o-mini", "  - &first\n    model: gpt-4o-mini")
    text = text.replace("- {model: gpt-4.1, provider: openai}", "- {<<: *first, model: gpt-4.1}")
    first, second = parse_config(text, environ=ENVIRON).deployments
    assert second.price_usd_per_mtok == first.price_usd_per_mtok
    assert second.model == "gpt-4.1"


def test_nested_aliases_do_not_blow_up():
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    [problem] = problems_of(lambda: parse_config("\n".join(levels), source="x.yaml"))
    assert "more than 200000 values" in problem


@pytest.mark.parametrize("name", ["2024-08-06", "no", "on", "1e3x", "0x1F", "1:30", "4"])
def test_names_that_yaml_1_1_would_read_as_something_else_stay_names(name):
    config = parse_config(
        BASE.replace("gpt-4o-mini", name).replace("model: 4\n", "model: '4'\n"), environ=ENVIRON
    )
    assert config.deployments[0].model == name


@pytest.mark.parametrize(
    ("text", "value"), [("1e-3", "0.001"), ("0.15", "0.15"), ("'0.15'", "0.15"), (".5", "0.5")]
)
def test_numbers_are_read_as_written(text, value):
    config = parse_config(BASE.replace("0.15", text), environ=ENVIRON)
    assert config.deployments[0].price_usd_per_mtok.input == Decimal(value)


@pytest.mark.parametrize("text", ["1e99999999999999999999", "1e-99999999", "1e999999", "-0.0000000001", "0.00000000000000000000000000000000001"])  # fmt: skip
def test_monstrous_numbers_are_refused_at_once(text):
    assert (
        "price_usd_per_mtok.input"
        in problems_of(lambda: parse_config(BASE.replace("0.15", text), environ=ENVIRON))[0]
    )


def test_a_mapping_is_read_as_a_file_is():
    mapping = {
        "providers": {"openai": {"api_key": "${OPENAI_API_KEY}"}},
        "models": {"gpt-4o-mini": {"quality": 0.1 + 0.2}},
        "deployments": ({"model": "gpt-4o-mini", "provider": "openai"},),
    }
    config = parse_config(mapping, environ=ENVIRON)
    assert config.providers["openai"].api_key.get_secret_value() == SECRET
    broken = mapping | {"deployments": [{"model": "gpt-4o-mni", "provider": "openai"}]}
    assert problems_of(lambda: parse_config(broken, source="mapping", environ=ENVIRON)) == [
        "mapping: deployments[0].model: unknown model 'gpt-4o-mni'; did you mean 'gpt-4o-mini'? (or add it under `models`)"
    ]


def test_a_config_is_frozen():
    config = parse_config(BASE, environ=ENVIRON)
    with pytest.raises(ValueError, match="frozen"):
        config.server = None
    with pytest.raises(ValueError, match="frozen"):
        config.deployments[0].model = "x"


def test_a_config_remembers_its_lines():
    origin = parse_config(BASE, source="f.yaml", environ=ENVIRON).origin
    assert origin.where(("deployments", 0, "latency", "ttft_p50_ms")) == "f.yaml:11"
    assert origin.where(("deployments", 0, "nowhere")) == "f.yaml:8"


# ---- the environment in a file


@pytest.mark.parametrize(
    ("template", "environ", "value"),
    [
        ("${HOST}", {"HOST": "::1"}, "::1"),
        ("${HOST:-localhost}", {}, "localhost"),
        ("${HOST:-localhost}", {"HOST": ""}, "localhost"),
        ("${HOST:-localhost}", {"HOST": "h"}, "h"),
        ("a.${HOST}.${TLD:-test}", {"HOST": "h"}, "a.h.test"),
        ("$${HOST}", {"HOST": "h"}, "${HOST}"),
        ("$HOST", {"HOST": "h"}, "$HOST"),
        ("${HOST}", {"HOST": "${HOST}"}, "${HOST}"),
    ],
)
def test_references_are_filled_once(template, environ, value):
    config = parse_config(BASE.replace("port: 4100", f"host: '{template}'"), environ=ENVIRON | environ)
    assert config.server.host == value


def test_numbers_and_booleans_may_come_from_the_environment():
    text = BASE.replace("port: 4100", "port: '${P}'").replace("{api_key:", "{http2: '${H}', api_key:")
    config = parse_config(text, environ=ENVIRON | {"P": "8080", "H": "true"})
    assert (config.server.port, config.providers["openai"].http2) == (8080, True)


def test_a_blank_key_is_no_key():
    config = parse_config(BASE.replace("${OPENAI_API_KEY}", "${NO_KEY:-}"), environ={})
    assert config.providers["openai"].api_key is None


# ---- secrets

SECRETIVE = BASE.replace(
    "{api_key:", f"{{headers: {{x-auth: {SECRET}}}, proxy: 'http://u:{SECRET}@proxy:1', api_key:"
)


@pytest.mark.parametrize(
    "show",
    [repr, str, lambda config: repr(config.model_dump()), lambda config: config.model_dump_json(), lambda config: f"{config.providers}"],
    ids=["repr", "str", "model_dump", "model_dump_json", "format"],
)  # fmt: skip
def test_no_way_of_showing_a_config_shows_a_secret(show):
    config = parse_config(SECRETIVE, environ=ENVIRON)
    assert config.providers["openai"].headers["x-auth"].get_secret_value() == SECRET
    assert SECRET not in show(config)


@pytest.mark.parametrize("key", ["base_url", "proxy", "api_key", "headers", "timeouts", "ca_file", "transport", "kind", "http2"])  # fmt: skip
def test_a_key_pasted_anywhere_in_a_provider_is_not_printed(key):
    wrong = {"proxy": f"[{SECRET}]", "api_key": f"{{a: {SECRET}}}", "ca_file": f"[{SECRET}]"}.get(key, SECRET)
    text = BASE.replace('api_key: "${OPENAI_API_KEY}"', f"{key}: {wrong}")
    assert SECRET not in "\n".join(problems_of(lambda: parse_config(text, environ=ENVIRON)))


def test_a_key_from_the_environment_is_not_printed_wherever_it_went():
    for old in ("port: 4100", "0.15", "quality: 0.7", "tokens_per_s: 80", "quality_tolerance: 0.1"):
        key = old.rpartition(":")[0]
        text = BASE.replace(old, f"{key}: '${{OPENAI_API_KEY}}'" if key else "'${OPENAI_API_KEY}'")
        [problem] = problems_of(lambda text=text: parse_config(text, environ={"OPENAI_API_KEY": "hunter2"}))
        assert "hunter2" not in problem
        assert "${OPENAI_API_KEY}" in problem


# ---- the schema itself


def sections() -> list[type[BaseModel]]:
    modules = (config_schema, config_providers, config_deployments)
    found = [value for each in modules for value in vars(each).values() if isinstance(value, type)]
    return [value for value in found if issubclass(value, config_schema.Settings)]


def test_every_field_says_what_it_expects_and_shows_it():
    lacking = [
        f"{section.__name__}.{name}"
        for section in sections()
        for name, field in section.model_fields.items()
        if not field.description or not field.examples
    ]
    assert Config in sections()
    assert not lacking


def test_the_json_schema_can_be_made():
    assert "deployments" in json.dumps(Config.model_json_schema())


@pytest.mark.parametrize("space", ["\n", "\r\n", " ", "\t"])
def test_white_space_around_a_key_is_not_part_of_it(space):
    # `export KEY="$(cat file)"` and secrets mounted as files bring a line's end along.
    config = parse_config(BASE, environ={"OPENAI_API_KEY": f"{space}{SECRET}{space}"})
    assert config.providers["openai"].api_key.get_secret_value() == SECRET
    assert parse_config(BASE, environ={"OPENAI_API_KEY": space}).providers["openai"].api_key is None


def test_a_host_in_another_script_is_good():
    text = BASE.replace("{api_key:", "{base_url: 'https://b\u00fccher.example/v1', api_key:")
    assert (
        parse_config(text, environ=ENVIRON).providers["openai"].base_url == "https://b\u00fccher.example/v1"
    )


def test_no_cache_section_is_no_cache_and_an_empty_one_takes_its_defaults():
    assert parse_config(BASE, environ=ENVIRON).cache is None
    for empty in ("cache:\n", "cache: {}\n"):
        cache = parse_config(BASE + empty, environ=ENVIRON).cache
        assert (cache.max_mb, cache.ttl_s, cache.target_error, cache.semantic) == (256, 604_800, 0.01, True)
        assert (cache.path, cache.judge, cache.tool_calls, cache.namespace) == (None, None, False, "default")


def test_a_judge_without_a_deployment_is_refused():
    text = BASE.replace("  gpt-4.1: {}", "  gpt-4.1: {}\n  gpt-5: {quality: 0.9}") + "cache: {judge: gpt-5}\n"
    [problem] = problems_of(lambda: parse_config(text, environ=ENVIRON, source="p.yaml"))
    assert problem.startswith("p.yaml:16: cache.judge: 'gpt-5' has no deployment")


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("anthropic: {}", ("anthropic", "https://api.anthropic.com/v1")),
        ("anthropic: {kind: openai}", ("openai", "https://api.anthropic.com/v1")),
        ("anthropic: {base_url: 'http://h/v1'}", ("openai", "http://h/v1")),
        ("claude: {kind: anthropic}", ("anthropic", "https://api.anthropic.com/v1")),
        ("claude: {kind: anthropic, base_url: 'http://h/v1'}", ("anthropic", "http://h/v1")),
        ("gemini: {}", ("gemini", "https://generativelanguage.googleapis.com/v1beta")),
        ("gemini: {kind: openai}", ("openai", "https://generativelanguage.googleapis.com/v1beta/openai")),
        ("mistral: {}", ("openai", "https://api.mistral.ai/v1")),
    ],
)
def test_a_known_name_or_kind_brings_url_and_protocol(provider, expected):
    name = provider.partition(":")[0]
    text = f"providers: {{{provider}}}\nmodels: {{m: {{}}}}\ndeployments: [{{model: m, provider: {name}}}]\n"
    configured = parse_config(yaml.safe_load(text), source="test").providers[name]
    assert (configured.kind, configured.base_url) == expected


def test_a_kind_without_a_known_url_asks_for_one():
    document = {"providers": {"mistral": {"kind": "anthropic"}}, "models": {"m": {}}, "deployments": []}
    with pytest.raises(ConfigError, match="base_url"):
        parse_config(document, source="test")
