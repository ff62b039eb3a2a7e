//! Floors: worlds whose risk is known, for certificates and for the monitors that take them back.

use crate::draws::Draws;
use pointsman_core::floor::{Alarm, Audit, Grader, Monitor, Passed, certify, grid};

const ALPHA: f64 = 0.1;
const DELTA: f64 = 0.05;
const N_REPS: u64 = 2_000;
/// `delta + 2 sqrt(delta (1 - delta) / reps)`.
const MOST_VIOLATIONS: f64 = 0.06;

/// How often an answer fails, by its score, which is uniform on [0, 1).
#[derive(Clone, Copy, Debug, PartialEq)]
enum World {
    /// The risk falls with the score: the upper half may be served.
    Monotone,
    /// 0.105 everywhere, just above alpha: nothing may be served.
    Flat,
    /// The scores of the top 5 % are wrong: a share between 0.15 and 0.644 may be served.
    WrongTop,
}

impl World {
    fn risk(self, score: f64) -> f64 {
        match self {
            World::Monotone => (0.7 * (1.0 - score).powf(1.5)).min(1.0),
            World::Flat => 0.105,
            World::WrongTop if score >= 0.95 => 0.25,
            World::WrongTop => 0.2518 * (1.0 - score),
        }
    }

    /// Mean risk of the scores at or above a threshold.
    fn risk_above(self, threshold: f64) -> f64 {
        let share = 1.0 - threshold;
        match self {
            World::Monotone => 0.28 * share.powf(1.5),
            World::Flat => 0.105,
            World::WrongTop if threshold >= 0.95 => 0.25,
            World::WrongTop => (0.05 * 0.25 + 0.1259 * (share * share - 0.0025)) / share,
        }
    }

    /// Largest share whose risk is at most alpha.
    fn oracle(self) -> f64 {
        match self {
            World::Monotone => 0.503,
            World::Flat => 0.0,
            World::WrongTop => 0.644,
        }
    }

    fn audits(self, n: usize, draws: &mut Draws) -> Vec<Audit> {
        let audit = |_| {
            let score = draws.uniform();
            let loss = draws.coin(self.risk(score));
            Audit {
                score,
                loss,
                weight: 1.0,
                grader: Grader::EXACT,
            }
        };
        (0..n).map(audit).collect()
    }
}

type Method = fn(&[f64], &[Audit]) -> Option<f64>;

fn ours(earlier: &[f64], audits: &[Audit]) -> Option<f64> {
    let passed = certify(&grid(earlier), audits, ALPHA, DELTA).unwrap();
    passed.map(|Passed { threshold, .. }| threshold)
}

/// Most lenient threshold whose share of failures is at most alpha: what one does without statistics.
fn plug_in(earlier: &[f64], audits: &[Audit]) -> Option<f64> {
    let risk = |threshold: f64| {
        let served = audits.iter().filter(|one| one.score >= threshold);
        served.clone().map(|one| one.loss).sum::<f64>() / served.count().max(1) as f64
    };
    let fine = earlier.iter().copied();
    fine.filter(|threshold| risk(*threshold) <= ALPHA)
        .min_by(f64::total_cmp)
}

/// Share of repetitions that serve what fails too often, and the mean share served.
fn run(world: World, n: usize, n_reps: u64, method: Method) -> (f64, f64) {
    let (mut n_violations, mut served) = (0, 0.0);
    for seed in 0..n_reps {
        let mut draws = Draws::new(seed * 31 + n as u64);
        let earlier: Vec<f64> = (0..200).map(|_| draws.uniform()).collect();
        let audits = world.audits(n, &mut draws);
        if let Some(threshold) = method(&earlier, &audits) {
            n_violations += u64::from(world.risk_above(threshold) > ALPHA);
            served += 1.0 - threshold;
        }
    }
    (n_violations as f64 / n_reps as f64, served / n_reps as f64)
}

#[test]
fn certificates_are_wrong_at_most_as_often_as_they_say() {
    for world in [World::Monotone, World::Flat, World::WrongTop] {
        for n in [300, 1_000, 3_000] {
            let (violations, served) = run(world, n, N_REPS, ours);
            let of_oracle = served / world.oracle().max(served);
            println!(
                "{world:?} n={n}: violations {violations:.4}, served {served:.3} ({of_oracle:.2} of the oracle)"
            );
            assert!(violations <= MOST_VIOLATIONS, "{world:?} {n}: {violations}");
            if (world, n) == (World::Monotone, 3_000) {
                assert!(of_oracle >= 0.8, "{of_oracle}");
            }
        }
    }
}

#[test]
fn a_threshold_without_a_test_breaks_the_floor() {
    for (world, n) in [
        (World::Monotone, 1_000),
        (World::Flat, 1_000),
        (World::WrongTop, 3_000),
    ] {
        let (violations, _) = run(world, n, 400, plug_in);
        println!("plug-in, {world:?} n={n}: violations {violations:.3}");
        assert!(violations > 0.3, "{world:?} {n}: {violations}");
    }
}

/// A test that keeps its level for losses that are graded and audits that are drawn unevenly.
#[test]
fn weighted_and_graded_audits_keep_the_level_too() {
    let (mut n_violations, mut n_certified) = (0, 0);
    for seed in 0..500 {
        let mut draws = Draws::new(seed);
        let scores: Vec<f64> = (0..200).map(|_| draws.uniform()).collect();
        let mut audits = Vec::new();
        while audits.len() < 1_000 {
            let score = draws.uniform();
            let loss = draws.coin(World::Monotone.risk(score)) * (0.5 + 0.5 * draws.uniform());
            // High scores are audited four times as often.
            let share = if score < 0.6 { 0.25 } else { 1.0 };
            if draws.uniform() < share {
                audits.push(Audit {
                    score,
                    loss,
                    weight: 1.0 / share,
                    grader: Grader::EXACT,
                });
            }
        }
        if let Some(passed) = certify(&grid(&scores), &audits, ALPHA, DELTA).unwrap() {
            n_certified += 1;
            n_violations += u64::from(0.75 * World::Monotone.risk_above(passed.threshold) > ALPHA);
        }
    }
    println!("weighted: {n_certified} of 500 certified, {n_violations} wrong");
    assert!(
        n_violations <= 35 && n_certified > 250,
        "{n_violations} of {n_certified}"
    );
}

/// First answer at which the method alarms.
fn alarm_at(p: impl Fn(u64) -> f64, n: u64, seed: u64, wants: Option<Alarm>) -> Option<u64> {
    let (mut draws, mut monitor) = (Draws::new(seed), Monitor::new(ALPHA, DELTA).unwrap());
    (0..n).find(|t| {
        let alarm = monitor.observe(draws.coin(p(*t))).unwrap();
        alarm.is_some() && (wants.is_none() || alarm == wants)
    })
}

/// The e-process alarm alone: the detector of the same monitor may fire and is passed over.
fn has_risk_alarm(p: f64, n: u64, seed: u64) -> bool {
    alarm_at(|_| p, n, seed, Some(Alarm::Risk)).is_some()
}

#[test]
fn the_e_process_may_be_looked_at_after_every_answer() {
    let n_alarms = (0..400)
        .filter(|seed| has_risk_alarm(ALPHA, 20_000, *seed))
        .count();
    println!("e-process: {n_alarms} of 400 streams at the boundary alarm");
    assert!(n_alarms as f64 <= 0.072 * 400.0, "{n_alarms}");
    assert!((0..20).all(|seed| has_risk_alarm(0.2, 20_000, seed)));
}

#[test]
fn a_z_test_that_is_repeated_alarms_too_often() {
    let is_fooled = |seed: u64| {
        let (mut draws, mut sum) = (Draws::new(seed), 0.0);
        (1..=20_000).any(|t| {
            sum += draws.coin(ALPHA);
            let n = f64::from(t);
            t >= 100 && (sum - ALPHA * n) / (n * ALPHA * (1.0 - ALPHA)).sqrt() > 1.645
        })
    };
    let n_alarms = (0..400).filter(|seed| is_fooled(*seed)).count();
    println!("repeated z-test: {n_alarms} of 400");
    assert!(n_alarms as f64 > 0.072 * 400.0, "{n_alarms}");
}

fn median(mut delays: Vec<u64>) -> u64 {
    delays.sort_unstable();
    delays[delays.len() / 2]
}

#[test]
fn a_change_from_7_to_15_percent_is_noticed_within_400_answers() {
    let stable = 2_000;
    let delay = |seed| {
        let at = alarm_at(|t| if t < stable { 0.07 } else { 0.15 }, 22_000, seed, None);
        at.filter(|at| *at >= stable).map(|at| at + 1 - stable)
    };
    let delays: Vec<u64> = (0..400).filter_map(delay).collect();
    let (n, median) = (delays.len(), median(delays));
    println!("e-detector: {n} of 400 without an early alarm, median delay {median}");
    assert!(n >= 380 && median <= 400, "{n} {median}");
    // The e-process alone pays for what was good before: it must not be the detector.
    let slow = |seed| {
        let at = alarm_at(
            |t| if t < stable { 0.07 } else { 0.15 },
            22_000,
            seed,
            Some(Alarm::Risk),
        );
        at.map_or(22_000, |at| at.saturating_sub(stable))
    };
    let slow = self::median((0..60).map(slow).collect());
    println!("e-process alone: median delay {slow}");
    assert!(slow > 450, "{slow}");
}

#[test]
fn the_detector_keeps_quiet_for_ten_thousand_answers_on_average() {
    // M_t - t is a martingale, so by Doob M_t >= 1e4 within n answers has a chance of at most n / 1e4.
    let n_alarms =
        (0..400).filter(|seed| alarm_at(|_| ALPHA, 1_000, *seed, Some(Alarm::Change)).is_some());
    let n_alarms = n_alarms.count();
    println!("e-detector: {n_alarms} of 400 streams of 1,000 at the boundary alarm");
    assert!(n_alarms as f64 <= (0.1 + 0.03) * 400.0, "{n_alarms}");
}
