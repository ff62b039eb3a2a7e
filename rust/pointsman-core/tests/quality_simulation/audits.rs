//! Audits of live traffic: drawn unevenly, graded by someone who errs, or never answered. Each world has a twin that
//! forgets one of these, and certifies or alarms wrongly.

use crate::draws::Draws;
use pointsman_core::floor::{Grader, Monitor, Standing, Verdict, Ward};

const FLOOR: f64 = 0.9;
/// The first grid, and two tests.
const N_AUDITS: usize = 100 + 250 + 500;
const N_SEEDS: u64 = 200;
/// `delta + 2 sqrt(delta (1 - delta) / seeds)`.
const MOST_VIOLATIONS: f64 = 0.081;

/// Verdicts on the answers of a deployment, as a router's audits bring them.
struct World {
    /// Risk and audit share of requests of an easy and of a hard kind, which come equally often.
    kinds: [(f64, f64); 2],
    grader: Grader,
    /// Share of the bad answers of which nobody says anything.
    silent: f64,
}

impl World {
    fn even(risk: f64) -> Self {
        Self {
            kinds: [(risk, 0.2); 2],
            grader: Grader::EXACT,
            silent: 0.0,
        }
    }

    /// The next audited answer.
    fn verdict(&self, draws: &mut Draws) -> Verdict {
        loop {
            let (risk, share) = self.kinds[draws.below(2)];
            if draws.uniform() >= share {
                continue;
            }
            let is_bad = draws.uniform() < risk;
            let loss = draws.coin(self.grader.level(f64::from(u8::from(is_bad))));
            let is_silent = is_bad && draws.uniform() < self.silent;
            return Verdict {
                score: 0.5 + 0.4 * draws.uniform(),
                loss: (!is_silent).then_some(loss),
                audit_share: Some(share),
                grader: self.grader,
            };
        }
    }

    /// Share of seeds in which the floor is ever certified, where `told` is what the ward is told of a verdict.
    fn certified(&self, told: impl Fn(Verdict) -> Option<Verdict>) -> f64 {
        let is_certified = |seed: &u64| {
            let (mut draws, mut ward) = (Draws::new(seed * 7 + 1), Ward::new().unwrap());
            let (mut n, mut ever) = (0, false);
            while n < N_AUDITS {
                if let Some(verdict) = told(self.verdict(&mut draws)) {
                    ward.observe(verdict, 0.0).unwrap();
                    n += 1;
                    ever |= matches!(ward.standing(FLOOR), Standing::Certified(_));
                }
            }
            ever
        };
        let n = (0..N_SEEDS).filter(is_certified).count();
        n as f64 / N_SEEDS as f64
    }
}

fn unweighted(verdict: Verdict) -> Verdict {
    Verdict {
        audit_share: Some(1.0),
        ..verdict
    }
}

fn believed(verdict: Verdict) -> Verdict {
    Verdict {
        grader: Grader::EXACT,
        ..verdict
    }
}

#[test]
fn what_is_audited_more_often_counts_no_more() {
    // Of all that is served 10.6 % fail, of all that is graded 4.9 %.
    let world = World {
        kinds: [(0.02, 0.5), (0.192, 0.1)],
        ..World::even(0.0)
    };
    let (ours, twin) = (
        world.certified(Some),
        world.certified(|one| Some(unweighted(one))),
    );
    println!("uneven audits: violations {ours:.3}, unweighted {twin:.3}");
    assert!(ours <= MOST_VIOLATIONS && twin > 0.8, "{ours} {twin}");
    let good = World {
        kinds: [(0.01, 0.5), (0.02, 0.1)],
        ..World::even(0.0)
    };
    let power = good.certified(Some);
    println!("uneven audits: a good deployment is certified in {power:.3}");
    assert!(power > 0.5, "{power}");
}

#[test]
fn a_judge_that_passes_bad_answers_is_corrected_for() {
    let lenient = World {
        // It fails 4.2 % of the answers, 14 % of which are bad.
        grader: Grader::new(1.0, 0.7).unwrap(),
        ..World::even(0.14)
    };
    let (ours, twin) = (
        lenient.certified(Some),
        lenient.certified(|one| Some(believed(one))),
    );
    println!("lenient judge at 14 %: violations {ours:.3}, taken at its word {twin:.3}");
    assert!(ours <= MOST_VIOLATIONS && twin > 0.8, "{ours} {twin}");
    let good = World {
        grader: Grader::new(0.97, 0.4).unwrap(),
        ..World::even(0.01)
    };
    let power = good.certified(Some);
    println!("judge: a good deployment is certified in {power:.3}");
    assert!(power > 0.8, "{power}");
}

#[test]
fn whoever_says_nothing_is_not_taken_for_content() {
    let world = World {
        silent: 0.7,
        ..World::even(0.14)
    };
    let ours = world.certified(Some);
    let twin = world.certified(|one| one.loss.map(|_| one));
    println!("silence: violations {ours:.3}, passed over {twin:.3}");
    assert!(ours <= MOST_VIOLATIONS && twin > 0.8, "{ours} {twin}");
}

#[test]
fn the_share_of_good_verdicts_alone_certifies_what_is_just_not_good_enough() {
    let world = World::even(0.105);
    let ours = world.certified(Some);
    let plug_in = (0..N_SEEDS).filter(|seed| {
        let mut draws = Draws::new(seed * 7 + 1);
        let losses = (0..N_AUDITS).filter_map(|_| world.verdict(&mut draws).loss);
        losses.sum::<f64>() <= (1.0 - FLOOR) * N_AUDITS as f64
    });
    let plug_in = plug_in.count() as f64 / N_SEEDS as f64;
    println!("10.5 % under a floor of 0.9: violations {ours:.3}, plug-in {plug_in:.3}");
    assert!(ours <= MOST_VIOLATIONS && plug_in > 0.2, "{ours} {plug_in}");
}

#[test]
fn a_monitor_is_not_alarmed_by_what_is_graded_most() {
    // Of all that is served 8 % fail, of all that is graded 12 %.
    let world = World {
        kinds: [(0.02, 0.1), (0.14, 0.5)],
        ..World::even(0.0)
    };
    let alarmed = |weighs: bool| {
        let is_alarmed = |seed: &u64| {
            let mut draws = Draws::new(seed * 7 + 3);
            let mut monitor = Monitor::new(1.0 - FLOOR, 0.05).unwrap();
            (0..2_000).any(|_| {
                let verdict = world.verdict(&mut draws);
                let share = verdict.audit_share.unwrap();
                let weight = if weighs { 0.1 / share } else { 1.0 };
                let loss = verdict.loss.unwrap();
                monitor
                    .weigh(loss, weight, Grader::EXACT)
                    .unwrap()
                    .is_some()
            })
        };
        (0..N_SEEDS).filter(is_alarmed).count() as f64 / N_SEEDS as f64
    };
    let (ours, twin) = (alarmed(true), alarmed(false));
    println!("monitor at 8 %: alarms {ours:.3}, unweighted {twin:.3}");
    assert!(ours <= MOST_VIOLATIONS && twin > 0.5, "{ours} {twin}");
}
