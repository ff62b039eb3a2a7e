"""A whole simulation: its providers and the time since it started; no socket yet."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pointsman.simulate.provider import SimulatedProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman.simulate.script import Script


class Simulation:
    """The providers of a script.

    Args:
        script: What to simulate.
        clock: Seconds, from any start; replace it for virtual time.

    Attributes:
        script: The script.
        providers: The providers by name.
        created_s: Unix time that answers carry.
    """

    def __init__(self, script: Script, clock: Callable[[], float] = time.monotonic) -> None:
        self.script = script
        self.providers = {
            name: SimulatedProvider(name, provider, script.seed)
            for name, provider in script.providers.items()
        }
        self.created_s = int(time.time())
        self._clock = clock
        self._started_s = clock()

    @property
    def now_s(self) -> float:
        """Seconds since the start, or since the last reset."""
        return self._clock() - self._started_s

    def reset(self) -> None:
        """Forget all calls and begin the timelines anew; calls under way go on, uncounted."""
        self._started_s = self._clock()
        for provider in self.providers.values():
            provider.reset()

    def summary(self) -> dict[str, Any]:
        """What every provider saw."""
        rows = {name: provider.summary() for name, provider in self.providers.items()}
        return {"now_s": round(self.now_s, 3), "seed": self.script.seed, "providers": rows}

    def list_models(self, provider: SimulatedProvider) -> dict[str, Any]:
        """OpenAI's list of a provider's models, with what they cost now as OpenRouter's `pricing`."""
        prices = provider.conditions(self.now_s).prices
        rows = [
            {
                "id": model,
                "object": "model",
                "created": self.created_s,
                "owned_by": "simulated",
                "pricing": {
                    "prompt": f"{prices[model].input / 1e6:.12f}",
                    "completion": f"{prices[model].output / 1e6:.12f}",
                },
            }
            for model in provider.script.models
        ]
        return {"object": "list", "data": rows}
