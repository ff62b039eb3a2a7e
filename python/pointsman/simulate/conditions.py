"""What holds at a provider at a moment: its script with the changes of its timeline applied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pointsman.simulate.script import Latency

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.simulate.script import Change, Fault, ProviderScript, Quota, UnitPrice


@dataclass(frozen=True, slots=True)
class Conditions:
    """What holds now: latency, faults, quota, and prices in US dollars per 1M tokens by model."""

    latency: Latency
    faults: tuple[Fault, ...]
    quota: Quota
    prices: Mapping[str, UnitPrice]

    def changed(self, change: Change) -> Conditions:
        """The conditions after one change."""
        latency = self.latency
        if change.latency is not None:
            kept = latency.model_dump(exclude_unset=True)
            latency = Latency.model_validate(kept | change.latency.model_dump(exclude_unset=True))
        return replace(
            self,
            latency=latency,
            faults=self.faults if change.faults is None else change.faults,
            quota=change.quota or self.quota,
            prices={**self.prices, **(change.price_usd_per_mtok or {})},
        )


class Timeline:
    """The conditions of one provider over time."""

    def __init__(self, script: ProviderScript) -> None:
        self._base = Conditions(
            script.latency,
            script.faults,
            script.quota,
            {name: model.price_usd_per_mtok for name, model in script.models.items()},
        )
        self._changes = sorted(script.timeline, key=lambda change: change.at_s)
        self._known: dict[tuple[int, ...], Conditions] = {(): self._base}

    def at(self, now_s: float) -> Conditions:
        """The conditions `now_s` seconds after the start: changes under way, the earlier first."""
        under_way = tuple(
            index
            for index, change in enumerate(self._changes)
            if change.at_s <= now_s and (change.until_s is None or now_s < change.until_s)
        )
        if under_way not in self._known:
            conditions = self._base
            for index in under_way:
                conditions = conditions.changed(self._changes[index])
            self._known[under_way] = conditions
        return self._known[under_way]
