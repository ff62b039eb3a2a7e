"""Reads a chat request: OpenAI's body plus what pointsman adds, into the core's `Request`.

One path for the gateway (`ChatRequest.parse`) and the library (`chat_body` builds the same body from keyword
arguments), so both mean the same by every field.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pointsman.errors import RequestError
from pointsman.quick import quick
from pointsman.registry.policies import DEFAULT_POLICY
from pointsman.router.block import BLOCK_FIELDS, constrained, read_block, read_preferences
from pointsman.router.cache_wishes import NO_WISHES, CacheWishes, cache_wishes
from pointsman.router.fields import boolean, integer, kind, mapping, mappings, names, nearest, one_of
from pointsman.types import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pointsman.keys import Key
    from pointsman.registry import Policy
    from pointsman.types import Shadow

AUTO = "auto"
_NAMED = "auto:"

# Fields of the body that are ours (or OpenRouter's routing fields): read here, never passed on.
ROUTING_FIELDS = frozenset({"pointsman", "models", "provider"})

# Fields every chat server takes, so they say nothing about what a deployment must support.
COMMON_FIELDS = frozenset(
    {"model", "messages", "stream", "stream_options", "user", "metadata", "store", "service_tier", "n"}
)

_SERVICE_TIERS = one_of("auto", "default", "flex", "priority")

# OpenAI's chat parameters, for `Router.complete(**parameters)`; from its API description 2.3.0.
CHAT_PARAMETERS = frozenset(
    "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens "
    "metadata modalities n parallel_tool_calls prediction presence_penalty prompt_cache_key "
    "prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop "
    "store stream_options temperature tool_choice tools top_logprobs top_p user verbosity "
    "web_search_options".split()
)


# Of every request one, and a frozen dataclass takes a microsecond.
class Asking(NamedTuple):
    """What says which version of which policy a request is read under.

    Attributes:
        policy: Name of the policy; of a pinned model `default`, whose limits hold for it.
        is_pinned: Whether the caller named the model, so that no policy chooses.
        session_id: The conversation it belongs to, if it says.
        tenant: Who asks, where a gateway serves several.
    """

    policy: str
    is_pinned: bool = False
    session_id: str | None = None
    tenant: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat request, understood.

    Attributes:
        request: What the core decides on.
        body: What is sent upstream, but for `model` and the stream options the adapter sets.
        policy: The policy it was read under.
        explain: Whether the answer carries `pointsman_metadata`.
        wants_usage: Whether the caller asked for the usage chunk of a stream.
        cache: What the cache may do for it.
        key: The key it came with; `None`: without one.
        shadow: What another version of the policy is to be asked once the answer has left.
        under: What the core would decide on under another policy; raises `RequestError`.
    """

    request: Request
    body: dict[str, Any]
    policy: Policy
    explain: bool
    wants_usage: bool
    cache: CacheWishes = NO_WISHES
    key: Key | None = None
    shadow: Shadow | None = None
    under: Callable[[Policy], Request] | None = field(default=None, compare=False, repr=False)

    @property
    def policy_name(self) -> str:
        """Name of the policy it was read under."""
        return self.policy.name

    @property
    def key_id(self) -> str | None:
        """Id of the key it came with."""
        return self.key.key_id if self.key else None

    @staticmethod
    def parse(
        body: Any,
        headers: Mapping[str, str],
        resolve_policy: Callable[[Asking], Policy],
        *,
        cache_control: str = "",
        key: Key | None = None,
    ) -> ChatRequest:
        """Read an OpenAI chat body with pointsman's block and headers.

        Args:
            body: The decoded JSON body.
            headers: The `x-pointsman-*` request headers, names lower-case and without that prefix.
            resolve_policy: Gives the policy that a request is read under, or raises `RequestError`.
            cache_control: Value of the `Cache-Control` header, if there is one.
            key: The key it came with: its tenant asks, and only its models may answer.

        Raises:
            RequestError: Names the parameter, the value seen and the remedy.
        """
        if not isinstance(body, dict):
            raise RequestError(f"the body must be a JSON object, got {kind(body)}")
        model = _required_model(body)
        block = read_block(body.get("pointsman"), headers)
        if isinstance(group := body.get("prompt_cache_key"), str) and group:
            # What OpenAI's clients group their prompts by names a session as well as any.
            block.setdefault("session_id", group)
        asking = Asking(
            policy=_policy_name(model),
            is_pinned=not is_auto(model),
            session_id=block.get("session_id"),
            tenant=key.tenant if key else None,
        )
        policy = resolve_policy(asking)
        under = partial(_request, body, block, model, key)
        stream_options = mapping(body, "stream_options") or {}
        return ChatRequest(
            request=under(policy),
            body={name: value for name, value in body.items() if name not in ROUTING_FIELDS},
            policy=policy,
            explain=bool(block.get("explain", False)),
            wants_usage=bool(stream_options.get("include_usage", False)),
            cache=cache_wishes(policy.cache, block.get("cache"), cache_control),
            key=key,
            under=under,
        )


def _request(
    body: dict[str, Any], block: dict[str, Any], model: str, key: Key | None, policy: Policy
) -> Request:
    """What a body asks under a policy."""
    return Request(
        messages=_messages(body),
        tools=mappings(body, "tools") or (),
        response_format=mapping(body, "response_format"),
        max_output_tokens=_max_output_tokens(body),
        n_choices=integer(body, "n", at_least=1) or 1,
        stream=boolean(body, "stream"),
        service_tier=_service_tier(body),
        parameters=_parameters(body),
        allowed_models=_allowed_models(model, body, policy, key),
        permitted_models=key.models if key else None,
        tenant=key.tenant if key else None,
        policy_version=policy.version or None,
        arm=policy.arm,
        constraints=constrained(policy, block),
        preferences=read_preferences(body.get("provider"), policy.preferences),
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
            raise RequestError(f"unknown argument {name!r}{nearest(name, known)}", param=name)
    body |= extra
    if block:
        # A block in `extra_body` adds to the arguments; it must not make a limit vanish.
        body["pointsman"] = {**(body.get("pointsman") or {}), **block}
    return body


def _parameters(body: dict[str, Any]) -> tuple[str, ...]:
    """Names of the optional parameters that are used: neither null nor switched off."""
    return tuple(
        name
        for name, value in body.items()
        if value is not None
        and value is not False
        and name not in COMMON_FIELDS
        and name not in ROUTING_FIELDS
    )


def _required_model(body: dict[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise RequestError(
            f'model must be a string such as "auto", "auto:POLICY" or a model name, got {kind(model)}',
            param="model",
        )
    return model


def is_auto(model: str) -> bool:
    """Whether a policy is to choose, and not the caller."""
    return model == AUTO or model.startswith(_NAMED)


def _policy_name(model: str) -> str:
    return model.removeprefix(_NAMED) if model.startswith(_NAMED) else DEFAULT_POLICY


def _allowed_models(
    model: str, body: dict[str, Any], policy: Policy, key: Key | None
) -> tuple[str, ...] | None:
    models = names(body.get("models"), "models")
    if key is not None and key.models is not None:
        for name in models or ():
            check_permitted(name, "models", key.models)
        if not is_auto(model):
            check_permitted(model, "model", key.models)
    if is_auto(model):
        return models if models is not None else policy.allowed_models
    return (model, *(name for name in models or () if name != model))


def check_permitted(name: str, param: str, permitted: tuple[str, ...]) -> None:
    """Refuse a model that a key may not use; its error is a 403 that says which it may."""
    if name not in permitted:
        raise RequestError(
            f"this API key may not use model {name!r:.100}; it may use {', '.join(permitted)}",
            code="caller_model_not_allowed",
            param=param,
            status=403,
        )


def _service_tier(body: dict[str, Any]) -> str | None:
    tier = body.get("service_tier")
    return None if tier is None else _SERVICE_TIERS(tier, "service_tier")


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages = body.get("messages")
    if not isinstance(messages, list):
        seen = kind(messages, is_prompt=True)
        raise RequestError(f"messages must be a list of messages, got {seen}", param="messages")
    if not messages:
        raise RequestError("messages is empty; send at least one message", param="messages")
    return messages


def _max_output_tokens(body: dict[str, Any]) -> int | None:
    newer = integer(body, "max_completion_tokens", at_least=0)
    limit = newer if newer is not None else integer(body, "max_tokens", at_least=0)
    # OpenAI's schema allows 0, and what it means is the upstream's to say; any answer has a token.
    return limit if limit is None else max(1, limit)
