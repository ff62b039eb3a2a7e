//! What is reported: ranking and calibration, money at iso-quality, and harm done, beside what needs no router.

use crate::table::{Row, Summary};

/// Prices of quality the frontier is drawn at, as multiples of the best model's cost.
const PRICES: usize = 200;

/// Who is scored: the router, a table of task means, the length of the prompt.
const N_JUDGES: usize = 3;
const JUDGES: [&str; N_JUDGES] = ["served", "task table", "length"];

pub struct Scores {
    n_models: usize,
    /// By judge: a prediction per prompt and model.
    predictions: [Vec<Vec<f64>>; N_JUDGES],
    truths: Vec<Vec<f64>>,
    costs: Vec<Vec<f64>>,
    mean_costs: Vec<Vec<f64>>,
    /// Per part: where it begins, and the model that was best on the prompts learned from.
    parts: Vec<(usize, usize)>,
    has_parts: bool,
}

fn best(values: &[f64]) -> usize {
    let indices = (0..values.len()).rev();
    indices
        .max_by(|a, b| values[*a].total_cmp(&values[*b]))
        .unwrap_or(0)
}

impl Scores {
    pub fn new(n_models: usize) -> Self {
        Self {
            n_models,
            predictions: Default::default(),
            truths: Vec::new(),
            costs: Vec::new(),
            mean_costs: Vec::new(),
            parts: Vec::new(),
            has_parts: false,
        }
    }

    pub fn begin(&mut self, known: &Summary, has_parts: bool) {
        self.parts.push((self.truths.len(), best(&known.quality)));
        self.has_parts = has_parts;
    }

    pub fn push(&mut self, row: &Row, predicted: Vec<f64>, known: &Summary) {
        // Longer prompts to the model that was better: for two models.
        let sign = |model: usize| {
            if model == best(&known.quality) {
                1.0
            } else {
                -1.0
            }
        };
        let length = row.prompt.len() as f64;
        let by_length = (0..self.n_models).map(|model| sign(model) * length);
        self.predictions[0].push(predicted);
        self.predictions[1].push(known.of_task(&row.task).to_vec());
        self.predictions[2].push(by_length.collect());
        self.truths.push(row.quality.clone());
        self.costs.push(row.cost_usd.clone());
        self.mean_costs.push(known.cost_usd.clone());
    }

    fn n(&self) -> f64 {
        self.truths.len() as f64
    }

    fn pairs(&self, judge: usize) -> impl Iterator<Item = (f64, f64)> {
        let predictions = self.predictions[judge].iter().flatten();
        predictions
            .copied()
            .zip(self.truths.iter().flatten().copied())
    }

    fn brier(&self, judge: usize) -> f64 {
        let squares = self.pairs(judge).map(|(p, y)| (p - y) * (p - y));
        squares.sum::<f64>() / self.n() / self.n_models as f64
    }

    fn auc(&self, judge: usize) -> f64 {
        let mut pairs: Vec<(f64, bool)> = self.pairs(judge).map(|(p, y)| (p, y >= 0.5)).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let n_good = pairs.iter().filter(|pair| pair.1).count() as f64;
        let (mut ranks, mut start) = (0.0, 0);
        while start < pairs.len() {
            let ties = pairs[start..]
                .iter()
                .take_while(|one| one.0 == pairs[start].0);
            let end = start + ties.count();
            let rank = (start + end + 1) as f64 / 2.0;
            ranks += rank * pairs[start..end].iter().filter(|one| one.1).count() as f64;
            start = end;
        }
        (ranks - n_good * (n_good + 1.0) / 2.0) / (n_good * (pairs.len() as f64 - n_good))
    }

    fn ece(&self, judge: usize) -> f64 {
        let mut bins = [(0.0, 0.0); 15];
        for (p, y) in self.pairs(judge) {
            let bin = &mut bins[((p * 15.0) as usize).min(14)];
            *bin = (bin.0 + p, bin.1 + y);
        }
        let sum: f64 = bins.iter().map(|(p, y)| (p - y).abs()).sum();
        sum / self.n() / self.n_models as f64
    }

    /// Mean quality and cost when every prompt goes to `choice`.
    fn routed(&self, choice: impl Fn(usize) -> usize) -> (f64, f64) {
        let chosen = (0..self.truths.len()).map(|index| (index, choice(index)));
        let sums = chosen.fold((0.0, 0.0), |sum, (index, model)| {
            let (quality, cost) = (self.truths[index][model], self.costs[index][model]);
            (sum.0 + quality, sum.1 + cost)
        });
        (sums.0 / self.n(), sums.1 / self.n())
    }

    /// The best single model's quality and cost.
    fn single(&self) -> (f64, f64) {
        let singles: Vec<(f64, f64)> = (0..self.n_models)
            .map(|model| self.routed(|_| model))
            .collect();
        singles[best(&singles.iter().map(|one| one.0).collect::<Vec<_>>())]
    }

    fn oracle(&self) -> f64 {
        self.routed(|index| best(&self.truths[index])).0
    }

    /// Points (quality, cost over the best single's) as the price of quality rises.
    fn frontier(&self, judge: usize) -> Vec<(f64, f64)> {
        let (_, single_cost) = self.single();
        let at = |price: f64| {
            let worth = |index: usize, model: usize| {
                self.predictions[judge][index][model]
                    - price * self.mean_costs[index][model] / single_cost
            };
            let (quality, cost) = self.routed(|index| {
                let worths: Vec<f64> = (0..self.n_models).map(|m| worth(index, m)).collect();
                best(&worths)
            });
            (quality, cost / single_cost)
        };
        let step = |index: usize| 1e-4 * 1.06_f64.powf(index as f64);
        std::iter::once(0.0)
            .chain((0..PRICES).map(step))
            .map(at)
            .collect()
    }

    /// Best quality at no more than this share of the best single's cost.
    fn quality_at(&self, judge: usize, share: f64) -> f64 {
        let points = self.frontier(judge).into_iter();
        let affordable = points.filter(|point| point.1 <= share);
        affordable.map(|point| point.0).fold(0.0, f64::max)
    }

    /// Largest share of the best single's cost saved at no less than its quality.
    fn saved(&self, judge: usize) -> f64 {
        let (quality, _) = self.single();
        let points = self.frontier(judge).into_iter();
        let equal = points.filter(|point| point.0 >= quality);
        equal.map(|point| 1.0 - point.1).fold(0.0, f64::max)
    }

    /// Area under the share of the performance gap recovered, over the share of calls to the better of two models.
    fn apgr(&self, judge: usize) -> f64 {
        let strong = usize::from(self.routed(|_| 1).0 > self.routed(|_| 0).0);
        let lead = |values: &[f64]| values[strong] - values[1 - strong];
        let mut order: Vec<usize> = (0..self.truths.len()).collect();
        let predictions = &self.predictions[judge];
        order.sort_by(|a, b| lead(&predictions[*b]).total_cmp(&lead(&predictions[*a])));
        let total: f64 = self.truths.iter().map(|row| lead(row)).sum();
        let (mut reached, mut area) = (0.0, 0.0);
        for index in &order {
            let gain = lead(&self.truths[*index]);
            area += reached + gain / 2.0;
            reached += gain;
        }
        area / total / self.n()
    }

    /// Routed by quality alone less the model that was best on what was learned: over all, and of the worst part.
    fn harm(&self) -> (f64, f64) {
        let ends = self.parts[1..].iter().map(|part| part.0);
        let ends = ends.chain([self.truths.len()]);
        let mut harms = Vec::new();
        for ((start, single), end) in self.parts.iter().zip(ends) {
            let gain = |index: usize| {
                let truth = &self.truths[index];
                truth[best(&self.predictions[0][index])] - truth[*single]
            };
            let sum: f64 = (*start..end).map(gain).sum();
            harms.push((sum, sum / (end - start).max(1) as f64));
        }
        let total: f64 = harms.iter().map(|harm| harm.0).sum();
        let worst = harms.iter().map(|harm| harm.1).fold(1.0, f64::min);
        (total / self.n(), worst)
    }
}

/// Means over the runs.
#[allow(clippy::print_stdout)]
pub fn print(runs: &[Scores]) {
    let mean = |of: &dyn Fn(&Scores) -> f64| runs.iter().map(of).sum::<f64>() / runs.len() as f64;
    println!(
        "best single {:.4}, oracle {:.4}, {} prompts scored, {} runs",
        mean(&|run| run.single().0),
        mean(&|run| run.oracle()),
        runs[0].truths.len(),
        runs.len()
    );
    let n_judges = if runs[0].n_models == 2 { N_JUDGES } else { 2 };
    for (judge, name) in JUDGES.iter().enumerate().take(n_judges) {
        println!(
            "{name:10} auc {:.4} brier {:.4} ece {:.4} | by quality alone {:.4} | at 40 % of the cost {:.4} | saved at 100 % {:.3}",
            mean(&|run| run.auc(judge)),
            mean(&|run| run.brier(judge)),
            mean(&|run| run.ece(judge)),
            mean(&|run| run.frontier(judge)[0].0),
            mean(&|run| run.quality_at(judge, 0.4)),
            mean(&|run| run.saved(judge)),
        );
        if runs[0].n_models == 2 {
            println!("{:10} apgr {:.4}", "", mean(&|run| run.apgr(judge)));
        }
    }
    if runs[0].has_parts {
        let (all, worst) = runs[0].harm();
        println!(
            "tasks never seen: {:+.2} points of the best single learned, worst task {:+.2}",
            100.0 * all,
            100.0 * worst
        );
    }
}
