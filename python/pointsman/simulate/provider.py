"""One simulated provider as a state machine: calls arrive and leave at times it is told.

It has no clock and no socket. A server drives it with the real time, a simulation with its own:

    provider = SimulatedProvider("alpha", ProviderScript(latency={"ttft_p50_ms": 200}), seed=7)
    call = provider.arrive(now_s=0.0, ask=Ask(n_input_tokens=50, n_output_tokens=100))
    call.course.ttft_s, call.course.ends_s, call.course.is_answered  # when and whether it is answered
    provider.leave(call, now_s=call.course.ends_s, end="complete", n_tokens=100)
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from pointsman.simulate.conditions import Timeline
from pointsman.simulate.course import Course, FaultDraw, draw_course, lognormal
from pointsman.simulate.faults import FAULTS, FaultKind
from pointsman.simulate.quota import QuotaState
from pointsman.simulate.script import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pointsman.simulate.conditions import Conditions
    from pointsman.simulate.script import ProviderScript

End = Literal["open", "complete", "failed", "cancelled"]
MAX_CALLS_KEPT = 10_000
"""Calls a provider remembers one by one; its counts go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a call asks for.

    Attributes:
        model: Name of the model.
        n_input_tokens: Tokens of the prompt.
        n_output_tokens: Tokens of the answer; `None`: drawn from the script's `answer`.
        max_tokens: Bound of what is drawn.
        is_stream: Whether a stream is wanted.
        headers: Request headers, lower-case names.
        body: The body, kept for whoever asserts on it.
    """

    model: str = "simulated-1"
    n_input_tokens: int = 0
    n_output_tokens: int | None = None
    max_tokens: int | None = None
    is_stream: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(slots=True, kw_only=True)
class Call:
    """One call as the provider saw it. Times are seconds since the start of the simulation.

    Attributes:
        number: 1 for the provider's first call.
        provider: Name of the provider.
        ask: What was asked for.
        course: How it runs.
        arrived_s: When it came in.
        first_byte_s: When the first byte went out.
        ended_s: When it was answered, failed, or the client left.
        end: What became of it; `cancelled`: the client left first.
        n_tokens_sent: Tokens sent.
        cost_usd: What the provider bills for it.
        limits: Rate-limit headers of the answer.
    """

    number: int
    provider: str
    ask: Ask
    course: Course
    arrived_s: float
    first_byte_s: float | None = None
    ended_s: float | None = None
    end: End = "open"
    n_tokens_sent: int = 0
    cost_usd: float = 0.0
    limits: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self, *, with_body: bool = False) -> dict[str, Any]:
        """The call as the control endpoint shows it; credentials among its headers are left out."""
        shown = {
            "number": self.number,
            "provider": self.provider,
            "model": self.ask.model,
            "is_stream": self.ask.is_stream,
            "status": self.course.status,
            "fault": self.course.fault.kind if self.course.fault else None,
            "end": self.end,
            "arrived_s": self.arrived_s,
            "first_byte_s": self.first_byte_s,
            "ended_s": self.ended_s,
            "n_input_tokens": self.ask.n_input_tokens,
            "n_tokens": self.course.n_tokens,
            "n_tokens_sent": self.n_tokens_sent,
            "cost_usd": self.cost_usd,
        }
        if with_body:
            secret = ("authorization", "x-api-key")
            headers = {name: value for name, value in self.ask.headers.items() if name not in secret}
            shown |= {"headers": headers, "body": self.ask.body}
        return shown


class SimulatedProvider:
    """The state of one provider.

    Args:
        name: Its name.
        script: How it behaves.
        seed: Same seed, same name, same script and same arrivals: same courses.
    """

    def __init__(self, name: str, script: ProviderScript, seed: int = 0) -> None:
        self.name = name
        self._seed = seed
        self.follow(script)
        self.reset()

    def reset(self) -> None:
        """Forget every call, and begin the draws anew."""
        self.calls: deque[Call] = deque(maxlen=MAX_CALLS_KEPT)
        self.counts: Counter[str] = Counter()
        self.cost_usd = 0.0
        self.n_calls = self.n_open = self.max_open = 0
        self._forced: deque[FaultKind | Literal["ok"] | Fault] = deque(self.script.first_calls)
        self._faults = FaultDraw()
        self._quota = QuotaState()

    def follow(self, script: ProviderScript) -> None:
        """Behave by another script from the next call on."""
        self.script = script
        self._timeline = Timeline(script)

    def force(self, faults: Sequence[FaultKind | Literal["ok"] | Fault]) -> None:
        """Let the next calls meet these, one each, whatever the probabilities are."""
        self._forced.extend(faults)

    def conditions(self, now_s: float) -> Conditions:
        """What holds `now_s` seconds after the start."""
        return self._timeline.at(now_s)

    def arrive(self, now_s: float, ask: Ask) -> Call:
        """Take a call in and draw how it runs; `leave` must follow."""
        conditions = self.conditions(now_s)
        self.n_calls += 1
        rng = Random(f"{self._seed}/{self.name}/{self.n_calls}")  # noqa: S311 - a simulation
        n_tokens = self._n_tokens(ask, rng)
        refused_s = self._quota.admit(conditions.quota, ask.n_input_tokens, self.n_open, now_s)
        fault = self._faults.next(conditions.faults, Random(rng.random()))  # noqa: S311
        if refused_s is not None:
            fault = Fault(kind="rate_limited", retry_after_s=refused_s)
        elif self._forced:
            fault = _as_fault(self._forced.popleft(), conditions.faults)
        slots = self.script.slots
        course = draw_course(
            conditions.latency,
            _for(ask, fault),
            rng,
            n_input_tokens=ask.n_input_tokens,
            n_tokens=n_tokens,
            slowness=max(1.0, (self.n_open + 1) / slots) if slots else 1.0,
        )
        limits = self._quota.headers(self.script.kind, now_s)
        call = Call(
            number=self.n_calls, provider=self.name, ask=ask, course=course, arrived_s=now_s, limits=limits
        )
        self.calls.append(call)
        self.n_open += 1
        self.max_open = max(self.max_open, self.n_open)
        return call

    def leave(self, call: Call, now_s: float, end: End, n_tokens: int) -> None:
        """Note how a call ended, having sent `n_tokens`; a second time it does nothing."""
        if call.end != "open":
            return
        call.end, call.ended_s, call.n_tokens_sent = end, now_s, n_tokens
        self.n_open -= 1
        self.counts[end] += 1
        self.counts["tokens"] += n_tokens
        if call.course.fault:
            self.counts[f"fault:{call.course.fault.kind}"] += 1
        if n_tokens:
            price = self.conditions(now_s).prices.get(call.ask.model)
            if price:
                call.cost_usd = (call.ask.n_input_tokens * price.input + n_tokens * price.output) / 1e6
            self.cost_usd += call.cost_usd
            self._quota.settle(n_tokens)

    def summary(self) -> dict[str, Any]:
        """What it saw in all."""
        faults = {name.removeprefix("fault:"): n for name, n in sorted(self.counts.items()) if ":" in name}
        return {
            "n_calls": self.n_calls,
            "n_open": self.n_open,
            "max_open": self.max_open,
            **{f"n_{end}": self.counts[end] for end in ("complete", "failed", "cancelled")},
            "n_tokens_sent": self.counts["tokens"],
            "cost_usd": round(self.cost_usd, 9),
            "faults": faults,
        }

    def _n_tokens(self, ask: Ask, rng: Random) -> int:
        drawn = lognormal(rng, self.script.answer.tokens_p50, self.script.answer.tokens_p95)
        if ask.n_output_tokens is not None:
            return max(1, ask.n_output_tokens)
        return max(2, min(round(drawn), ask.max_tokens or round(drawn)))


def _as_fault(forced: FaultKind | Literal["ok"] | Fault, faults: tuple[Fault, ...]) -> Fault | None:
    """A forced fault with the settings that the script has for its kind."""
    if forced == "ok":
        return None
    if isinstance(forced, Fault):
        return forced
    return next((fault for fault in faults if fault.kind == forced), None) or Fault(kind=forced)


def _for(ask: Ask, fault: Fault | None) -> Fault | None:
    """The fault as it strikes this call: whole answers cannot fall silent half-way, nor lack `[DONE]`."""
    if fault is None or ask.is_stream:
        return fault
    if FAULTS[fault.kind].streams_only:
        return None
    instead: dict[FaultKind, FaultKind] = {"idle": "hang", "error_event": "error_body"}
    return fault.model_copy(update={"kind": instead[fault.kind]}) if fault.kind in instead else fault
