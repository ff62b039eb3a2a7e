"""What is asked: a request with its constraints, preferences and budgets.

The core reads `Request` attribute by attribute (see `rust/pointsman-py/src`), so a field renamed here is
renamed there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pointsman.quick import quick

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Buffer

    from pointsman.types.labels import Arm, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What an answer must satisfy, and how quality trades for money. `None` means: no such limit.

    `quality_tolerance`, `within_best` and `quality_value_usd` set the same dial: give at most one.

    Attributes:
        task: Task name the caller gives; selects the quality prior of that name where a model has one.
        max_cost_usd: Upper bound of the expected cost of the request, in US dollars, >= 0.
        max_latency_ms: Upper bound of the predicted 95th percentile of the whole answer's latency, > 0.
        max_ttft_ms: Upper bound of the predicted 95th percentile of the time to first token, > 0.
        min_quality: Quality floor, in [0, 1]. The cheapest deployment that meets it wins, unless a dial is
            set: then both hold.
        quality_like: Name of a model; its quality on this task is the floor.
        quality_tolerance: How far below the best feasible quality the choice may lie, in [0, 1], for (lookup,
            generation, reasoning).
        within_best: How far below the best feasible quality the choice may lie, as a share of it in [0, 1].
        quality_value_usd: What a quality of 1 instead of 0 is worth for this request, in US dollars, in
            [0, 1e9]; the deployment that gives most for the money wins.
        budget_price: How much more than itself a dollar weighs, so that a budget lasts, in [0, 1e9]. Weighs
            against `quality_value_usd`, which is 1 if not given.
        latency_value_usd_per_s: What a second of latency beyond `max_latency_ms` (without it: any second)
            costs, in US dollars, in [0, 1e6].
        strategy: How to execute. `auto` lets pointsman choose.
        deadline_s: Seconds from now by which the answer must be there; a long one makes the request `batch`.
        exploration: Whether now and then another deployment that meets the need answers, to learn about it;
            `Decision.propensity` says how likely the choice was.
        min_propensity: With exploration: least probability of a deployment that may be drawn, in [0, 1], at
            most an even share. Bounds the weights of off-policy estimates, at a regret linear in time.
        session_id: Conversation this request belongs to; what staying with a deployment saves counts then.
        tags: Free labels, logged with the decision.
    """

    task: str | None = None
    max_cost_usd: float | None = None
    max_latency_ms: float | None = None
    max_ttft_ms: float | None = None
    min_quality: float | None = None
    quality_like: str | None = None
    quality_tolerance: tuple[float, float, float] | None = None
    within_best: float | None = None
    quality_value_usd: float | None = None
    budget_price: float | None = None
    latency_value_usd_per_s: float = 0.0
    strategy: Strategy = "auto"
    deadline_s: float | None = None
    exploration: bool = False
    min_propensity: float = 0.0
    session_id: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a policy may spend: so much a request on average, or so much in every window of time.

    Attributes:
        usd_per_request: US dollars a request on average, above 0.
        usd: US dollars a window, above 0.
        window_s: Length of a window, in seconds, above 0.
    """

    usd_per_request: float | None = None
    usd: float | None = None
    window_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPreferences:
    """OpenRouter's `provider` object: which providers may answer, and in which order.

    Attributes:
        order: Providers to try first, in this order.
        only: If given, no other provider may answer.
        ignore: Providers that may not answer.
        allow_fallbacks: Whether a provider outside `order` (or a second attempt) may answer.
        require_parameters: Whether a deployment must support every parameter of the request.
        data_collection: `deny` admits only providers configured not to keep prompts.
        sort: Rank by `price`, `throughput` or `latency` instead of pointsman's score.
        max_input_price_usd_per_mtok: Upper bound of the input price, US dollars per 1M tokens.
        max_output_price_usd_per_mtok: Upper bound of the output price, US dollars per 1M tokens.
    """

    order: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    allow_fallbacks: bool = True
    require_parameters: bool = False
    data_collection: Literal["allow", "deny"] = "allow"
    sort: Literal["price", "throughput", "latency"] | None = None
    max_input_price_usd_per_mtok: float | None = None
    max_output_price_usd_per_mtok: float | None = None


DIAL_FIELDS = ("quality_tolerance", "within_best", "quality_value_usd")
"""Three ways to say how quality trades for money; at most one may be given."""

NO_CONSTRAINTS = Constraints()
NO_PREFERENCES = ProviderPreferences()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as the core sees it.

    Attributes:
        messages: Conversation in OpenAI's chat shape, oldest first; never empty.
        tools: Tool definitions in OpenAI's shape.
        response_format: OpenAI's `response_format`, if any.
        max_output_tokens: Upper bound the caller set on the answer's tokens.
        n_choices: How many answers the caller asked for (`n`), >= 1.
        stream: Whether the caller reads a stream.
        service_tier: OpenAI's `service_tier`, if any.
        parameters: Names of the optional parameters the request uses (`tools`, `logprobs`, `seed` ...).
        allowed_models: Models that may answer, in order of preference; `None`: all of the catalog.
        permitted_models: Models the caller may use at all, in no order; `None`: all.
        tenant: Who asks, where a gateway serves several; their sessions are apart.
        policy_version: Version of the policy it was read under, which the decision bears; `None`: none.
        arm: Whether that is what is served or its canary, or the caller pinned a model.
        constraints: What the answer must satisfy.
        preferences: Which providers may answer.
        vector: The caller's own embedding of the request: a contiguous float32 buffer with one axis (a numpy
            array), 1 to 512 values of any scale, the same number with every request. Alike requests are then
            sought by it and not by the built-in embedding.
    """

    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] = ()
    response_format: Mapping[str, Any] | None = None
    max_output_tokens: int | None = None
    n_choices: int = 1
    stream: bool = False
    service_tier: str | None = None
    parameters: tuple[str, ...] = ()
    allowed_models: tuple[str, ...] | None = None
    permitted_models: tuple[str, ...] | None = None
    tenant: str | None = None
    policy_version: str | None = None
    arm: Arm | None = None
    constraints: Constraints = NO_CONSTRAINTS
    preferences: ProviderPreferences = NO_PREFERENCES
    vector: Buffer | None = field(default=None, compare=False)
