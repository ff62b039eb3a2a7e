//! Off-policy evaluation on full information: the log shows one arm's reward, the truth is known of all.

use crate::draws::{Draws, sigma};
use pointsman_core::explore::{draw, inverse_gap_into};
use pointsman_core::ope::{OpeReport, Row, evaluate, refusals};

const N_ARMS: usize = 4;
const N_LOGS: u64 = 300;
const LEVELS: [f64; N_ARMS] = [0.2, 0.6, 1.0, 1.2];

/// How a log is made and read; the wrong ones must fail the check.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    Right,
    /// The reader believes that every arm was as likely as any other.
    WrongPropensity,
    /// Weights above 3 are cut (science.md M5).
    Clipped,
}

/// True success probabilities of a request, and what a model that leaves out the slopes predicts.
fn request(draws: &mut Draws) -> ([f64; N_ARMS], [f64; N_ARMS]) {
    let x = draws.normal();
    let truth = std::array::from_fn(|arm| sigma(LEVELS[arm] + (arm as f64 - 1.5) * 0.7 * x));
    let predicted =
        std::array::from_fn(|arm| sigma(LEVELS[arm] + 0.4 + (arm as f64 - 1.5) * 0.3 * x));
    (truth, predicted)
}

/// Softmax over predictions; `lift` moves it towards the arms that are worse.
fn policy(predicted: &[f64; N_ARMS], sharpness: f64, lift: f64) -> [f64; N_ARMS] {
    let raw: [f64; N_ARMS] =
        std::array::from_fn(|arm| (sharpness * predicted[arm] - lift * arm as f64).exp());
    let sum: f64 = raw.iter().sum();
    raw.map(|value| value / sum)
}

/// One log of `n` rows under inverse-gap weighting, read for the policy; and what that policy really earns.
fn log(
    n: usize,
    seed: u64,
    reading: Reading,
    policy: &dyn Fn(&[f64; N_ARMS]) -> [f64; N_ARMS],
) -> Vec<Row> {
    let mut draws = Draws::new(seed);
    let row = |_| {
        let (truth, predicted) = request(&mut draws);
        let mut propensity = [0.0; N_ARMS];
        inverse_gap_into(&predicted, 40.0, 0.02, &mut propensity).unwrap();
        let arm = draw(&propensity, (draws.uniform() * 1e15) as u64).unwrap();
        let reward = draws.coin(truth[arm]);
        let wanted = policy(&predicted);
        let believed = if reading == Reading::WrongPropensity {
            0.25
        } else {
            propensity[arm]
        };
        let weight = wanted[arm] / believed;
        let mean = |p: &[f64; N_ARMS]| p.iter().zip(&predicted).map(|(p, q)| p * q).sum::<f64>();
        Row {
            weight: if reading == Reading::Clipped {
                weight.min(3.0)
            } else {
                weight
            },
            reward,
            predicted: predicted[arm],
            value: mean(&wanted),
            logged_value: mean(&propensity),
        }
    };
    (0..n).map(row).collect()
}

/// What a policy earns, and what the logging policy does, on very many requests.
fn truth(policy: &dyn Fn(&[f64; N_ARMS]) -> [f64; N_ARMS]) -> (f64, f64) {
    let mut draws = Draws::new(999);
    let (mut ours, mut logged) = (0.0, 0.0);
    let n = 200_000;
    for _ in 0..n {
        let (truth, predicted) = request(&mut draws);
        let mut propensity = [0.0; N_ARMS];
        inverse_gap_into(&predicted, 40.0, 0.02, &mut propensity).unwrap();
        let earned = |p: &[f64; N_ARMS]| p.iter().zip(&truth).map(|(p, y)| p * y).sum::<f64>();
        ours += earned(&policy(&predicted));
        logged += earned(&propensity);
    }
    (ours / f64::from(n), logged / f64::from(n))
}

fn distant(predicted: &[f64; N_ARMS]) -> [f64; N_ARMS] {
    policy(predicted, 0.0, 1.5)
}

/// Share of logs whose interval of the doubly robust estimate holds the truth.
fn coverage(n: usize, reading: Reading) -> (f64, f64) {
    let (truth, _) = truth(&distant);
    let (mut n_covered, mut n_snips) = (0, 0);
    for seed in 0..N_LOGS {
        let OpeReport { dr, snips, .. } = evaluate(&log(n, seed, reading, &distant)).unwrap();
        n_covered += usize::from((dr.low..=dr.high).contains(&truth));
        n_snips += usize::from((snips.low..=snips.high).contains(&truth));
    }
    let share = |n: usize| n as f64 / N_LOGS as f64;
    (share(n_covered), share(n_snips))
}

const COVERAGE: std::ops::RangeInclusive<f64> = 0.92..=0.98;

#[test]
fn intervals_of_doubly_robust_estimates_cover_the_truth() {
    for n in [500, 2_000, 8_000] {
        let (dr, snips) = coverage(n, Reading::Right);
        println!("N={n}: DR covers {dr:.3}, SNIPS {snips:.3}");
        assert!(COVERAGE.contains(&dr), "{n}: {dr}");
    }
}

#[test]
fn wrong_propensities_and_clipped_weights_fail_the_check() {
    for (name, reading) in [
        ("wrong propensity", Reading::WrongPropensity),
        ("clipped", Reading::Clipped),
    ] {
        let (dr, _) = coverage(8_000, reading);
        println!("{name}: DR covers {dr:.3}");
        assert!(!COVERAGE.contains(&dr), "{name}: {dr}");
    }
    let report = evaluate(&log(8_000, 1, Reading::WrongPropensity, &distant)).unwrap();
    assert!(!report.is_sane, "{report:?}");
}

/// Of 1,000 gates for a policy that is a little worse at most 5 % (and their error) let it through.
#[test]
fn a_worse_policy_is_hardly_ever_promoted_and_a_better_one_is() {
    let promoted = |sharpness: f64, n: usize, n_gates: u64| {
        let candidate = |predicted: &[f64; N_ARMS]| policy(predicted, sharpness, 0.2);
        let (ours, logged) = truth(&candidate);
        let passes = |seed| {
            let report = evaluate(&log(n, 50_000 + seed, Reading::Right, &candidate)).unwrap();
            refusals(&report, 0.0).is_empty()
        };
        let n_promoted = (0..n_gates).filter(|seed| passes(*seed)).count();
        (ours - logged, n_promoted as f64 / n_gates as f64)
    };
    let (gain, share) = promoted(8.0, 1_000, 1_000);
    println!("gain {gain:+.4}: {share:.3} of 1,000 gates promote");
    assert!(
        gain < 0.0 && share <= 0.05 + 2.0 * (0.05_f64 * 0.95 / 1_000.0).sqrt(),
        "{gain} {share}"
    );
    let (gain, share) = promoted(80.0, 4_000, 100);
    println!("gain {gain:+.4}: {share:.3} of 100 gates promote");
    assert!(gain > 0.0 && share > 0.5, "{gain} {share}");
}
