"""How fast decisions follow a world that changes: a simulated one with the real core, virtual time and seeds.

    python benches/worlds/run.py [--seeds 20] [--json] [--plot worlds.png]

Three deployments of three models serve one kind of request; every answer is graded (`audit_share` 1).

degrades   the cheapest silently goes from 7 % to 15 % failures under a floor of 0.9: graded answers of it
           until the core notices (an alarm, or it is chosen for less than a tenth of the requests)
price      the cheapest costs ten times as much from one moment to the next: requests until it is left
arrives    a better model appears at the price of the middle one: requests until it serves most of them
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from pointsman import Catalog, Core, Decision, Outcome, Request
from pointsman.types import Constraints

START_S = 1_700_000_000.0
STEP_S = 1.0
TEXTS = [f"What is the capital of country number {number}?" for number in range(40)]
N_AUDITS = 3_850
"""Of each deployment before it serves: four tests, the last mostly certifies 7 % under a floor of 0.9."""
WINDOW = 50
"""Requests that a share of traffic is taken over."""


@dataclass
class World:
    """Deployments with their true failure rates; prices are in nano-dollars a million tokens."""

    seed: int
    risks: dict[str, float] = field(default_factory=lambda: {"cheap": 0.07, "middle": 0.05, "dear": 0.03})
    prices: dict[str, int] = field(
        default_factory=lambda: {"cheap": 100_000_000, "middle": 500_000_000, "dear": 2_000_000_000}
    )
    constraints: Constraints = field(default_factory=lambda: Constraints(min_quality=0.9))

    def __post_init__(self) -> None:
        self.draws = random.Random(self.seed)
        self.now_s = START_S
        self.core = Core(self.catalog())

    def catalog(self) -> Catalog:
        names = list(self.prices)
        document = {
            "models": [
                {"name": name, "context_window": 128_000, "quality": {"default": 0.93}} for name in names
            ],
            "providers": [{"name": "p"}],
            "deployments": [
                {
                    "name": name,
                    "model": name,
                    "provider": "p",
                    "price_nano_usd_per_mtok": {"input": self.prices[name], "output": 4 * self.prices[name]},
                    "latency": {"ttft_p50_ms": 300, "ttft_p95_ms": 800, "tokens_per_s": 80},
                }
                for name in names
            ],
        }
        return Catalog.from_json(json.dumps(document).encode())

    def decide(self, constraints: Constraints | None = None) -> Decision:
        self.now_s += STEP_S
        messages = [{"role": "user", "content": self.draws.choice(TEXTS)}]
        request = Request(messages=messages, constraints=constraints or self.constraints)
        return self.core.decide(request, now_s=self.now_s, seed=self.draws.getrandbits(63))

    def grade(self, decision: Decision, deployment: str) -> None:
        """Draw whether the answer fails, and teach the core."""
        outcome = Outcome(
            deployment=deployment,
            domain=decision.domain,
            complexity=decision.complexity,
            structure=decision.structure,
            decision=decision,
            reward=float(self.draws.random() >= self.risks[deployment]),
            audit_share=1.0,
        )
        self.core.observe(outcome, now_s=self.now_s)

    def audit_all(self, n: int) -> None:
        """Grade `n` answers of every deployment: what a new fleet is started with."""
        for _ in range(n):
            decision = self.decide(Constraints())
            for deployment in self.prices:
                self.grade(decision, deployment)

    def serve(self) -> str:
        decision = self.decide()
        self.grade(decision, decision.deployment)
        return decision.deployment

    def is_alarmed(self, deployment: str, min_quality: float) -> bool:
        floors = json.loads(self.core.floors())
        return any(
            alarm["min_quality"] == min_quality
            for floor in floors
            if floor["deployment"] == deployment
            for alarm in floor["alarms"]
        )


@dataclass
class Course:
    """What happened: who served each request, and how long it took to notice and to follow."""

    served: list[str]
    changed_at: int
    delays: dict[str, int | None]
    how: str = ""


def degrades(seed: int, n_after: int = 1_500) -> Course:
    """The cheapest fails 15 % instead of 7 %."""
    world = World(seed)
    world.audit_all(N_AUDITS)
    served = [world.serve() for _ in range(500)]
    changed_at, n_graded = len(served), 0
    noticed: int | None = None
    how = "never"
    # A deployment that is not certified serves nobody, and there is nothing to notice.
    serves = served[-WINDOW:].count("cheap") > WINDOW / 2
    world.risks["cheap"] = 0.15
    recent = deque(served[-WINDOW:], maxlen=WINDOW)
    for _ in range(n_after):
        served.append(world.serve())
        recent.append(served[-1])
        n_graded += served[-1] == "cheap"
        if serves and noticed is None:
            is_left = recent.count("cheap") < WINDOW / 10
            how = "alarm" if world.is_alarmed("cheap", 0.9) else "left" if is_left else how
            noticed = n_graded if how != "never" else None
    return Course(served, changed_at, {"noticed_after_grades": noticed} if serves else {}, how)


def price(seed: int, n_after: int = 300) -> Course:
    """The cheapest costs ten times as much."""
    world = World(seed)
    world.audit_all(N_AUDITS)
    served = [world.serve() for _ in range(300)]
    changed_at = len(served)
    world.prices["cheap"] *= 10
    world.core.swap(world.catalog())
    served += [world.serve() for _ in range(n_after)]
    after = served[changed_at:]
    left = next((index for index, name in enumerate(after) if name != "cheap"), None)
    return Course(served, changed_at, {"left_after_requests": left})


def arrives(seed: int, n_after: int = 1_500) -> Course:
    """A model that fails 1 % appears at the middle price; the policy explores at 0.1 USD a quality."""
    world = World(seed, constraints=Constraints(quality_value_usd=0.1, exploration=True))
    world.risks = {"cheap": 0.2, "middle": 0.12, "dear": 0.1}
    world.audit_all(300)
    served = [world.serve() for _ in range(500)]
    changed_at = len(served)
    world.prices["new"], world.risks["new"] = world.prices["middle"], 0.01
    world.core.swap(world.catalog())
    recent: deque[str] = deque(maxlen=WINDOW)
    delays: dict[str, int | None] = {"most_after_requests": None, "first_after_requests": None}
    for index in range(n_after):
        served.append(world.serve())
        recent.append(served[-1])
        if delays["first_after_requests"] is None and served[-1] == "new":
            delays["first_after_requests"] = index + 1
        if delays["most_after_requests"] is None and recent.count("new") > WINDOW / 2:
            delays["most_after_requests"] = index + 1
    return Course(served, changed_at, delays)


SCENARIOS = {"degrades": degrades, "price": price, "arrives": arrives}


def summary(courses: list[Course]) -> dict[str, Any]:
    """Median, 90th percentile and how many of the seeds never got there."""
    told: dict[str, Any] = {"seeds": len(courses)}
    for name in dict.fromkeys(name for course in courses for name in course.delays):
        delays = [course.delays[name] for course in courses if name in course.delays]
        seen = sorted(delay for delay in delays if delay is not None)
        told[name] = {
            "n": len(delays),
            "median": statistics.median(seen) if seen else None,
            "p90": seen[max(0, -(-9 * len(seen) // 10) - 1)] if seen else None,
            "never": len(delays) - len(seen),
        }
    return told


def plot(courses: dict[str, list[Course]], path: str) -> None:
    """Share of the requests that each deployment serves, around the change, averaged over seeds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(len(courses), 1, figsize=(8, 3 * len(courses)), constrained_layout=True)
    for axis, (name, runs) in zip(axes, courses.items(), strict=True):
        for deployment in sorted({one for run in runs for one in run.served}):
            axis.plot(*_share(runs, deployment), label=deployment)
        axis.axvline(0, color="black", linestyle=":")
        axis.set(title=name, xlabel="requests since the change", ylabel="share served", ylim=(-0.02, 1.02))
        axis.legend(loc="center right")
    figure.savefig(path, dpi=120)


def _share(runs: list[Course], deployment: str) -> tuple[list[int], list[float]]:
    n, changed_at = len(runs[0].served), runs[0].changed_at
    starts = range(0, n - WINDOW, WINDOW // 2)
    shares = [
        sum(run.served[start : start + WINDOW].count(deployment) for run in runs) / (WINDOW * len(runs))
        for start in starts
    ]
    return [start + WINDOW // 2 - changed_at for start in starts], shares


def main() -> None:
    """Run every scenario and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", metavar="OUT.png")
    options = parser.parse_args()
    courses = {name: [run(seed) for seed in range(options.seeds)] for name, run in SCENARIOS.items()}
    told = {name: summary(runs) for name, runs in courses.items()}
    if options.plot:
        plot(courses, options.plot)
    if options.json:
        print(json.dumps(told))
        return
    for name, result in told.items():
        print(f"{name} ({result.pop('seeds')} seeds)")
        for delay, found in result.items():
            figures = ", ".join(f"{what} {value}" for what, value in found.items())
            print(f"  {delay.replace('_', ' ')}: {figures}")


if __name__ == "__main__":
    main()
