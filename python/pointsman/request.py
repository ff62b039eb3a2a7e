"""Reads a chat request: OpenAI's body plus what pointsman adds, into the core's `Request`.

One path for the gateway (`ChatRequest.parse`) and the library (`chat_body` builds the same body from keyword
arguments), so both mean the same by every field.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pointsman.errors import RequestError
from pointsman.types import NO_PREFERENCES, Constraints, ProviderPreferences, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

AUTO = "auto"

# Fields of the body that are ours (or OpenRouter's routing fields): read here, never passed on.
ROUTING_FIELDS = frozenset({"pointsman", "models", "provider"})

# Fields every chat server takes, so they say nothing about what a deployment must support.
COMMON_FIELDS = frozenset(
    {"model", "messages", "stream", "stream_options", "user", "metadata", "store", "service_tier", "n"}
)

# OpenAI's chat parameters, for `Router.complete(**parameters)`; from its API description 2.3.0.
CHAT_PARAMETERS = frozenset(
    """audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens metadata
    modalities n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_retention
    reasoning_effort response_format safety_identifier seed service_tier stop store stream_options temperature
    tool_choice tools top_logprobs top_p user verbosity web_search_options""".split()
)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Policy(Protocol):
    """A named constraint set of the config."""

    @property
    def constraints(self) -> Constraints: ...  # noqa: D102
    @property
    def preferences(self) -> ProviderPreferences: ...  # noqa: D102
    @property
    def allowed_models(self) -> tuple[str, ...] | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat request, understood.

    Attributes:
        request: What the core decides on.
        body: What is sent upstream, but for `model` and the stream options the adapter sets.
        explain: Whether the answer carries `pointsman_metadata`.
        wants_usage: Whether the caller asked for the usage chunk of a stream.
    """

    request: Request
    body: dict[str, Any]
    explain: bool
    wants_usage: bool

    @staticmethod
    def parse(
        body: Any, headers: Mapping[str, str], resolve_policy: Callable[[str], Policy]
    ) -> ChatRequest:
        """Read an OpenAI chat body with pointsman's block and headers.

        Args:
            body: The decoded JSON body.
            headers: The `x-pointsman-*` request headers, names lower-case and without that prefix.
            resolve_policy: Gives the policy of a name, or raises `RequestError`.

        Raises:
            RequestError: Names the parameter, the value seen and the remedy.
        """
        if not isinstance(body, dict):
            raise RequestError(f"the body must be a JSON object, got {_kind(body)}")
        model = _required_model(body)
        policy = resolve_policy(_policy_name(model))
        block = _block(body.get("pointsman"), headers)
        request = Request(
            messages=_messages(body),
            tools=_objects(body, "tools") or (),
            response_format=_object(body, "response_format"),
            max_output_tokens=_max_output_tokens(body),
            n_choices=_integer(body, "n", at_least=1) or 1,
            stream=_boolean(body, "stream"),
            service_tier=_string(body, "service_tier"),
            parameters=tuple(name for name in body if name not in COMMON_FIELDS and name not in ROUTING_FIELDS),
            allowed_models=_allowed_models(model, body, policy),
            constraints=_merge(policy.constraints, block),
            preferences=_preferences(body.get("provider"), policy.preferences),
        )
        stream_options = _object(body, "stream_options") or {}
        return ChatRequest(
            request=request,
            body={name: value for name, value in body.items() if name not in ROUTING_FIELDS},
            explain=bool(block.get("explain", False)),
            wants_usage=bool(stream_options.get("include_usage", False)),
        )


def chat_body(messages: Any, model: str, stream: bool, arguments: dict[str, Any]) -> dict[str, Any]:
    """Build the chat body that `Router.complete(messages, **arguments)` stands for.

    A string as `messages` is one user message. Constraints go into the `pointsman` block, OpenAI's parameters
    to the top level, `extra_body` is merged in last.

    Raises:
        RequestError: An argument that is neither; names the nearest known one.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": messages}] if isinstance(messages, str) else messages,
    }
    if stream:
        body["stream"] = True
    block: dict[str, Any] = {}
    extra = arguments.pop("extra_body", None) or {}
    for name, value in arguments.items():
        if name in BLOCK_FIELDS:
            block[name] = value
        elif name in CHAT_PARAMETERS or name in ("models", "provider"):
            body[name] = value
        else:
            known = (*BLOCK_FIELDS, *CHAT_PARAMETERS, "models", "provider", "extra_body")
            raise RequestError(f"unknown argument {name!r}{_nearest(name, known)}", param=name)
    if block:
        body["pointsman"] = block
    return {**body, **extra}


# ---- top-level fields


def _required_model(body: dict[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise RequestError(
            f'model must be a string such as "auto", "auto:POLICY" or a model name, got {_kind(model)}', param="model"
        )
    return model


def _policy_name(model: str) -> str:
    if model.startswith("auto:"):
        return model.removeprefix("auto:")
    return "default"


def _allowed_models(model: str, body: dict[str, Any], policy: Policy) -> tuple[str, ...] | None:
    models = _names(body.get("models"), "models")
    if model == AUTO or model.startswith("auto:"):
        return models if models is not None else policy.allowed_models
    return (model, *(name for name in models or () if name != model))


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise RequestError(f"messages must be a list of messages, got {_kind(messages)}", param="messages")
    if not messages:
        raise RequestError("messages is empty; send at least one message", param="messages")
    return messages


def _max_output_tokens(body: dict[str, Any]) -> int | None:
    newer = _integer(body, "max_completion_tokens", at_least=1)
    return newer if newer is not None else _integer(body, "max_tokens", at_least=1)


def _boolean(body: dict[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise RequestError(f"{name} must be true or false, got {_kind(value)}", param=name)
    return value


def _integer(body: dict[str, Any], name: str, *, at_least: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not at_least <= value < 2**31:
        raise RequestError(f"{name} must be an integer >= {at_least}, got {_kind(value)}", param=name)
    return value


def _string(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise RequestError(f"{name} must be a string, got {_kind(value)}", param=name)
    return value


def _object(body: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise RequestError(f"{name} must be an object, got {_kind(value)}", param=name)
    return value


def _objects(body: dict[str, Any], name: str) -> list[dict[str, Any]] | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise RequestError(f"{name} must be a list of objects, got {_kind(value)}", param=name)
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise RequestError(f"{name}[{index}] must be an object, got {_kind(item)}", param=f"{name}[{index}]")
    return value


def _names(value: Any, param: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise RequestError(f"{param} must be a list of names, got {_kind(value)}", param=param)
    return tuple(value)


# ---- the `pointsman` block


def _number(value: Any, param: str, low: float, high: float = math.inf) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            value = math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high or value == math.inf:
        bounds = f"a number >= {low:g}" if high == math.inf else f"a number in [{low:g}, {high:g}]"
        raise RequestError(f"{param} must be {bounds}, got {_kind(value)}", param=param)
    return float(value)


def _duration_s(value: Any, param: str) -> float:
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip().lower())):
        return float(match[1]) * _SECONDS_PER_UNIT[match[2]]
    try:
        return _number(value, param, 0)
    except RequestError:
        raise RequestError(
            f'{param} must be a duration such as "30s", "15m" or "24h", or seconds, got {_kind(value)}', param=param
        ) from None


def _name(value: Any, param: str) -> str:
    if not isinstance(value, str) or not value or len(value) > 256:
        raise RequestError(f"{param} must be a non-empty string of at most 256 characters, got {_kind(value)}", param=param)
    return value


def _one_of(*allowed: str) -> Callable[[Any, str], str]:
    def read(value: Any, param: str) -> str:
        if value not in allowed:
            near = _nearest(value, allowed) if isinstance(value, str) else ""
            raise RequestError(f"{param} must be one of {', '.join(allowed)}, got {_kind(value)}{near}", param=param)
        return str(value)

    return read


def _tags(value: Any, param: str) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [tag.strip() for tag in value.split(",") if tag.strip()]
    return _names(value, param) or ()


def _flag(value: Any, param: str) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false", "1", "0"):
        return value.lower() in ("true", "1")
    if not isinstance(value, bool):
        raise RequestError(f"{param} must be true or false, got {_kind(value)}", param=param)
    return value


def _cache(value: Any, param: str) -> None:
    """Check the cache wishes; there is no cache yet, so every request is a miss whatever they say."""
    if isinstance(value, str):
        value = {"mode": value}
    if not isinstance(value, dict):
        raise RequestError(f"{param} must be an object, got {_kind(value)}", param=param)
    readers = {
        "mode": _one_of("read-write", "read", "write", "off"),
        "max_age_s": lambda seen, at: _number(seen, at, 0),
        "scope": _name,
    }
    for name, seen in value.items():
        if name not in readers:
            raise RequestError(f"unknown field {param}.{name}{_nearest(name, readers)}", param=f"{param}.{name}")
        readers[name](seen, f"{param}.{name}")


_BLOCK_READERS: dict[str, Callable[[Any, str], Any]] = {
    "task": _name,
    "max_cost_usd": lambda value, param: _number(value, param, 0),
    "max_latency_ms": lambda value, param: _number(value, param, 0),
    "max_ttft_ms": lambda value, param: _number(value, param, 0),
    "min_quality": lambda value, param: _number(value, param, 0, 1),
    "quality_like": _name,
    "strategy": _one_of("auto", "direct", "cascade", "race", "batch"),
    "deadline": _duration_s,
    "session_id": _name,
    "cache": _cache,
    "tags": _tags,
    "explain": _flag,
}
BLOCK_FIELDS = tuple(_BLOCK_READERS)
_RENAMED = {"deadline": "deadline_s"}
_CONSTRAINT_FIELDS = frozenset(field.name for field in fields(Constraints))


def _block(block: Any, headers: Mapping[str, str]) -> dict[str, Any]:
    """The block's fields, read and checked; the body wins over a header of the same name."""
    if block is None:
        block = {}
    if not isinstance(block, dict):
        raise RequestError(f"pointsman must be an object, got {_kind(block)}", param="pointsman")
    seen: dict[str, Any] = {}
    for header, value in headers.items():
        name = header.replace("-", "_")
        name = "cache" if name == "cache_mode" else name
        if name not in _BLOCK_READERS:
            known = [field.replace("_", "-") for field in BLOCK_FIELDS]
            raise RequestError(
                f"unknown header x-pointsman-{header}{_nearest(header, known, prefix='x-pointsman-')}",
                param=f"x-pointsman-{header}",
            )
        seen[name] = _BLOCK_READERS[name](value, f"x-pointsman-{header}")
    for name, value in block.items():
        if name not in _BLOCK_READERS:
            raise RequestError(f"unknown field pointsman.{name}{_nearest(name, BLOCK_FIELDS)}", param=f"pointsman.{name}")
        if value is not None:
            seen[name] = _BLOCK_READERS[name](value, f"pointsman.{name}")
    return seen


def _merge(base: Constraints, block: dict[str, Any]) -> Constraints:
    changes = {
        _RENAMED.get(name, name): value
        for name, value in block.items()
        if _RENAMED.get(name, name) in _CONSTRAINT_FIELDS
    }
    return replace(base, **changes) if changes else base


# ---- OpenRouter's `provider` object


def _preferences(value: Any, base: ProviderPreferences) -> ProviderPreferences:
    if value is None:
        return base
    if not isinstance(value, dict):
        raise RequestError(f"provider must be an object, got {_kind(value)}", param="provider")
    changes: dict[str, Any] = {}
    for name, seen in value.items():
        if name not in _PREFERENCE_READERS:
            raise RequestError(
                f"unknown field provider.{name}{_nearest(name, _PREFERENCE_READERS)}", param=f"provider.{name}"
            )
        if seen is not None:
            changes.update(_PREFERENCE_READERS[name](seen, f"provider.{name}"))
    return replace(base, **changes) if base is not NO_PREFERENCES else ProviderPreferences(**changes)


def _max_price(value: Any, param: str) -> dict[str, float]:
    names = {"prompt": "max_input_price_usd_per_mtok", "completion": "max_output_price_usd_per_mtok"}
    if not isinstance(value, dict):
        raise RequestError(f"{param} must be an object with prompt and completion, got {_kind(value)}", param=param)
    for name in value:
        if name not in names:
            raise RequestError(f"unknown field {param}.{name}{_nearest(name, names)}", param=f"{param}.{name}")
    return {names[name]: _number(seen, f"{param}.{name}", 0) for name, seen in value.items()}


_PREFERENCE_READERS: dict[str, Callable[[Any, str], dict[str, Any]]] = {
    "order": lambda value, param: {"order": _names(value, param) or ()},
    "only": lambda value, param: {"only": _names(value, param)},
    "ignore": lambda value, param: {"ignore": _names(value, param) or ()},
    "allow_fallbacks": lambda value, param: {"allow_fallbacks": _flag(value, param)},
    "require_parameters": lambda value, param: {"require_parameters": _flag(value, param)},
    "data_collection": lambda value, param: {"data_collection": _one_of("allow", "deny")(value, param)},
    "sort": lambda value, param: {"sort": _one_of("price", "throughput", "latency")(value, param)},
    "max_price": _max_price,
}


# ---- words of an error


def _nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"; did you mean {prefix}{near[0]}?"
    return f"; known: {', '.join(prefix + each for each in sorted(known))}" if len(known) <= 16 else ""


def _kind(value: Any) -> str:
    """Show a value in an error without ever showing a prompt: scalars as they are, the rest by kind."""
    if value is None:
        return "nothing"
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else f"{value!r:.40}"
    if isinstance(value, str):
        return f"the string {value!r}" if len(value) <= 40 else f"a string of {len(value)} characters"
    names: dict[type, Literal["an object", "a list"]] = {dict: "an object", list: "a list"}
    return names.get(type(value), type(value).__name__)
