"""Malformed configs: name, text, and what the problem line (from its place on) must hold.

Each is the good config `BASE` with one thing wrong, or a text of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

SECRET = "sk-live-3f9c1b7d5a"
ENVIRON = {"OPENAI_API_KEY": SECRET, "PORT": "seventy"}

BASE = """\
server: {port: 4100}
providers:
  openai: {api_key: "${OPENAI_API_KEY}"}
models:
  gpt-4o-mini: {quality: 0.7}
  gpt-4.1: {}
deployments:
  - model: gpt-4o-mini
    provider: openai
    price_usd_per_mtok: {input: 0.15, output: 0.60}
    latency: {ttft_p50_ms: 400, ttft_p95_ms: 900, tokens_per_s: 80}
  - {model: gpt-4.1, provider: openai}
policies:
  default: {quality_tolerance: 0.1}
"""


@dataclass(frozen=True)
class Malformed:
    """A config that must be refused.

    Attributes:
        name: What is wrong with it.
        text: The YAML.
        place: Line and key path the problem must begin with, after the file's name.
        fragments: What it must also say: the value seen and the remedy.
    """

    name: str
    text: str
    place: str
    fragments: tuple[str, ...]


def changed(name: str, old: str, new: str, place: str, *fragments: str) -> Malformed:
    """`BASE` with one piece replaced."""
    assert BASE.count(old) == 1, old
    return Malformed(name, BASE.replace(old, new), place, fragments)


def whole(name: str, text: str, place: str, *fragments: str) -> Malformed:
    """A text of its own."""
    return Malformed(name, text, place, fragments)


def added(name: str, text: str, place: str, *fragments: str) -> Malformed:
    """`BASE` with lines after it; the first of them is line 15."""
    return Malformed(name, BASE + text, place, fragments)


PRICE = "{input: 0.15, output: 0.60}"
LATENCY = "{ttft_p50_ms: 400, ttft_p95_ms: 900, tokens_per_s: 80}"
KEY = '"${OPENAI_API_KEY}"'

# One case a line, however long: a table is read down its columns.
MALFORMED = [
    # The text itself.
    whole("empty file", "", "", "is empty", "begin with `providers:`"),
    whole("only comments", "# nothing\n", "", "is empty", "begin with"),
    whole("top level is a list", "- a\n- b\n", "1", "the top level is a list", "begin with"),
    whole("top level is a scalar", f"{SECRET}\n", "1", "the top level is a single value", "begin with"),
    whole("unclosed bracket", "models: [a, b\nproviders: x\n", "2", "is not valid YAML", "mend the syntax"),
    whole("tab indentation", "models:\n\tgpt: {}\n", "2", "is not valid YAML", "cannot start any token"),
    whole("bad indentation", "models:\n  a: {}\n b: {}\n", "3", "is not valid YAML", "mend the syntax"),
    whole("undefined alias", f"providers: *{SECRET}\n", "1", "undefined alias", "mend the syntax"),
    whole("two documents", BASE + "---\na: 1\n", "15", "expected a single document", "mend the syntax"),
    whole("control character", "models:\n  a: \x07\n", "2", "U+0007 is not allowed", "remove it"),
    whole("NUL byte", "models:\n  a: \x00\n", "2", "U+0000 is not allowed", "remove it"),
    whole("bottomless nesting", "a: " + "[" * 2_000, "", "nested too deeply", "flatten"),
    whole("alias that holds itself", "models: &m {gpt: *m}\n", "1: models.gpt", "contains itself", "write the values"),
    changed("python tag", "quality: 0.7", "quality: !!python/name:os.system x", "5: models.gpt-4o-mini.quality", "not supported", "remove"),
    changed("null key", "port: 4100", "null: 1", "1: server", "a key that is not text", "write a plain name"),
    changed("duplicate key", "  gpt-4.1: {}", "  gpt-4o-mini: {}", "6: models.gpt-4o-mini", "duplicate key, first on line 5", "keep one"),
    added("duplicate section", "server: {}\n", "15: server", "duplicate key, first on line 1", "keep one"),
    # The environment.
    changed("variable not set", KEY, '"${OPENIA_API_KEY}"', "3: providers.openai.api_key", "OPENIA_API_KEY is not set", "${OPENIA_API_KEY:-default}"),
    changed("reference without quotes in braces", KEY, "${OPENAI_API_KEY}", "3", "is not valid YAML", 'put quotes around it: "${NAME}"'),
    changed("malformed reference", KEY, '"${OPENAI API KEY}"', "3: providers.openai.api_key", "malformed reference", "write ${NAME}"),
    changed("unclosed reference", KEY, '"${OPENAI_API_KEY"', "3: providers.openai.api_key", "malformed reference", "write ${NAME}"),
    changed("variable of the wrong type", "port: 4100", "port: '${PORT}'", "1: server.port", "'${PORT}' (from the environment) is not a port", "`port: 4100`"),
    # Unknown keys.
    added("unknown section, near", "polices: {}\n", "15: polices", "unknown key", "did you mean 'policies'?"),
    added("unknown section, far", "zzz: {}\n", "15: zzz", "unknown key", "known keys: server, providers, models"),
    changed("unknown server key", "port:", "prot:", "1: server.prot", "unknown key", "did you mean 'port'?"),
    changed("unknown provider key", "{api_key:", "{apikey:", "3: providers.openai.apikey", "unknown key", "did you mean 'api_key'?"),
    changed("unknown model key", "{quality: 0.7}", "{qualty: 0.7}", "5: models.gpt-4o-mini.qualty", "unknown key", "did you mean 'quality'?"),
    changed("unknown deployment key", "    provider: openai\n", "    provider: openai\n    teir: flex\n", "10: deployments[0].teir", "unknown key", "did you mean 'tier'?"),
    changed("unknown price key", "output:", "outputs:", "10: deployments[0].price_usd_per_mtok.outputs", "unknown key", "did you mean 'output'?"),
    changed("unknown policy key", "quality_tolerance", "max_cost", "14: policies.default.max_cost", "unknown key", "did you mean 'max_cost_usd'?"),
    changed("unknown quality key", "quality: 0.7", "quality: {default: 0.7, coding: 0.8}", "5: models.gpt-4o-mini.quality.coding", "unknown key", "did you mean 'code'?"),
    changed("unknown tolerance key", "quality_tolerance: 0.1", "quality_tolerance: {lokup: 0.1}", "14: policies.default.quality_tolerance.lokup", "unknown key", "did you mean 'lookup'?"),
    # Sections.
    whole("no deployments", "providers: {openai: {}}\nmodels: {gpt-4.1: {}}\n", "1: deployments", "no entry", "add one"),
    whole("empty deployments", "providers: {openai: {}}\nmodels: {gpt-4.1: {}}\ndeployments: []\n", "3: deployments", "no entry", "add one"),
    whole("deployments is a mapping", "providers: {openai: {}}\nmodels: {a: {}}\ndeployments: {model: a}\n", "3: deployments", "a mapping is not a list", "`- `"),
    changed("providers is a list", f"\n  openai: {{api_key: {KEY}}}", " [openai]", "2: providers", "a list is not a mapping", "lines below it"),
    changed("provider is a scalar", f"{{api_key: {KEY}}}", SECRET, "3: providers.openai", "'**********' is not a mapping", "`key: value` lines"),
    changed("server is a scalar", "{port: 4100}", "4100", "1: server", "4100 is not a mapping with the keys host, port", "lines below"),
    # References.
    changed("deployment of an unknown model", "model: gpt-4o-mini", "model: gpt-4o-mni", "8: deployments[0].model", "unknown model 'gpt-4o-mni'", "did you mean 'gpt-4o-mini'?"),
    changed("deployment at an unknown provider", "    provider: openai\n", "    provider: opnai\n", "9: deployments[0].provider", "unknown provider 'opnai'", "did you mean 'openai'?"),
    changed("policy with an unknown model", "{quality_tolerance: 0.1}", "{models: [gpt-4.1, zzz]}", "14: policies.default.models[1]", "unknown model 'zzz'", "known models: gpt-4o-mini, gpt-4.1"),
    changed("policy with an unknown provider", "{quality_tolerance: 0.1}", "{provider: {ignore: [grok]}}", "14: policies.default.provider.ignore[0]", "unknown provider 'grok'", "known providers: openai"),
    changed("quality like an unknown model", "{quality_tolerance: 0.1}", "{quality_like: gpt-9}", "14: policies.default.quality_like", "unknown model 'gpt-9'", "or add it under `models`"),
    added("unknown baseline", "baseline_model: gpt-4.2\n", "15: baseline_model", "unknown model 'gpt-4.2'", "did you mean 'gpt-4.1'?"),
    whole("baseline without a deployment", BASE.replace("  - {model: gpt-4.1, provider: openai}\n", "baseline_model: gpt-4.1\n"), "12: baseline_model", "'gpt-4.1' has no deployment", "add one"),
    changed("duplicate deployment", "{model: gpt-4.1, provider", "{model: gpt-4o-mini, provider", "12: deployments[1].name", "'openai/gpt-4o-mini' is taken by deployments[0] (pointsman.yaml:8)", "another `name`"),
    # Names.
    changed("name with a space", "  openai: {", "  open ai: {", '3: providers["open ai"]', "not a name", "rename it"),
    changed("reserved model name", "  gpt-4.1: {}", "  auto: {}", "6: models.auto", "reserved", "another name"),
    changed("deployment name is no header", "    provider: openai\n", '    provider: openai\n    name: "a\\nb"\n', "10: deployments[0].name", "'a?b' is not a name of 1 to 200 visible ASCII", "`name: openai/gpt-4o-mini`"),
    # Values.
    changed("negative price", "input: 0.15", "input: -0.15", "10: deployments[0].price_usd_per_mtok.input", "-0.15 is not a price from 0", "`input: 0.15`"),
    changed("NaN price", "input: 0.15", "input: .nan", "10: deployments[0].price_usd_per_mtok.input", "NaN is not a price", "`input: 0.15`"),
    changed("infinite price", "input: 0.15", "input: .inf", "10: deployments[0].price_usd_per_mtok.input", "Infinity is not a price", "`input: 0.15`"),
    changed("price in text", "input: 0.15", "input: $0.15", "10: deployments[0].price_usd_per_mtok.input", "'$0.15' is not a price", "`input: 0.15`"),
    changed("price in nano-dollars", "input: 0.15", "input: 150000000", "10: deployments[0].price_usd_per_mtok.input", "150000000 is not a price from 0 to 1,000,000", "`input: 0.15`"),
    changed("price finer than a nano-dollar", "input: 0.15", "input: 0.1234567891", "10: deployments[0].price_usd_per_mtok.input", "0.1234567891 is finer than a nano-dollar", "at most 9 decimal places"),
    changed("price without output", PRICE, "{input: 1}", "10: deployments[0].price_usd_per_mtok.output", "is missing", "`output: 0.6`"),
    changed("half a batch price", PRICE, "{input: 1, output: 2, batch_input: 0.5}", "10: deployments[0].price_usd_per_mtok", "without `batch_output`", "give both"),
    changed("batch price of the cache alone", PRICE, "{input: 1, output: 2, batch_cached_input: 0.5}", "10: deployments[0].price_usd_per_mtok", "without `batch_input`", "give both"),
    changed("cache dearer than input", PRICE, "{input: 1, output: 2, cached_input: 1.5}", "10: deployments[0].price_usd_per_mtok", "`cached_input` 1.5 above the price of plain input 1", "give at most that"),
    changed("negative cache price", PRICE, "{input: 1, output: 2, cache_write: -1}", "10: deployments[0].price_usd_per_mtok.cache_write", "-1 is not a price from 0", "`cache_write: 0.1875`"),
    changed("NaN reasoning price", PRICE, "{input: 1, output: 2, reasoning: .nan}", "10: deployments[0].price_usd_per_mtok.reasoning", "NaN is not a price", "`reasoning: 0.6`"),
    changed("threshold of zero", PRICE, "{input: 1, output: 2, long_context: [{above_tokens: 0, input: 2, output: 4}]}", "10: deployments[0].price_usd_per_mtok.long_context[0].above_tokens", "0 is not a number of input tokens above 0", "`above_tokens: 200000`"),
    changed("threshold without a price", PRICE, "{input: 1, output: 2, long_context: [{above_tokens: 9, input: 2}]}", "10: deployments[0].price_usd_per_mtok.long_context[0].output", "is missing", "`output: 0.6`"),
    changed("thresholds that fall", PRICE, "{input: 1, output: 2, long_context: [{above_tokens: 9, input: 2, output: 4}, {above_tokens: 8, input: 3, output: 5}]}", "10: deployments[0].price_usd_per_mtok", "above 9, 8", "in ascending order"),
    changed("long context without batch", PRICE, "{input: 1, output: 2, batch_input: 1, batch_output: 1, long_context: [{above_tokens: 9, input: 2, output: 4}]}", "10: deployments[0].price_usd_per_mtok", "some lengths of input only", "for all or for none"),
    changed("cache of negative life", "{api_key:", "{prompt_cache: {ttl_s: -1}, api_key:", "3: providers.openai.prompt_cache.ttl_s", "-1 is not a number of seconds of 0 or more", "`ttl_s: 300`"),
    changed("cache of NaN life", "{api_key:", "{prompt_cache: {ttl_s: .nan}, api_key:", "3: providers.openai.prompt_cache.ttl_s", "NaN is not a number of seconds", "`ttl_s: 300`"),
    changed("cache of prefixes of nothing", "{api_key:", "{prompt_cache: {min_tokens: 0}, api_key:", "3: providers.openai.prompt_cache.min_tokens", "0 is not a number of tokens above 0", "`min_tokens: 1024`"),
    changed("unknown tokenizer", "{quality: 0.7}", "{tokenizer: o200}", "5: models.gpt-4o-mini.tokenizer", "'o200' is not one of o200k, cl100k, llama3, qwen", "did you mean 'o200k'?"),
    changed("quality above 1", "quality: 0.7", "quality: 70", "5: models.gpt-4o-mini.quality", "70 is not a quality in [0, 1]", "`quality: 0.72`"),
    changed("NaN quality", "quality: 0.7", "quality: .nan", "5: models.gpt-4o-mini.quality", "NaN is not a quality in [0, 1]", "`quality: 0.72`"),
    changed("quality without default", "quality: 0.7", "quality: {code: 0.8}", "5: models.gpt-4o-mini.quality", "has no `default`", "`default: 0.7`"),
    changed("p95 below p50", "ttft_p95_ms: 900", "ttft_p95_ms: 300", "11: deployments[0].latency.ttft_p95_ms", "300 is below ttft_p50_ms 400", "at least the median"),
    changed("latency of zero", "ttft_p50_ms: 400", "ttft_p50_ms: 0", "11: deployments[0].latency.ttft_p50_ms", "0 is not a number of milliseconds above 0", "`ttft_p50_ms: 400`"),
    changed("speed of zero", "tokens_per_s: 80", "tokens_per_s: 0", "11: deployments[0].latency.tokens_per_s", "0 is not a number of tokens", "`tokens_per_s: 80`"),
    changed("fractional context window", "{quality: 0.7}", "{context_window: 128000.5}", "5: models.gpt-4o-mini.context_window", "128000.5 is not a number of tokens", "`context_window: 128000`"),
    changed("context window of zero", "{quality: 0.7}", "{context_window: 0}", "5: models.gpt-4o-mini.context_window", "0 is not a number of tokens above 0", "`context_window: 128000`"),
    changed("astronomic context window", "{quality: 0.7}", "{context_window: " + "9" * 5000 + "}", "5: models.gpt-4o-mini.context_window", "99999", "`context_window: 128000`"),
    changed("unknown capability", "{quality: 0.7}", "{capabilities: [tool]}", "5: models.gpt-4o-mini.capabilities[0]", "'tool' is not one of tools, vision", "did you mean 'tools'?"),
    changed("capabilities in text", "{quality: 0.7}", "{capabilities: tools}", "5: models.gpt-4o-mini.capabilities", "'tools' is not a list", "write `[...]`"),
    changed("unknown tier", "    provider: openai\n", "    provider: openai\n    tier: batch\n", "10: deployments[0].tier", "'batch' is not one of default, flex, priority", "choose one"),
    changed("model is missing", "  - model: gpt-4o-mini\n    provider", "  - provider", "8: deployments[0].model", "is missing", "`model: gpt-4o-mini`"),
    changed("limit of zero", "    provider: openai\n", "    provider: openai\n    limits: {requests_per_min: 0}\n", "10: deployments[0].limits.requests_per_min", "0 is not a whole number above 0", "`requests_per_min: 500`"),
    changed("port too large", "port: 4100", "port: 70000", "1: server.port", "70000 is not a port from 0 to 65535", "`port: 4100`"),
    changed("port is a boolean", "port: 4100", "port: true", "1: server.port", "true is not a port", "`port: 4100`"),
    changed("body limit of nothing", "port: 4100", "max_body_mb: 0", "1: server.max_body_mb", "0 is not a size above 0", "`max_body_mb: 32`"),
    changed("URL without scheme", "{api_key:", "{base_url: api.openai.com/v1, api_key:", "3: providers.openai.base_url", "'api.openai.com/v1' is not an http:// or https:// URL", "`base_url: https://api.openai.com/v1`"),
    changed("URL with a bad port", "{api_key:", "{base_url: 'http://localhost:99999/v1', api_key:", "3: providers.openai.base_url", "'http://localhost:99999/v1' is not", "`base_url:"),
    changed("URL with credentials", "{api_key:", f"{{base_url: 'https://me:{SECRET}@host/v1', api_key:", "3: providers.openai.base_url", "holds a user name or password", "use `api_key`"),
    changed("key on the URL's line", "{api_key:", f"{{base_url: {SECRET}, api_key:", "3: providers.openai.base_url", "'**********' is not an http://", "`base_url:"),
    changed("key is a list", KEY, f"[{SECRET}]", "3: providers.openai.api_key", "a list is not text", "quotes"),
    changed("key is a number", KEY, "12345678", "3: providers.openai.api_key", "'**********' is not text", "quotes"),
    changed("key with a control character", KEY, f'"{SECRET}\\x07"', "3: providers.openai.api_key", "'**********' is not a key of printable ASCII characters", "`api_key:"),
    changed("key of two lines", KEY, f'"{SECRET}\\n{SECRET}"', "3: providers.openai.api_key", "'**********' is not a key of printable ASCII", "`api_key:"),
    changed("key with a letter that is not ASCII", KEY, f'"{SECRET}\u00e9"', "3: providers.openai.api_key", "'**********' is not a key of printable ASCII", "`api_key:"),
    changed("header value that ends its line", "{api_key:", f'{{headers: {{x-team: "{SECRET}\\n"}}, api_key:', "3: providers.openai.headers.x-team", "'**********' is not a header's value of printable ASCII", "`x-team: search`"),
    changed("header value that is not ASCII", "{api_key:", "{headers: {x-team: \u00e9quipe}, api_key:", "3: providers.openai.headers.x-team", "is not a header's value of printable ASCII", "`x-team: search`"),
    changed("header name with a space", "{api_key:", "{headers: {x team: a}, api_key:", '3: providers.openai.headers["x team"]', "is not a header's name", "letters, digits, '-' and '_'"),
    changed("header name that is empty", "{api_key:", "{headers: {'': a}, api_key:", '3: providers.openai.headers[""]', "is not a header's name", "letters, digits"),
    changed("header that frames the message", "{api_key:", "{headers: {Content-Length: '7'}, api_key:", "3: providers.openai.headers.Content-Length", "is set by the transport", "remove it"),
    changed("header that names the host", "{api_key:", "{headers: {host: a}, api_key:", "3: providers.openai.headers.host", "is set by the transport", "remove it"),
    changed("SOCKS proxy", "{api_key:", f"{{proxy: 'socks5://u:{SECRET}@127.0.0.1:1080', api_key:", "3: providers.openai.proxy", "SOCKS proxies are not supported", "give an http:// or https:// one"),
    changed("proxy without scheme", "{api_key:", "{proxy: '127.0.0.1:3128', api_key:", "3: providers.openai.proxy", "'**********' is not an http:// or https:// URL", "`proxy: http://127.0.0.1:3128`"),
    changed("proxy without host", "{api_key:", "{proxy: 'http://', api_key:", "3: providers.openai.proxy", "'**********' is not an http:// or https:// URL", "`proxy: http://127.0.0.1:3128`"),
    changed("roots that are not there", "{api_key:", "{ca_file: nowhere/ca.pem, api_key:", "3: providers.openai.ca_file", "'nowhere/ca.pem' is not a readable PEM file", "`ca_file: ca.pem`"),
    changed("roots that are a directory", "{api_key:", "{ca_file: '.', api_key:", "3: providers.openai.ca_file", "'.' is not a readable PEM file", "`ca_file: ca.pem`"),
    changed("roots that are no certificates", "{api_key:", "{ca_file: pyproject.toml, api_key:", "3: providers.openai.ca_file", "'pyproject.toml' is not a readable PEM file", "`ca_file: ca.pem`"),
    changed("URL with a path that is not ASCII", "{api_key:", "{base_url: 'https://host/v\u00e9', api_key:", "3: providers.openai.base_url", "holds characters that are not ASCII", "percent-encode"),
    changed("URL with a host that is none", "{api_key:", "{base_url: 'https://a..b/v1', api_key:", "3: providers.openai.base_url", "'https://a..b/v1' is not an http://", "`base_url:"),
    changed("asyncio behind a proxy", "{api_key:", "{transport: asyncio, proxy: 'http://127.0.0.1:3128', api_key:", "3: providers.openai.transport", "asyncio speaks to no proxy", "write `transport: auto`"),
    changed("asyncio with HTTP/2", "{api_key:", "{transport: asyncio, http2: true, api_key:", "3: providers.openai.transport", "asyncio speaks no HTTP/2", "write `transport: auto`"),
    changed("headers in text", "{api_key:", f"{{headers: 'Authorization {SECRET}', api_key:", "3: providers.openai.headers", "'**********' is not a mapping", "lines below"),
    changed("unknown kind", "{api_key:", "{kind: opneai, api_key:", "3: providers.openai.kind", "'opneai' is not one of openai", "did you mean 'openai'?"),
    changed("scripted is for code", "{api_key:", "{kind: scripted, api_key:", "3: providers.openai.kind", "made in code only", "write `kind: openai`"),
    changed("timeout of zero", "{api_key:", "{timeouts: {connect_s: 0}, api_key:", "3: providers.openai.timeouts.connect_s", "0 is not a number of seconds above 0", "`connect_s: 5`"),
    whole("unknown provider without URL", BASE.replace("openai", "acme"), "3: providers.acme.base_url", "is missing", "`base_url: https://api.openai.com/v1`"),
    changed("tolerance above 1", "quality_tolerance: 0.1", "quality_tolerance: 10", "14: policies.default.quality_tolerance", "10 is not a tolerance in [0, 1]", "`quality_tolerance: 0.1`"),
    changed("two dials", "{quality_tolerance: 0.1}", "{quality_tolerance: 0.1, within_best: 0.1}", "14: policies.default", "says twice how quality trades for money", "give quality_tolerance or within_best"),
    changed("share above 1", "quality_tolerance: 0.1", "within_best: 5", "14: policies.default.within_best", "5 is not a share in [0, 1]", "`within_best: 0.05`"),
    changed("misspelt value", "quality_tolerance", "quality_value", "14: policies.default.quality_value", "unknown key", "did you mean 'quality_value_usd'?"),
    changed("a budget of no kind", "quality_tolerance: 0.1", "budget: {usd: 3}", "14: policies.default.budget", "is no budget", "give `usd_per_request`, or `usd` and `window_s`"),
    changed("a budget beside a dial", "{quality_tolerance: 0.1}", "{within_best: 0.1, budget: {usd_per_request: 0.1}}", "14: policies.default", "says twice how quality trades for money", "give within_best or budget"),
    changed("a budget above what is counted", "quality_tolerance: 0.1", "budget: {usd_per_request: 1.0e+10}", "14: policies.default.budget.usd_per_request", "is not an amount from 1e-9 to 1e9", "`usd_per_request: 0.002`"),
    changed("a budget's empty window", "quality_tolerance: 0.1", "budget: {usd: 3, window_s: 0}", "14: policies.default.budget.window_s", "0 is not a number of seconds from 1", "`window_s: 86400`"),
    changed("a budget of many with an unknown key", "quality_tolerance: 0.1", "budget: [{usd_per_request: 3}, {usd: 3, window: 9}]", "14: policies.default.budget[1].window", "unknown key", "did you mean 'window_s'?"),
    changed("a budget twice", "quality_tolerance: 0.1", "budget: [{usd_per_request: 3}, {usd_per_request: 3.0}]", "14: policies.default.budget", "has a budget twice", "drop one"),
    changed("negative cost", "quality_tolerance: 0.1", "max_cost_usd: -1", "14: policies.default.max_cost_usd", "-1 is not a cost of 0 or more", "`max_cost_usd: 0.01`"),
    changed("unknown strategy", "quality_tolerance: 0.1", "strategy: cheapest", "14: policies.default.strategy", "'cheapest' is not one of auto, direct", "choose one"),
    changed("unknown sort", "quality_tolerance: 0.1", "provider: {sort: cost}", "14: policies.default.provider.sort", "'cost' is not one of price", "choose one"),
    added("cache that is a word", "cache: on\n", "15: cache", "'on' is not a mapping", "write `key: value` lines"),
    added("wrong share of wrong hits", "cache: {target_error: 0}\n", "15: cache.target_error", "0 is not a share of wrong hits from 0.0001 to 0.5", "`target_error: 0.01`"),
    added("misspelt cache key", "cache: {ttl: 60}\n", "15: cache.ttl", "unknown key", "did you mean 'ttl_s'?"),
    added("cache too small", "cache: {max_mb: 0.5}\n", "15: cache.max_mb", "0.5 is not a size from 1", "`max_mb: 256`"),
    added("unknown judge", "cache: {judge: gpt-5}\n", "15: cache.judge", "unknown model 'gpt-5'", "(or add it under `models`)"),
    added("path that is a list", "cache: {path: [a]}\n", "15: cache.path", "a list is not text", "write it in quotes"),
    added("audits above 1", "cache: {audit_rate: 2}\n", "15: cache.audit_rate", "2 is not a share in [0, 1]", "`audit_rate: 0.02`"),
    changed("unknown cache mode", "quality_tolerance: 0.1", "cache: on", "14: policies.default.cache", "'on' is not one of read-write, read, write, off", "choose one"),
]  # fmt: skip
