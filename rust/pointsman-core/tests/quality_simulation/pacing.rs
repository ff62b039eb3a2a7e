//! Pacing (science.md 2.14): four deployments 530 times apart, a dear one that rises tenfold, a burst of long requests.

use pointsman_core::pacer::{Budget, Pacer};

use crate::draws::Draws;

const N: usize = 20_000;
const BURN_IN: usize = 1_000;
const WINDOW: usize = 1_000;
const COSTS_USD: [f64; 4] = [1e-4, 1.5e-3, 1e-2, 5.3e-2];
const QUALITIES: [f64; 4] = [0.55, 0.70, 0.80, 0.86];
/// Budgets between the cheapest and what quality 1 at 1 USD would spend: those that bind throughout.
const BUDGETS_USD: [f64; 3] = [1.5e-3, 4e-3, 8e-3];

/// What a price is set by.
trait Pace {
    fn price(&self) -> f64;
    fn observe(&mut self, cost_usd: f64);
}

impl Pace for Pacer {
    fn price(&self) -> f64 {
        Pacer::price(self)
    }
    fn observe(&mut self, cost_usd: f64) {
        Pacer::observe(self, cost_usd, 0.0).unwrap();
    }
}

/// Wrong twins: a step in the wrong direction; a step on the price itself; no memory of what was spent.
#[derive(Clone, Copy)]
enum Wrong {
    Sign,
    LinearStep,
    Open,
}

struct Twin {
    wrong: Wrong,
    budget_usd: f64,
    average_usd: f64,
    price: f64,
}

impl Pace for Twin {
    fn price(&self) -> f64 {
        self.price
    }
    fn observe(&mut self, cost_usd: f64) {
        self.average_usd += 0.05 * (cost_usd - self.average_usd);
        let error = self.average_usd / self.budget_usd - 1.0;
        self.price = match self.wrong {
            Wrong::Sign => ((1.0 + self.price) * (-0.05 * error).exp() - 1.0).clamp(0.0, 1e9),
            Wrong::LinearStep => (self.price + 0.05 * error).clamp(0.0, 1e9),
            // Looks at the last cost alone and forgets the price it had.
            Wrong::Open => (cost_usd / self.budget_usd - 1.0).max(0.0),
        };
    }
}

/// What every request cost; the choice is the score of science.md 2.5 at 1 USD a unit of quality.
fn spend(pacer: &mut dyn Pace, seed: u64) -> Vec<f64> {
    let mut draws = Draws::new(seed);
    let request = |t: usize| {
        let burst = if (8_000..8_500).contains(&t) {
            4.0
        } else {
            1.0
        };
        let size = burst * (0.5 * draws.normal()).exp();
        let costs: [f64; 4] = std::array::from_fn(|arm| {
            let rise = if arm == 3 && t >= 12_000 { 10.0 } else { 1.0 };
            COSTS_USD[arm] * size * rise
        });
        let score =
            |arm: usize, noise: f64| QUALITIES[arm] + noise - (1.0 + pacer.price()) * costs[arm];
        let scores: [f64; 4] = std::array::from_fn(|arm| score(arm, 0.08 * draws.normal()));
        let best = (0..4)
            .max_by(|a, b| scores[*a].total_cmp(&scores[*b]))
            .unwrap();
        // The bill is not what was predicted.
        let cost_usd = costs[best] * (0.3 * draws.normal() - 0.045).exp();
        pacer.observe(cost_usd);
        cost_usd
    };
    (0..N).map(request).collect()
}

/// Largest relative error: of the second half's mean, and of any window's after the burn-in.
fn errors(costs: &[f64], budget_usd: f64) -> (f64, f64) {
    let error =
        |part: &[f64]| (part.iter().sum::<f64>() / part.len() as f64 / budget_usd - 1.0).abs();
    let windows = costs[BURN_IN..].windows(WINDOW).step_by(10).map(error);
    (error(&costs[N / 2..]), windows.fold(0.0, f64::max))
}

fn worst(pace: impl Fn(f64) -> Box<dyn Pace>) -> (f64, f64) {
    let mut worst = (0.0_f64, 0.0_f64);
    for budget_usd in BUDGETS_USD {
        for seed in 0..5 {
            let costs = spend(&mut *pace(budget_usd), seed);
            let (half, window) = errors(&costs, budget_usd);
            worst = (worst.0.max(half), worst.1.max(window));
        }
    }
    worst
}

fn is_on_budget((half, window): (f64, f64)) -> bool {
    half <= 0.01 && window <= 0.05
}

#[test]
fn spending_meets_the_budget_through_a_burst_and_a_tenfold_price() {
    let ours = worst(|usd| Box::new(Pacer::new(Budget::PerRequest { usd }).unwrap()));
    println!(
        "off budget: second half {:.4}, worst 1,000 {:.4}",
        ours.0, ours.1
    );
    assert!(is_on_budget(ours), "{ours:?}");
}

#[test]
fn wrong_pacers_fail_the_check() {
    for wrong in [Wrong::Sign, Wrong::LinearStep, Wrong::Open] {
        let twin = worst(|budget_usd| {
            Box::new(Twin {
                wrong,
                budget_usd,
                average_usd: budget_usd,
                price: 0.0,
            })
        });
        println!("twin: second half {:.4}, worst 1,000 {:.4}", twin.0, twin.1);
        assert!(!is_on_budget(twin), "{twin:?}");
    }
}

#[test]
fn a_window_s_budget_is_spent_and_not_overspent() {
    let usd = 4.0;
    let mut pacer = Pacer::new(Budget::Window {
        usd,
        window_s: 1000.0,
    })
    .unwrap();
    let mut draws = Draws::new(3);
    let mut spent = [0.0; 12];
    for second in 0..12_000 {
        let score = |arm: &usize| QUALITIES[*arm] - (1.0 + pacer.price()) * COSTS_USD[*arm];
        let noisy: [f64; 4] = std::array::from_fn(|arm| score(&arm) + 0.08 * draws.normal());
        let best = (0..4)
            .max_by(|a, b| noisy[*a].total_cmp(&noisy[*b]))
            .unwrap();
        spent[second / 1000] += COSTS_USD[best];
        pacer.observe(COSTS_USD[best], second as f64).unwrap();
    }
    println!("windows {spent:.3?} of {usd}");
    assert!(
        spent[2..]
            .iter()
            .all(|one| (0.9..=1.05).contains(&(one / usd))),
        "{spent:?}"
    );
}
