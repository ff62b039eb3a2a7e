"""Decisions as rows: what is logged of a request, and how a log is read back for replay and training.

`?` marks what may be null; times are Unix seconds.

| column | type | what |
|---|---|---|
| `decision_id` | text | `dec_` + 32 hex digits; the key |
| `decided_at_s` | float | when the request came in; rows are read in this order |
| `tenant` | text | who asked; `default` without tenants |
| `key_id` | text? | id of the key it came with |
| `policy` | text | name of the policy it was read under |
| `policy_version`, `config_version` | text | versions of the deciding policy and of the catalog |
| `arm` | text? | version of the policy: `main`, `canary`; `pinned`: the caller named the model |
| `strategy` | text | `direct`, `cascade`, `race`, `batch`, or `cache`: a kept answer |
| `chosen` | text | deployment the policy chose: `propensity` and the predictions are this one's |
| `propensity` | float | probability with which it was chosen, in (0, 1] |
| `deployment`, `model`, `provider` | text? | who answered, the chosen or a fallback; null: nobody |
| `domain`, `complexity`, `structure`, `latency_class` | text | labels of the task profile |
| `task`, `session_id` | text? | as the caller named them |
| `tags` | list of text | as the caller gave them |
| `is_stream` | bool | whether the answer was read as a stream |
| `features` | bytes | `Decision.features`, for `Outcome.features` |
| `prompt_hash` | text? | 32 hex digits over messages and tools; null with `prompts: off` |
| `n_expected_input_tokens` | int | estimated input tokens on the chosen deployment |
| `predicted_quality` | float | of the chosen deployment, in [0, 1] |
| `predicted_cost_usd` | float | US dollars |
| `predicted_latency_p95_ms`, `predicted_ttft_p95_ms` | float | 95th percentiles |
| `n_input_tokens`, `n_output_tokens` | int? | tokens used; null: nobody answered |
| `n_cached_input_tokens`, `n_cache_write_tokens` | int? | parts of the input |
| `n_reasoning_tokens` | int? | part of the output; null: not told apart |
| `is_usage_estimated` | bool? | whether we counted, as the provider did not |
| `cost_usd`, `baseline_cost_usd` | float | its cost, and that of the baseline model, US dollars |
| `latency_ms`, `ttft_ms` | float, float? | to the last token, and to the first of a stream |
| `overhead_us` | float | the part of the latency spent in pointsman |
| `attempts` | list | `{deployment, status, error_code, latency_ms}` of every call, in order |
| `cache_layer` | text? | which layer of the cache served; null: none |
| `error_code` | text? | code the caller saw; null: a good answer |
| `is_cut` | bool | whether the answer ended early |
| `reward` | float? | mean of its feedback so far, by weight, in [0, 1]; null: none |
| `shadow` | object? | what the policy's shadow would have chosen, as `ShadowTask.choice` |
| `record` | object | the whole Decision of the HTTP contract, candidates included |
| `prompt` | object? | `messages`, `tools`, `response_format`, with `prompts: full` |
| `answer` | object? | OpenAI's chat completion, with `prompts: full` |
"""

from __future__ import annotations

from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pointsman.types import Served, Usage

Prompts = Literal["off", "hash", "full"]
Row = dict[str, Any]

DEFAULT_TENANT = "default"
"""The tenant of requests that name none."""

_PROMPT_FIELDS = ("messages", "tools", "response_format")
_HASHED_FIELDS = ("messages", "tools")
_MAX_INT = 2**53
_DECIDED = (
    "decision_id policy_version arm config_version strategy propensity domain complexity structure "
    "latency_class features predicted_quality predicted_cost_usd predicted_latency_p95_ms "
    "predicted_ttft_p95_ms"
).split()
_SERVED = (
    "key_id policy is_stream deployment model provider cost_usd baseline_cost_usd latency_ms ttft_ms "
    "overhead_us error_code is_cut"
).split()
_COUNTS = (
    "n_input_tokens n_cached_input_tokens n_cache_write_tokens n_output_tokens n_reasoning_tokens".split()
)
_NO_USAGE = dict.fromkeys((*_COUNTS, "is_usage_estimated"))
_JSON_COLUMNS = ("record", "prompt", "answer", "tags", "attempts", "shadow")


def decision_row(served: Served, prompts: Prompts = "hash") -> Row:
    """What is logged of one request, as the database holds it. 20 to 60 us, most of it the record.

    Args:
        served: What became of it.
        prompts: Whether the conversation is kept: not even its hash, its hash, or all of it and the answer.
    """
    decision, constraints = served.decision, served.request.constraints
    row = {name: getattr(decision, name) for name in _DECIDED}
    row |= {name: getattr(served, name) for name in _SERVED}
    row |= _usage(served.usage)
    row |= {
        "decided_at_s": served.started_at_s,
        "tenant": served.request.tenant or DEFAULT_TENANT,
        "chosen": decision.deployment,
        "n_expected_input_tokens": decision.n_input_tokens,
        "task": constraints.task,
        "session_id": constraints.session_id,
        "tags": orjson.dumps(constraints.tags).decode(),
        "attempts": orjson.dumps([asdict(attempt) for attempt in served.attempts]).decode(),
        "cache_layer": served.cache.layer,
        "reward": None,
        "shadow": _shadow(served),
        "record": decision.to_json(served.overhead_us),
        "prompt_hash": None if prompts == "off" else prompt_hash(served.body),
        "prompt": _dumped(_only(served.body, _PROMPT_FIELDS)) if prompts == "full" else None,
        "answer": _dumped(served.answer) if prompts == "full" and served.answer is not None else None,
    }
    return {name: _storable(value) for name, value in row.items()}


def prompt_hash(body: Mapping[str, Any]) -> str:
    """Hash of a conversation and its tools, 32 hex digits: equal ones have equal hashes.

    It is no secret: whoever can guess a prompt can tell from its hash that it was asked.
    """
    return blake2b(_dumped(_only(body, _HASHED_FIELDS)), digest_size=16).hexdigest()


def readable(row: Mapping[str, Any]) -> Row:
    """A row as the table above has it, or a part of one: JSON columns parsed."""
    columns = [name for name in _JSON_COLUMNS if name in row]
    parsed = {name: None if row[name] is None else orjson.loads(row[name]) for name in columns}
    return {**row, **parsed}


def decision_rows(
    source: str | Path,
    *,
    since_s: float | None = None,
    until_s: float | None = None,
    tenant: str | None = None,
    model: str | None = None,
) -> Iterator[Row]:
    """Rows of a decision log, oldest first; columns as the table at the top of this module has them.

    Reads a thousand at a time, so a log may be larger than memory. Rows written meanwhile may be among them.

    Args:
        source: A database, as `store.url` names it, or the folder of an export (`pointsman export`).
        since_s: Unix time, seconds; only requests from then on.
        until_s: Unix time, seconds; only requests before.
        tenant: Only of this tenant; `None`: of all.
        model: Only answered by this model; `None`: by any, or by nobody.

    Raises:
        ConfigError: No such log, or its database cannot be read.

    Example:
        >>> from tempfile import mkdtemp
        >>> from pointsman.store.store import open_store
        >>> url = mkdtemp() + "/decisions.db"
        >>> open_store(url).close()
        >>> list(decision_rows(url))
        []
    """
    if Path(source).is_dir():
        from pointsman.store.parquet import read_export as read
    else:
        from pointsman.store.reader import read_log as read
    for row in read(str(source), since_s=since_s, until_s=until_s, tenant=tenant, model=model):
        yield readable(row)


def _shadow(served: Served) -> str | None:
    if served.shadow is None:
        return None
    return orjson.dumps(served.shadow.choice(served.decision, served.started_at_s)).decode()


def _usage(usage: Usage | None) -> Row:
    if usage is None:
        return _NO_USAGE
    return {name: getattr(usage, name) for name in _COUNTS} | {"is_usage_estimated": usage.is_estimated}


def _only(body: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: body[name] for name in names if body.get(name) is not None}


def _dumped(value: Any) -> bytes:
    # A program may hand over what JSON does not have: it is logged as text rather than not at all.
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)


def _storable(value: Any) -> Any:
    """What both databases take: no zero characters in texts, no whole numbers beyond 2^53."""
    if isinstance(value, str):
        return value.replace("\0", "�") if "\0" in value else value
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-_MAX_INT, min(value, _MAX_INT))
    return value
