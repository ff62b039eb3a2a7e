"""What a caller got, and what observers are told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pointsman.quick import quick

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman._native import Decision
    from pointsman.types.asked import Request
    from pointsman.types.labels import CacheLayer
    from pointsman.types.outcome import Attempt, Usage


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
