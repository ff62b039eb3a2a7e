"""The built-in price list: what models cost and can do, by name.

`prices.json.gz` is made by `tools/build_price_list.py`; nothing is read before the first look-up. Prices of
text tokens are all it holds: audio, pictures, searches and storage are billed apart and not known here.
"""

from __future__ import annotations

import difflib
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

# Where a bare model name is looked for: those who make models, then those who host others' openly.
_PREFIXES = ("openai", "anthropic", "gemini", "mistral", "deepseek", "xai", "groq", "together_ai")
# Names people give providers -> the list's.
_ALIASES = {
    "google": "gemini",
    "together": "together_ai",
    "fireworks": "fireworks_ai",
    "claude": "anthropic",
    "grok": "xai",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Nano-dollars (1e-9 USD) per 1,000,000 tokens.

    Attributes:
        input: Input tokens.
        cached_input: Input tokens read from the provider's prompt cache; `None`: as `input`.
        cache_write: Input tokens written to it; `None`: as `input`.
        output: Output tokens, reasoning included.
        reasoning: Output tokens spent on reasoning; `None`: as `output`.
        long_context: Prices of a call with a longer input, which hold for all its tokens; ascending.
    """

    input: int
    output: int
    cached_input: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    long_context: tuple[LongContext, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LongContext:
    """Prices that hold when the input is longer than `above_tokens`, cached tokens included."""

    above_tokens: int
    price: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceEntry:
    """One model of the price list.

    Attributes:
        name: Its name there, with the provider's prefix where it has one.
        provider: The list's name of who serves it.
        mode: `chat` or `responses` (served on `/v1/responses` only).
        price: Price of the default tier.
        batch: Price of the provider's batch jobs, if it has them; so `flex` and `priority`.
        context_window: Input tokens it takes, if known.
        max_output_tokens: Output tokens it gives at most, if known.
        capabilities: Of pointsman's closed list, sorted.
        deprecation_date: Day on which the provider stops serving it, if announced.
    """

    name: str
    provider: str
    mode: str
    price: Price
    batch: Price | None
    flex: Price | None
    priority: Price | None
    context_window: int | None
    max_output_tokens: int | None
    capabilities: tuple[str, ...]
    deprecation_date: date | None

    def tier_price(self, tier: str) -> Price | None:
        """Price of `default`, `flex`, `priority` or `batch`; `None` where the provider has no such tier.

        Where the list has prices of long inputs for the default tier only, another tier's rise in the same
        proportion, as they do wherever OpenAI and Google list both.
        """
        base = self.price
        price = {"default": base, "flex": self.flex, "priority": self.priority, "batch": self.batch}[tier]
        if price is None or not base.long_context:
            return price
        own = {long.above_tokens: long for long in price.long_context}
        long_context = (
            own.get(long.above_tokens) or replace(long, price=_risen(price, base, long.price))
            for long in base.long_context
        )
        return replace(price, long_context=tuple(long_context))

    def is_deprecated(self, today: date) -> bool:
        """Whether the provider has stopped serving it by `today`."""
        return self.deprecation_date is not None and self.deprecation_date <= today


class PriceList(Mapping[str, PriceEntry]):
    """Entries by their name in the list; `find` also takes bare and differently cased names."""

    def __init__(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        self._entries = entries
        self._by_lower = {name.lower(): name for name in entries}

    def __getitem__(self, name: str) -> PriceEntry:
        return _entry(name, self._entries[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, name: str, provider: str | None = None) -> PriceEntry | None:
        """The entry of a model, upper and lower case alike.

        Looked for as `provider/name` if a provider is given, then as the name itself, then under the prefixes
        of well-known providers, `openai/` first.
        """
        own = [f"{_listed_as(provider)}/{name}"] if provider else []
        for candidate in (*own, name, *(f"{prefix}/{name}" for prefix in _PREFIXES)):
            if found := self._by_lower.get(candidate.lower()):
                return self[found]
        return None

    def nearest(self, name: str, n: int = 3) -> list[str]:
        """The names most like one that is not in the list, best first."""
        bare: dict[str, str] = {}
        # Short names first: `gpt-4o-mini` rather than what a reseller calls it.
        for lower in sorted(self._by_lower, key=len):
            bare.setdefault(lower.rpartition("/")[2], self._by_lower[lower])
            bare.setdefault(lower, self._by_lower[lower])
        found = difflib.get_close_matches(name.lower(), bare, n * 2, cutoff=0.7)
        return list(dict.fromkeys(bare[match] for match in found))[:n]

    def providers(self) -> list[str]:
        """Names of those who serve, sorted."""
        return sorted({str(entry["provider"]) for entry in self._entries.values()})

    def of_provider(self, provider: str) -> list[PriceEntry]:
        """Entries a provider serves, by name; empty for one the list does not know."""
        wanted = _listed_as(provider)
        names = (name for name, entry in self._entries.items() if entry["provider"] == wanted)
        return [self[name] for name in sorted(names)]


@cache
def price_list() -> PriceList:
    """The list that ships with the package, read on the first call."""
    data = files("pointsman.registry").joinpath("prices.json.gz").read_bytes()
    return PriceList(orjson.loads(gzip.decompress(data))["models"])


def _listed_as(provider: str) -> str:
    lower = provider.lower()
    return _ALIASES.get(lower, lower)


def _entry(name: str, raw: Mapping[str, Any]) -> PriceEntry:
    deprecated = raw.get("deprecation_date")
    price = _price(raw["price"])
    if price is None:
        raise ValueError(f"{name} of the built-in price list has no price; build the list anew")
    return PriceEntry(
        name=name,
        provider=raw["provider"],
        mode=raw["mode"],
        price=price,
        batch=_price(raw.get("batch")),
        flex=_price(raw.get("flex")),
        priority=_price(raw.get("priority")),
        context_window=raw.get("context_window"),
        max_output_tokens=raw.get("max_output_tokens"),
        capabilities=tuple(raw.get("capabilities", ())),
        deprecation_date=date.fromisoformat(deprecated) if deprecated else None,
    )


def _price(raw: Mapping[str, Any] | None) -> Price | None:
    if not raw:
        return None
    base = Price(**{key: value for key, value in raw.items() if key != "long_context"})
    return replace(base, long_context=tuple(_long(base, long) for long in raw.get("long_context", ())))


def _long(base: Price, raw: Mapping[str, Any]) -> LongContext:
    """A component without a price of its own above the threshold rises with input or output."""
    own = {key: value for key, value in raw.items() if key != "above_tokens"}
    risen = _risen(base, base, Price(**own))
    return LongContext(above_tokens=raw["above_tokens"], price=replace(risen, **own))


def _risen(price: Price, base: Price, to: Price) -> Price:
    """`price` raised in the proportion in which `base` rises to `to`, rounded to a nano-dollar."""

    def risen(value: int | None, low: int, high: int) -> int | None:
        return None if value is None else high if not low else (2 * value * high + low) // (2 * low)

    return Price(
        input=risen(price.input, base.input, to.input) or 0,
        cached_input=risen(price.cached_input, base.input, to.input),
        cache_write=risen(price.cache_write, base.input, to.input),
        output=risen(price.output, base.output, to.output) or 0,
        reasoning=risen(price.reasoning, base.output, to.output),
    )
