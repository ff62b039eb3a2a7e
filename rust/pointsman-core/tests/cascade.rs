//! The escalation rule against the optimum of worlds whose joint table is known (science.md 2.14).

use pointsman_core::cascade::{Evidence, Pair, Stage, Verdicts, best_thresholds, posterior};
use pointsman_core::explore::uniform;

const N_GRADED: u64 = 4_000;
const N_GRID: usize = 1_601;
const AUCS: [f64; 6] = [0.55, 0.65, 0.7, 0.8, 0.9, 0.95];
/// Twice the deviate of these areas: `AUC = Phi(d / sqrt 2)`.
const SEPARATIONS: [f64; 6] = [0.1777, 0.5449, 0.7416, 1.1902, 1.8124, 2.3262];

/// Two models, a verifier of the first, and prices in units of the first's.
#[derive(Clone, Copy, Debug)]
struct World {
    first: f64,
    second: f64,
    /// `P(second right | first right)`; the rest follows.
    after_good: f64,
    separation: f64,
    cost: f64,
    worth: f64,
}

impl World {
    fn after_bad(&self) -> f64 {
        (self.second - self.first * self.after_good) / (1.0 - self.first)
    }

    /// `x` of an answer is normal about plus or minus half the separation.
    fn density(&self, x: f64, is_good: bool) -> f64 {
        let mean = if is_good { 0.5 } else { -0.5 } * self.separation;
        (-0.5 * (x - mean) * (x - mean)).exp() / std::f64::consts::TAU.sqrt()
    }

    fn value(x: f64) -> f64 {
        1.0 / (1.0 + (-(x + 1.5)).exp())
    }

    /// Cost and lost worth of a rule that says whether to go on after `x`.
    fn loss(&self, goes_on: impl Fn(f64) -> bool) -> f64 {
        let mut loss = 1.0;
        for step in 0..N_GRID {
            let x = -8.0 + 16.0 * step as f64 / (N_GRID - 1) as f64;
            let width = 16.0 / (N_GRID - 1) as f64;
            let good = self.first * self.density(x, true) * width;
            let bad = (1.0 - self.first) * self.density(x, false) * width;
            loss += if goes_on(x) {
                let missed = good * (1.0 - self.after_good) + bad * (1.0 - self.after_bad());
                (good + bad) * self.cost + self.worth * missed
            } else {
                self.worth * bad
            };
        }
        loss
    }

    fn true_posterior(&self, x: f64) -> f64 {
        posterior(self.first, x * self.separation)
    }

    fn optimum(&self) -> f64 {
        self.loss(|x| {
            let p = self.true_posterior(x);
            let next = p * self.after_good + (1.0 - p) * self.after_bad();
            self.worth * (next - p) > self.cost
        })
    }

    /// The best of always the first and always the second.
    fn alone(&self) -> f64 {
        let first = 1.0 + self.worth * (1.0 - self.first);
        first.min(self.cost + self.worth * (1.0 - self.second))
    }

    fn learned(&self, seed: u64) -> (Evidence, Pair) {
        let (mut verdicts, mut pair) = (Verdicts::new(None), Pair::default());
        for i in 0..N_GRADED {
            let draw = |stream: u64| uniform(seed * 100 + stream, i);
            let is_good = draw(1) < self.first;
            let normal =
                (-2.0 * (1.0 - draw(2)).ln()).sqrt() * (std::f64::consts::TAU * draw(3)).cos();
            let x = normal + if is_good { 0.5 } else { -0.5 } * self.separation;
            let p_second = if is_good {
                self.after_good
            } else {
                self.after_bad()
            };
            let reward = |is_right: bool| f64::from(u8::from(is_right));
            verdicts.observe(Self::value(x), reward(is_good));
            pair.observe(
                (self.first, self.second),
                (reward(is_good), reward(draw(4) < p_second)),
            );
        }
        (verdicts.evidence(), pair)
    }
}

fn worlds(separation: f64) -> Vec<World> {
    let mut worlds = Vec::new();
    for (first, second, after_good) in [(0.7, 0.87, 0.95), (0.55, 0.8, 0.84), (0.5, 0.62, 0.98)] {
        for (cost, worths) in [(24.5, [60.0, 150.0, 500.0]), (5.0, [15.0, 40.0, 150.0])] {
            worlds.extend(worths.map(|worth| World {
                first,
                second,
                after_good,
                separation,
                cost,
                worth,
            }));
        }
    }
    worlds
}

/// What following the learned rule loses; whether it plans a cascade is its own choice too.
fn planned(world: &World, seed: u64) -> f64 {
    let (evidence, pair) = world.learned(seed);
    let stage = |quality, outlay_usd| Stage {
        quality,
        outlay_usd,
        evidence: &evidence,
        pair,
    };
    let stages = [stage(world.first, 1.0), stage(world.second, world.cost)];
    let prospect = best_thresholds(&stages, world.worth, 0.0);
    let expected = prospect.outlay_usd + world.worth * (1.0 - prospect.quality);
    if expected >= world.alone() {
        return world.alone();
    }
    world.loss(|x| {
        posterior(world.first, evidence.log_ratio(World::value(x))) < prospect.thresholds[0]
    })
}

#[test]
fn what_it_costs_is_within_two_percent_of_the_optimum() {
    for (auc, separation) in AUCS.into_iter().zip(SEPARATIONS) {
        for (seed, world) in worlds(separation).into_iter().enumerate() {
            let best = world.optimum().min(world.alone());
            let ratio = planned(&world, seed as u64 + 1) / best;
            assert!(
                ratio < 1.02,
                "AUC {auc}: {ratio:.4} of the optimum in {world:?}"
            );
        }
    }
}

#[test]
fn with_a_good_verifier_it_is_never_worse_than_one_call_and_mostly_better() {
    for (auc, separation) in AUCS
        .into_iter()
        .zip(SEPARATIONS)
        .filter(|(auc, _)| *auc >= 0.8)
    {
        let mut n_better = 0;
        for (seed, world) in worlds(separation).into_iter().enumerate() {
            let ratio = planned(&world, seed as u64 + 1) / world.alone();
            assert!(
                ratio < 1.005,
                "AUC {auc}: {ratio:.4} of one call in {world:?}"
            );
            n_better += usize::from(ratio < 0.99);
        }
        assert!(n_better >= 9, "AUC {auc}: {n_better} of 18");
    }
}

/// Rules that look right, and are not: each must lose more than the test above allows, somewhere.
#[test]
fn wrong_rules_fail() {
    type Rule = fn(&World, f64) -> bool;
    let wrong: [(&str, Rule); 4] = [
        ("independent answers", |world, p| {
            world.worth * (world.second - p) > world.cost
        }),
        ("blind to cost", |world, p| {
            p * world.after_good + (1.0 - p) * world.after_bad() > p
        }),
        ("a fixed threshold", |_, p| p < 0.5),
        ("the second is always right", |world, p| {
            world.worth * (1.0 - p) > world.cost
        }),
    ];
    for (name, goes_on) in wrong {
        let all = SEPARATIONS.into_iter().flat_map(worlds);
        let worst = all
            .map(|world| world.loss(|x| goes_on(&world, world.true_posterior(x))) / world.optimum())
            .fold(0.0, f64::max);
        assert!(worst > 1.03, "{name} loses only {worst:.4}");
    }
}

#[test]
fn what_three_steps_are_expected_to_come_to_is_what_comes_of_them() {
    let evidence = Verdicts::new(Some((0.9, 0.3))).evidence();
    let stage = |quality, outlay_usd| Stage {
        quality,
        outlay_usd,
        evidence: &evidence,
        pair: Pair::default(),
    };
    let stages = [stage(0.5, 1.0), stage(0.7, 4.0), stage(0.9, 20.0)];
    let prospect = best_thresholds(&stages, 200.0, 0.0);
    let (n, mut n_good, mut outlay) = (200_000_u64, 0_u64, 0.0);
    for i in 0..n {
        let mut p_good = stages[0].quality;
        let mut belief = stages[0].quality;
        for (step, stage) in stages.iter().enumerate() {
            outlay += stage.outlay_usd;
            let is_good = uniform(10 + step as u64, i) < p_good;
            let mut left = uniform(20 + step as u64, i);
            let points = evidence.points();
            let said = points.iter().find(|point| {
                left -= if is_good { point.p_good } else { point.p_bad };
                left < 0.0
            });
            belief = posterior(belief, said.map_or(0.0, |point| point.log_ratio));
            let threshold = prospect.thresholds.get(step).copied().unwrap_or(0.0);
            if belief >= threshold {
                n_good += u64::from(is_good);
                break;
            }
            let next = &stages[step + 1];
            let (good, bad) = next.pair.given(stage.quality, next.quality);
            p_good = if is_good { good } else { bad };
            belief = belief * good + (1.0 - belief) * bad;
        }
    }
    let (quality, spent) = (n_good as f64 / n as f64, outlay / n as f64);
    assert!(
        (quality - prospect.quality).abs() < 0.005,
        "{quality} for {prospect:?}"
    );
    assert!(
        (spent / prospect.outlay_usd - 1.0).abs() < 0.01,
        "{spent} for {prospect:?}"
    );
}

#[test]
fn a_floor_is_kept_whatever_quality_is_worth() {
    let evidence = Verdicts::new(Some((0.9, 0.2))).evidence();
    let stage = |quality, outlay_usd| Stage {
        quality,
        outlay_usd,
        evidence: &evidence,
        pair: Pair::default(),
    };
    let stages = [stage(0.6, 1.0), stage(0.9, 50.0)];
    let cheap = best_thresholds(&stages, 1.0, 0.0);
    let floored = best_thresholds(&stages, 1.0, 0.8);
    assert_eq!(cheap.reach[1], 0.0);
    assert!(
        floored.thresholds[0] >= 0.8 && floored.reach[1] > 0.0,
        "{floored:?}"
    );
}
