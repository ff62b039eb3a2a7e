"""What travels between the layers: frozen dataclasses with the unit in the name.

The core reads `Request` and `Outcome` attribute by attribute (see `rust/pointsman-py/src`), so a field
renamed here is renamed there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pointsman.quick import quick

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Buffer

    from pointsman._native import Decision

Complexity = Literal["lookup", "generation", "reasoning"]
Domain = Literal["code", "math", "legal", "medical", "finance", "science", "general"]
Structure = Literal["text", "json", "sql", "code", "label"]
LatencyClass = Literal["interactive", "batch"]
Strategy = Literal["auto", "direct", "cascade", "race", "batch"]
CacheMode = Literal["read-write", "read", "write", "off"]
Arm = Literal["main", "canary", "pinned", "shadow"]
CacheLayer = Literal["exact", "normalised", "canonical", "semantic", "flight"]

NANO_USD_PER_USD = 1_000_000_000
DEFAULT_TENANT = "default"
"""Whose requests are those without a key."""


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


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one answered call, as the provider reported them.

    Attributes:
        n_input_tokens: All input tokens, cached ones included.
        n_cached_input_tokens: Those of them read from the provider's prompt cache.
        n_cache_write_tokens: Those of them written to it, where the provider bills that apart.
        n_output_tokens: All output tokens, reasoning included.
        n_reasoning_tokens: Those of them spent on reasoning; `None`: not reported.
        is_estimated: True when the provider reported none and we counted ourselves.
    """

    n_input_tokens: int = 0
    n_cached_input_tokens: int = 0
    n_cache_write_tokens: int = 0
    n_output_tokens: int = 0
    n_reasoning_tokens: int | None = None
    is_estimated: bool = False


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call to one deployment, answered or not.

    Attributes:
        deployment: Name of the deployment called.
        status: Upstream HTTP status, `None` if there was no answer.
        error_code: `provider_*` code of the failure, `None` on success.
        latency_ms: Time from sending to the complete answer (stream: to the first token).
        is_rejected: Whether it was answered and the answer not kept: another step of a cascade was taken.
    """

    deployment: str
    status: int | None
    error_code: str | None
    latency_ms: float
    is_rejected: bool = False


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one call, for `Core.observe`. `None` means: not known, and not learned from.

    A grade that comes later is an outcome of its own, with `reward` and without times and output tokens.

    Attributes:
        deployment: Name of the deployment that was called.
        domain: The decision's label.
        complexity: The decision's label.
        structure: The decision's label.
        task: Name the caller gave the task.
        decision: The decision that the call carried out; a session it belongs to is warm there now.
        features: The decision's `features`, for a reward that comes when the decision is gone; without
            either a reward teaches only what labels can tell.
        n_input_tokens: Input tokens.
        n_cached_input_tokens: Those of them read from the provider's prompt cache; `None`: not reported.
        n_cache_write_tokens: Those of them written to it.
        n_output_tokens: Output tokens of one answer, reasoning included.
        n_reasoning_tokens: Those of them spent on reasoning; 0 where they are not told apart.
        is_cut: Whether the answer was cut short, so that its length is only known to be larger.
        ttft_ms: Time to the first token, in [0, 1e9]; `None` if the answer came in one piece.
        latency_ms: Time to the last token or to the failure, in [0, 1e9].
        is_error: Whether the call failed.
        reward: How good the answer was, in [0, 1].
        verdict: How good a grader whose word counts for quality floors found the answer, in [0, 1]. `None`
            with an `audit_share`: the reward is the verdict; without a reward either, an audit that brought
            none, which counts as failed.
        audit_share: Probability with which this call came to be graded, in (0, 1]: 1 if every call like it
            is, the share of a random audit. `None`: unknown. Only with it a verdict certifies a floor,
            weighted by one over it; without, a verdict can raise an alarm, and a reward teaches and no more.
        grader: Who gave the verdict. Another name than before starts the slice's floors anew.
        grader_tpr: Share of good answers that the grader passes, in [0, 1]; floors are corrected for it.
        grader_fpr: Share of bad answers that it passes, in [0, 1], at least 0.01 below.
        predicted_quality: The decision's `predicted_quality`, where the decision itself is gone; without
            either it is predicted anew.
        weight: What the reward counts for, in [0, 100]; more than 1 where such grades seldom come.
        replaces: The reward that was learned of this answer before, with the same weight; `reward` takes its
            place.
        is_top_up: Whether the weight comes on top of that with which this answer was learned before: it
            teaches, and floors and their monitors do not take it for a further answer.
    """

    deployment: str
    domain: str
    complexity: str
    structure: str
    task: str | None = None
    decision: Decision | None = None
    features: bytes | None = None
    n_input_tokens: int = 0
    n_cached_input_tokens: int | None = None
    n_cache_write_tokens: int = 0
    n_output_tokens: int | None = None
    n_reasoning_tokens: int = 0
    is_cut: bool = False
    ttft_ms: float | None = None
    latency_ms: float | None = None
    is_error: bool = False
    reward: float | None = None
    verdict: float | None = None
    audit_share: float | None = None
    grader: str | None = None
    grader_tpr: float = 1.0
    grader_fpr: float = 0.0
    predicted_quality: float | None = None
    weight: float = 1.0
    replaces: float | None = None
    is_top_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A quality floor that holds for a deployment in a slice.

    With confidence `1 - delta` the mean reward of what is served from `threshold` up is at least
    `min_quality`; of answers that pass or fail at most the share `alpha` fails. It is a certificate by the
    grader's word, corrected for its known errors, for traffic like the audited one.

    Attributes:
        deployment: Who serves.
        task: Name the caller gave the task, if any; with the labels, the slice.
        domain: Label of the slice.
        complexity: Label of the slice.
        structure: Label of the slice.
        grader: Whose word it is; `None`: the caller's, of `Router.observe`.
        min_quality: The floor, in (0, 1).
        alpha: `1 - min_quality`.
        delta: Chance that this deployment's certificates of this floor in this slice are ever wrong.
        n: Audited answers it rests on.
        n_failed: Sum of their losses, `1 - reward`.
        threshold: Least predicted quality that is served.
        certified_at_s: When, Unix seconds.
    """

    deployment: str
    task: str | None
    domain: str
    complexity: str
    structure: str
    grader: str | None
    min_quality: float
    alpha: float
    delta: float
    n: int
    n_failed: float
    threshold: float
    certified_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUse:
    """What the cache did for one request.

    Attributes:
        layer: What found the kept answer: the very same text (`exact`), text that differs in nothing that
            counts (`normalised`), the same content words in order (`canonical`), a like meaning (`semantic`),
            or the same question under way (`flight`). `None`: no kept answer served.
        reason: Why none served: `off`, a rule of `pointsman.cache.identity`, or the core's reason.
        similarity: Cosine of the two questions, in [-1, 1]; 1 but for `semantic`.
        entry_id: Id of the entry that served.
        age_s: Seconds since its answer was made.
        p_correct: Lower bound of the probability that the answer is right, in [0, 1].
    """

    layer: CacheLayer | None = None
    reason: str | None = None
    similarity: float | None = None
    entry_id: str | None = None
    age_s: float | None = None
    p_correct: float | None = None

    @property
    def is_hit(self) -> bool:
        """Whether a kept answer served."""
        return self.layer is not None

    @property
    def is_exact(self) -> bool:
        """Whether it is the answer to the same question, not to one of a like meaning."""
        return self.layer in ("exact", "normalised", "flight")

    @property
    def status(self) -> Literal["miss", "exact", "semantic"]:
        """As headers and the Decision have it."""
        if not self.is_hit:
            return "miss"
        return "exact" if self.is_exact else "semantic"


CACHE_OFF = CacheUse(reason="off")


class AnsweredBy(Protocol):
    """Who answered."""

    @property
    def deployment(self) -> str:
        """Name of the deployment."""

    @property
    def model(self) -> str:
        """Name of its model."""

    @property
    def provider(self) -> str:
        """Name of its provider."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """An answer with the decision behind it.

    Attributes:
        body: The answer in OpenAI's chat completion shape; `model` is the model that answered.
        decision: What was chosen, and why.
        model: The model that answered (differs from the decision's after a fallback).
        deployment: The deployment that answered.
        provider: The provider that answered.
        usage: Tokens used.
        cost_usd: Cost of the answer, US dollars.
        baseline_cost_usd: What the baseline model would have cost for the same tokens, US dollars.
        latency_ms: From the call of `complete` to the complete answer.
        overhead_us: The part of it spent in pointsman.
        attempts: Every call made, in order.
        headers: Upstream response headers that are passed on (lower-case `x-ratelimit-*`).
        cache: What the cache did. On a hit the answer cost nothing, and model, deployment, provider and usage
            are those of when it was made.
        audit: Name of the feedback that is waited for, as the request was drawn for an audit; `None`: none.
    """

    body: dict[str, Any]
    decision: Decision
    model: str
    deployment: str
    provider: str
    usage: Usage
    cost_usd: float
    baseline_cost_usd: float
    latency_ms: float
    overhead_us: float
    attempts: tuple[Attempt, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    cache: CacheUse = CACHE_OFF
    audit: str | None = None

    @property
    def text(self) -> str:
        """The first choice's text; empty when it holds only tool calls."""
        choices = self.body.get("choices") or [{}]
        content = choices[0].get("message", {}).get("content")
        return content if isinstance(content, str) else ""


class Shadow(Protocol):
    """A decision that is still to be made, and will not be carried out."""

    def choice(self, served: Decision, now_s: float) -> dict[str, Any]:
        """What it would have been, beside the one that was carried out; never raises. A decision's time."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What became of one request, told to every observer after the answer, or the error, has left.

    Attributes:
        decision: What was chosen, and why.
        request: What it was chosen for.
        body: OpenAI body the caller sent, without the fields that are ours.
        policy: Name of the policy it was read under.
        is_stream: Whether the answer was read as a stream.
        started_at_s: Unix time at which the request came in, in seconds.
        key_id: Id of the key it came with; `None`: without one.
        deployment: The deployment that answered; `None`: nobody did.
        model: Its model.
        provider: Its provider.
        answer: The answer in OpenAI's chat completion shape; of a stream, put together from its chunks if an
            observer wants answers. `None` if there is none.
        usage: Tokens used; `None` if nobody answered.
        cost_usd: What the request cost, US dollars.
        baseline_cost_usd: What the baseline would have cost for the same tokens, US dollars.
        latency_ms: From the request to the last token, or to the error.
        ttft_ms: From the request to the first token that was kept; `None` but for streams.
        overhead_us: The part of the latency (of a stream: until its first token) spent in pointsman.
        attempts: Every call made, in order.
        cache: What the cache did.
        error_code: Code the caller saw (`caller_gone`: it left before the answer); `None`: a good answer.
        is_cut: Whether the answer ended early: by its limit, by an error, or because the caller left.
        operation: What was asked for, as OpenTelemetry's `gen_ai.operation.name` has it.
        shadow: What another version of the policy is still to be asked; for whoever logs, off the reply path.
    """

    decision: Decision
    request: Request
    body: Mapping[str, Any]
    policy: str
    is_stream: bool
    started_at_s: float
    latency_ms: float
    overhead_us: float
    attempts: tuple[Attempt, ...]
    key_id: str | None = None
    deployment: str | None = None
    model: str | None = None
    provider: str | None = None
    answer: Mapping[str, Any] | None = None
    usage: Usage | None = None
    cost_usd: float = 0.0
    baseline_cost_usd: float = 0.0
    ttft_ms: float | None = None
    cache: CacheUse = CACHE_OFF
    error_code: str | None = None
    is_cut: bool = False
    operation: Literal["chat", "embeddings"] = "chat"
    shadow: Shadow | None = None


class Observer(Protocol):
    """Is told what became of every request."""

    @property
    def wants_answers(self) -> bool:
        """Whether it looks at `Served.answer`; streams are put together only then."""

    def served(self, served: Served) -> None:
        """Take note of one request. Called where the request ran, so be quick; what it raises is logged."""
