"""How one call runs: drawn from a seed, without a clock or a socket.

The draws of a provider's n-th call depend on the seed, the provider's name and n only, and each quantity has
a generator of its own: two scripts that differ in a fault's probability share all their latencies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pointsman.simulate.faults import FAULTS

if TYPE_CHECKING:
    from random import Random

    from pointsman.simulate.script import Fault, Latency

_Z95 = 1.6448536269514722
"""The 95 % quantile of the standard normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a call runs, in seconds from its arrival.

    Attributes:
        fault: What goes wrong, `None` if nothing does.
        ttft_s: Until the first token; a slow one's delay is included.
        tokens_per_s: Pace after that.
        n_tokens: Tokens of the whole answer.
        stall_at: Number of the token before which the answer pauses.
        stall_s: Length of the pause.
        retry_after_s: What a refusal asks to wait.
    """

    fault: Fault | None = None
    ttft_s: float
    tokens_per_s: float
    n_tokens: int
    stall_at: int = 0
    stall_s: float = 0.0
    retry_after_s: float | None = None

    @property
    def status(self) -> int:
        """HTTP status of the answer; 0: none is sent."""
        return FAULTS[self.fault.kind].status if self.fault else 200

    @property
    def is_answered(self) -> bool:
        """Whether a client gets the whole answer, given time."""
        return self.fault is None or not FAULTS[self.fault.kind].is_failure

    @property
    def n_sent(self) -> int:
        """Tokens that a stream sends, the fault considered."""
        moment = FAULTS[self.fault.kind].moment if self.fault else "end"
        if moment == "head":
            return 0
        return (
            min(self.n_tokens, self.fault.after_tokens) if self.fault and moment == "token" else self.n_tokens
        )

    @property
    def ends_s(self) -> float:
        """When the answer or the failure is there; infinite where nothing more ever comes."""
        if self.fault is None:
            return self.due_s(self.n_tokens)
        if self.fault.kind in ("hang", "idle"):
            return math.inf
        if FAULTS[self.fault.kind].moment == "head":
            return self.fault.delay_s
        return self.due_s(self.n_sent)

    def due_s(self, index: int) -> float:
        """When the token with this number, from 0, is due."""
        pause_s = self.stall_s if index >= self.stall_at else 0.0
        return self.ttft_s + index / self.tokens_per_s + pause_s


def lognormal(rng: Random, p50: float, p95: float | None) -> float:
    """A lognormal draw with this median and 95 % quantile; the median itself without one.

    Either tail: a `p95` below the median is the 5 % quantile turned round, as paces need it.
    """
    z = rng.gauss(0.0, 1.0)
    return p50 if p95 is None else p50 * math.exp(z * math.log(p95 / p50) / _Z95)


def draw_course(
    latency: Latency,
    fault: Fault | None,
    rng: Random,
    *,
    n_input_tokens: int,
    n_tokens: int,
    slowness: float = 1.0,
) -> Course:
    """Draw how a call runs.

    Args:
        latency: The provider's latency now.
        fault: What goes wrong with this call.
        rng: This call's generator; always the same number of draws are taken from it.
        n_input_tokens: Tokens of the prompt.
        n_tokens: Tokens of the answer, >= 1.
        slowness: Factor on all times, >= 1; more than the provider has slots for.
    """
    ttft_s = lognormal(rng, latency.ttft_p50_ms, latency.ttft_p95_ms) / 1e3
    tokens_per_s = lognormal(rng, latency.tokens_per_s, latency.tokens_per_s_p5)
    is_tail, tail, is_stalled, stall, where = (rng.random() for _ in range(5))
    if latency.tail and is_tail < latency.tail.p:
        ttft_s *= min(latency.tail.max_factor, (1.0 - tail) ** (-1.0 / latency.tail.shape))
    stall_s = 0.0
    if latency.stall and is_stalled < latency.stall.p:
        stall_s = -math.log1p(-stall) * latency.stall.mean_s
    ttft_s += latency.ttft_ms_per_ktok * n_input_tokens / 1e6
    if fault and fault.kind == "slow_first_token":
        ttft_s += fault.delay_s
    return Course(
        fault=fault,
        ttft_s=ttft_s * slowness,
        tokens_per_s=tokens_per_s / slowness,
        n_tokens=n_tokens,
        stall_at=int(where * n_tokens),
        stall_s=stall_s,
        retry_after_s=fault.retry_after_s if fault else None,
    )


class FaultDraw:
    """Which fault strikes a provider's next call: probabilities, and bursts that go on."""

    def __init__(self) -> None:
        self._burst: Fault | None = None
        self._n_left = 0

    def next(self, faults: tuple[Fault, ...], rng: Random) -> Fault | None:
        """The fault of the next call; the first of the list that strikes, one draw each."""
        draws = [rng.random() for _ in faults]
        if self._burst is not None and self._n_left > 0:
            self._n_left -= 1
            return self._burst
        for fault, draw in zip(faults, draws, strict=True):
            if draw < fault.p:
                self._burst, self._n_left = fault, fault.burst - 1
                return fault
        return None
