"""A canary under way: what its sessions and the others were worth, and whether it is found worse."""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Literal

import orjson

from pointsman._native import CanaryTest
from pointsman.errors import InvalidState
from pointsman.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pointsman.registry import Registry

_LOG = logging.getLogger("pointsman.promotion")
Measure = Literal["worth", "signals", "answers"]
MEASURES: tuple[Measure, ...] = ("worth", "signals", "answers")
# Sessions of a canary before it can be found worse; chosen.
_LEAST_OWN = 5
# Sessions that are remembered as counted; a longer canary may count one a second time, days later.
_MOST_SEEN = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRules:
    """What a canary is judged by.

    Attributes:
        policy: Name of the policy it is of.
        version: Its version.
        against: Version of what serves.
        share: Share of sessions it decides, in (0, 1).
        since_s: When it began, Unix seconds.
        margin: How much worse in quality it may be.
        alpha: Chance that a canary that is no worse is ever taken back.
        quality_value_usd: What a unit of quality is worth, US dollars; `None`: costs do not count.
    """

    policy: str
    version: str
    against: str
    share: float
    since_s: float
    margin: float
    alpha: float
    quality_value_usd: float | None

    def utility(self, reward: float, cost_usd: float) -> float:
        """What an answer was worth, in [0, 1]: quality, less its cost in units of quality if that counts."""
        if self.quality_value_usd is None:
            return reward
        return (max(-1.0, reward - cost_usd / self.quality_value_usd) + 1.0) / 2.0

    @property
    def margin_of_utility(self) -> float:
        """The margin in units of `utility`."""
        return self.margin if self.quality_value_usd is None else self.margin / 2.0


def rules_of(registry: Registry, policy: str) -> CanaryRules | None:
    """The rules of a policy's canary; `None`: it has none."""
    arms, settings = registry.arms[policy], registry.promotion
    if arms.canary is None or settings is None:
        return None
    value_usd = settings.quality_value_usd or arms.main.constraints.quality_value_usd
    return CanaryRules(
        policy=policy,
        version=arms.canary.version,
        against=arms.main.version,
        share=arms.share,
        since_s=arms.since_s,
        margin=settings.margin,
        alpha=settings.alpha,
        quality_value_usd=value_usd or None,
    )


class RunningCanary:
    """A canary's tests. Thread-safe.

    Three are run, each at a third of alpha: `worth`, of what people and graders say of answers; `signals`, of
    what verifiers say, which comes first and sees less; `answers`, whether there was one at all. Of a session
    the first outcome counts, and no other: which version decides it was drawn once, so its outcomes are not
    independent. What is seen is kept in a file.

    Attributes:
        rules: What it is judged by.
        tests: By measure.
        is_over: Whether it was found worse.
    """

    def __init__(self, rules: CanaryRules, file: Path, *, save_every_s: float = 5.0) -> None:
        self.rules = rules
        self._file = file
        self._save_every_s = save_every_s
        self._saved_at_s = float("-inf")
        self._seen: dict[tuple[Measure, int], None] = {}
        self._lock = Lock()
        self._writing = Lock()
        self.tests = _loaded(file, rules) or _fresh(rules)
        self.is_over = any(_is_worse(test, rules) for test in self.tests.values())

    def graded(
        self, measure: Measure, unit: str, arm: str, reward: float, cost_usd: float, now_s: float
    ) -> bool:
        """Take what the answer of a session was worth; whether the canary has just been found worse."""
        return self._observe(measure, unit, arm, self.rules.utility(reward, cost_usd), now_s)

    def answered(self, unit: str, arm: str, is_answered: bool, now_s: float) -> bool:
        """Take whether a session was answered; whether the canary has just been found worse."""
        return self._observe("answers", unit, arm, float(is_answered), now_s)

    def _observe(self, measure: Measure, unit: str, arm: str, utility: float, now_s: float) -> bool:
        digest = blake2b(unit.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        key = measure, int.from_bytes(digest, "big")
        with self._lock:
            if self.is_over or key in self._seen:
                return False
            self._seen[key] = None
            if len(self._seen) > _MOST_SEEN:
                del self._seen[next(iter(self._seen))]
            test = self.tests[measure]
            test.observe(utility, is_canary=arm == "canary")
            self.is_over = _is_worse(test, self.rules)
            is_due = now_s >= self._saved_at_s + self._save_every_s
            if is_due:
                self._saved_at_s = now_s
        if is_due:
            # A disk takes milliseconds, and this may be an event loop's thread.
            Thread(target=self.save, name="pointsman-canary", daemon=True).start()
        return self.is_over

    def save(self) -> None:
        """Keep what was seen."""
        with self._writing:  # the last to begin is the last to write
            with self._lock:
                saved = {name: b64encode(test.save()).decode() for name, test in self.tests.items()}
            document = {"rules": _identity(self.rules), "tests": saved}
            try:
                write_whole(self._file, orjson.dumps(document))
            except OSError as error:
                _LOG.warning("%s: what the canary showed cannot be kept (%s)", self._file, error.strerror)

    def figures(self) -> dict[str, Any]:
        """What it showed so far."""
        return _figures(self.tests, self.rules)


def _fresh(rules: CanaryRules) -> dict[Measure, CanaryTest]:
    worth = rules.margin_of_utility
    margins: dict[Measure, float] = {"worth": worth, "signals": worth, "answers": rules.margin}
    return {
        name: CanaryTest(share=rules.share, margin=margin, delta=rules.alpha / len(margins))
        for name, margin in margins.items()
    }


def _is_worse(test: CanaryTest, rules: CanaryRules) -> bool:
    """Whether a test has found the canary worse, as it stands now.

    Not before a few outcomes of its own: of a canary that nobody grades the others' would speak alone, and
    where they get better with time that looks like evidence.
    """
    return test.n[1] >= _LEAST_OWN and test.e_value >= len(MEASURES) / rules.alpha


def _figures(tests: Mapping[Measure, CanaryTest], rules: CanaryRules) -> dict[str, Any]:
    told: dict[str, Any] = {name: _figures_of(test, rules) for name, test in tests.items()}
    return told | {"is_worse": any(one["is_worse"] for one in told.values())}


def _figures_of(test: CanaryTest, rules: CanaryRules) -> dict[str, Any]:
    """Sessions and mean of both arms (served, canary), the interval of the difference, the evidence."""
    low, high = test.interval
    means = [mean if n else None for n, mean in zip(test.n, test.means, strict=True)]
    return {
        "n": list(test.n),
        "mean": means,
        "difference": {"low": low, "high": high},
        "e_value": test.e_value,
        "is_worse": _is_worse(test, rules),
    }


def canary_file(folder: Path, policy: str) -> Path:
    """Where a canary's test is kept; a policy's name may hold what a file's may not."""
    return folder / f"canary-{blake2b(policy.encode(), digest_size=6).hexdigest()}.json"


def read_figures(folder: Path, rules: CanaryRules) -> dict[str, Any] | None:
    """What a running gateway has kept of a canary; `None`: nothing yet."""
    tests = _loaded(canary_file(folder, rules.policy), rules)
    return None if tests is None else _figures(tests, rules)


def _loaded(file: Path, rules: CanaryRules) -> dict[Measure, CanaryTest] | None:
    try:
        document = orjson.loads(file.read_bytes())
        if document["rules"] != _identity(rules):
            return None  # of another canary, or of another share of it
        return {name: CanaryTest.load(b64decode(document["tests"][name])) for name in MEASURES}
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError, InvalidState) as error:
        _LOG.warning("%s: cannot be used (%s); the canary is judged anew", file, error)
        return None


def _identity(rules: CanaryRules) -> list[Any]:
    return [rules.version, rules.against, rules.share, rules.since_s, rules.margin, rules.alpha]
