"""Token buckets of a simulated provider: who is admitted, and what the rate-limit headers say. No clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pointsman.simulate.script import Quota


@dataclass(slots=True)
class Bucket:
    """A bucket that holds a minute's worth and fills continuously.

    Attributes:
        per_minute: Its size, and what flows in a minute.
        level: What is in it at `at_s`.
        at_s: When that was so.
    """

    per_minute: float
    level: float
    at_s: float

    def fill(self, now_s: float) -> None:
        """Let in what has flowed since."""
        self.level = min(self.per_minute, self.level + (now_s - self.at_s) * self.per_minute / 60)
        self.at_s = now_s

    def wait_s(self, amount: float) -> float:
        """Seconds until `amount` is in it; 0 if it is. More than it ever holds counts as a bucket full."""
        return max(0.0, (min(amount, self.per_minute) - self.level) * 60 / self.per_minute)

    def full_in_s(self) -> float:
        """Seconds until it is full."""
        return (self.per_minute - self.level) * 60 / self.per_minute


class QuotaState:
    """What is left of a provider's quota."""

    def __init__(self) -> None:
        self._quota: Quota | None = None
        self._buckets: dict[str, Bucket] = {}

    def admit(self, quota: Quota, n_tokens: int, n_open: int, now_s: float) -> float | None:
        """Take a request out of the buckets: `None`, or the seconds after which it would fit."""
        self._follow(quota, now_s)
        wanted = {"requests": 1.0, "tokens": float(n_tokens)}
        waits_s = [self._buckets[name].wait_s(wanted[name]) for name in self._buckets]
        if quota.concurrent is not None and n_open >= quota.concurrent:
            waits_s.append(1.0)
        if any(waits_s):
            return max(waits_s)
        for name, bucket in self._buckets.items():
            bucket.level -= wanted[name]
        return None

    def settle(self, n_tokens: int) -> None:
        """Take `n_tokens` more out, those of an answer; the level may become negative."""
        if "tokens" in self._buckets:
            self._buckets["tokens"].level -= n_tokens

    def headers(self, kind: str, now_s: float) -> dict[str, str]:
        """The rate-limit headers in the manner of OpenAI or Anthropic; empty without a quota."""
        for bucket in self._buckets.values():
            bucket.fill(now_s)
        write = _anthropic if kind == "anthropic" else _openai
        return {key: value for name, bucket in self._buckets.items() for key, value in write(name, bucket)}

    def _follow(self, quota: Quota, now_s: float) -> None:
        """Start anew when the quota has changed, else fill the buckets."""
        if quota != self._quota:
            self._quota = quota
            sizes = {"requests": quota.requests_per_minute, "tokens": quota.tokens_per_minute}
            self._buckets = {name: Bucket(size, size, now_s) for name, size in sizes.items() if size}
        for bucket in self._buckets.values():
            bucket.fill(now_s)


def _openai(name: str, bucket: Bucket) -> list[tuple[str, str]]:
    prefix = "x-ratelimit"
    return [
        (f"{prefix}-limit-{name}", f"{bucket.per_minute:.0f}"),
        (f"{prefix}-remaining-{name}", str(max(0, int(bucket.level)))),
        (f"{prefix}-reset-{name}", _go_duration(bucket.full_in_s())),
    ]


def _anthropic(name: str, bucket: Bucket) -> list[tuple[str, str]]:
    # In whole seconds, rounded up, as RFC 3339; their token buckets are named input-tokens.
    prefix = f"anthropic-ratelimit-{'input-tokens' if name == 'tokens' else name}"
    reset = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + bucket.full_in_s() + 1))
    return [
        (f"{prefix}-limit", f"{bucket.per_minute:.0f}"),
        (f"{prefix}-remaining", str(max(0, int(bucket.level)))),
        (f"{prefix}-reset", reset),
    ]


def _go_duration(seconds: float) -> str:
    """OpenAI's way to write a wait: `120ms`, `6.5s`, `1m12s`."""
    if seconds < 1:
        return f"{seconds * 1e3:.0f}ms"
    minutes, rest_s = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest_s:.0f}s" if minutes else f"{rest_s:.3g}s"
