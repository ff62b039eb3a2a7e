//! Measures the quality estimator on outcome tables: AUC, Brier score, gap closed, and APGR for two models.
//!
//! `cargo run --release --example routing_data -- /tmp/qdata/llmrouter14.bin [--train first:1500] [--key value ..]`
//! The table is little-endian: `u32 prompts, vector dims, hand features, models`, then f32 rows of vectors, hand
//! features, qualities, costs, task numbers and test flags.

use std::collections::BTreeMap;

use pointsman_core::explore::uniform;
use pointsman_core::quality::{Arm, Context, Estimate, QualityConfig, QualityEstimator};

type Options = BTreeMap<String, String>;
type Failure = Box<dyn std::error::Error>;

struct Table {
    vectors: Vec<Vec<f32>>,
    hands: Vec<Vec<f32>>,
    qualities: Vec<Vec<f32>>,
    tasks: Vec<f32>,
    is_test: Vec<f32>,
}

impl Table {
    fn read(path: &str) -> Result<Self, Failure> {
        let bytes = std::fs::read(path)?;
        let word = |index: usize| -> [u8; 4] {
            let mut word = [0; 4];
            word.copy_from_slice(&bytes[4 * index..][..4]);
            word
        };
        let sizes: Vec<usize> = (0..4)
            .map(|i| u32::from_le_bytes(word(i)) as usize)
            .collect();
        let mut at = 4;
        let mut rows = |width: usize| -> Vec<Vec<f32>> {
            let row = |_| {
                at += width;
                (at - width..at)
                    .map(|i| f32::from_le_bytes(word(i)))
                    .collect()
            };
            (0..sizes[0]).map(row).collect()
        };
        let (vectors, hands) = (rows(sizes[1]), rows(sizes[2]));
        let (qualities, _costs) = (rows(sizes[3]), rows(sizes[3]));
        Ok(Self {
            vectors,
            hands,
            qualities,
            tasks: rows(1).concat(),
            is_test: rows(1).concat(),
        })
    }

    fn n_models(&self) -> usize {
        self.qualities[0].len()
    }
}

fn option(options: &Options, name: &str, default: f64) -> f64 {
    options
        .get(name)
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Features of the ridge, and the vector whose neighbours count.
fn inputs(table: &Table, index: usize, options: &Options) -> (Vec<f32>, Vec<f32>) {
    let (vector, hand) = (&table.vectors[index], &table.hands[index]);
    let n_hand = option(options, "ridge_hand", 21.0) as usize;
    let n_vector = 63 - n_hand;
    let mut features = vec![1.0];
    features.extend(hand.iter().take(n_hand).map(|x| x / 2.0));
    features.extend(vector.iter().take(n_vector).map(|x| x * 8.0));
    let scale = option(options, "hand", 0.5) as f32;
    let n_dims = option(options, "dims", 256.0) as usize;
    let mut joined: Vec<f32> = vector.iter().take(n_dims).map(|x| 4.0 * x).collect();
    if scale > 0.0 {
        joined.extend(hand.iter().map(|x| scale * x));
        joined.rotate_right(hand.len());
    }
    let norm = joined.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
    for x in &mut joined {
        *x /= norm;
    }
    (features, joined)
}

fn split(table: &Table, rule: &str, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let n = table.vectors.len();
    let mut order: Vec<usize> = (0..n).collect();
    if !rule.starts_with("file:") {
        order.sort_by(|a, b| uniform(seed, *a as u64).total_cmp(&uniform(seed, *b as u64)));
    }
    if rule == "split" {
        return order
            .into_iter()
            .partition(|index| table.is_test[*index] < 0.5);
    }
    let n_train = rule.split(':').nth(1).and_then(|text| text.parse().ok());
    let test = order.split_off(n_train.unwrap_or(n * 7 / 10));
    (order, test)
}

/// Predictions (after the blend, and the three parts alone) of every test prompt.
fn run(table: &Table, rule: &str, seed: u64, options: &Options) -> Result<Scores, Failure> {
    let (train, test) = split(table, rule, seed);
    let (features, joined) = inputs(table, 0, options);
    let mut config = QualityConfig::new(features.len(), joined.len());
    config.lambda = option(options, "lambda", config.lambda);
    config.n_neighbour_prior = option(options, "n1", config.n_neighbour_prior);
    config.neighbours.n_neighbours = option(options, "k", 100.0) as usize;
    config.neighbours.temperature = option(options, "t", config.neighbours.temperature);
    let arms: Vec<Arm> = (0..table.n_models())
        .map(|m| Arm::new(format!("m{m}@x"), format!("m{m}")))
        .collect();
    let mut estimator = QualityEstimator::new(config, &arms)?;
    let by_task = option(options, "by_task", 0.0) > 0.0;
    let priors = vec![option(options, "prior", 0.6); arms.len()];
    let mut scores = Scores::default();
    for (index, is_train) in train
        .iter()
        .map(|i| (*i, true))
        .chain(test.iter().map(|i| (*i, false)))
    {
        let (features, vector) = inputs(table, index, options);
        let slice = if by_task {
            table.tasks[index] as u64
        } else {
            0
        };
        let context = Context {
            slice,
            priors: &priors,
            features: &features,
            vector: &vector,
        };
        let mut out = vec![Estimate::default(); arms.len()];
        estimator.predict_into(&context, 0.0, &mut out)?;
        for (arm, estimate) in out.iter().enumerate() {
            let reward = f64::from(table.qualities[index][arm]);
            if is_train {
                estimator.observe_predicted(&context, arm, &estimate.parts, reward, 1.0, 0.0)?;
            }
        }
        if !is_train {
            scores.push(&out, &table.qualities[index]);
        }
    }
    scores.weights = estimator.stack_weights();
    Ok(scores)
}

#[derive(Default)]
struct Scores {
    /// Rows of predictions: blend, ridge on slice, neighbours.
    predictions: [Vec<Vec<f64>>; 3],
    truths: Vec<Vec<f64>>,
    weights: [f64; 4],
}

impl Scores {
    fn push(&mut self, out: &[Estimate], truth: &[f32]) {
        let rows = [
            out.iter().map(|one| one.mean).collect(),
            out.iter()
                .map(|one| (one.parts.slice + one.parts.residual).clamp(0.0, 1.0))
                .collect(),
            out.iter().map(|one| one.parts.neighbours).collect(),
        ];
        for (place, row) in self.predictions.iter_mut().zip(rows) {
            place.push(row);
        }
        self.truths
            .push(truth.iter().map(|y| f64::from(*y)).collect());
    }

    fn brier(&self, which: usize) -> f64 {
        let pairs = self.predictions[which]
            .iter()
            .flatten()
            .zip(self.truths.iter().flatten());
        let n = (self.truths.len() * self.truths[0].len()) as f64;
        pairs.map(|(p, y)| (p - y) * (p - y)).sum::<f64>() / n
    }

    fn auc(&self, which: usize) -> f64 {
        let mut pairs: Vec<(f64, bool)> = self.predictions[which]
            .iter()
            .flatten()
            .zip(self.truths.iter().flatten())
            .map(|(p, y)| (*p, *y >= 0.5))
            .collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let n_good = pairs.iter().filter(|pair| pair.1).count() as f64;
        let ranks: f64 = pairs
            .iter()
            .zip(1..)
            .filter(|(pair, _)| pair.1)
            .map(|(_, r)| f64::from(r))
            .sum();
        (ranks - n_good * (n_good + 1.0) / 2.0) / (n_good * (pairs.len() as f64 - n_good))
    }

    fn ece(&self, which: usize) -> f64 {
        let mut bins = [(0.0, 0.0); 15];
        let mut n = 0.0;
        for (p, y) in self.predictions[which]
            .iter()
            .flatten()
            .zip(self.truths.iter().flatten())
        {
            let bin = &mut bins[((p * 15.0) as usize).min(14)];
            *bin = (bin.0 + p, bin.1 + y);
            n += 1.0;
        }
        bins.iter().map(|(p, y)| (p - y).abs()).sum::<f64>() / n
    }

    fn gap(&self, which: usize) -> f64 {
        let n_models = self.truths[0].len();
        let mean = |model: usize| self.truths.iter().map(|row| row[model]).sum::<f64>();
        let best_single = (0..n_models).map(mean).fold(0.0, f64::max);
        let oracle: f64 = self
            .truths
            .iter()
            .map(|row| row.iter().copied().fold(0.0, f64::max))
            .sum();
        let routed: f64 = self.predictions[which]
            .iter()
            .zip(&self.truths)
            .map(|(p, y)| {
                let best = (0..n_models).max_by(|a, b| p[*a].total_cmp(&p[*b]));
                y[best.unwrap_or(0)]
            })
            .sum();
        (routed - best_single) / (oracle - best_single)
    }

    /// Area under the share of the performance gap recovered, over the share of calls to the strong model (the first).
    fn apgr(&self, which: usize) -> f64 {
        let mut order: Vec<usize> = (0..self.truths.len()).collect();
        let lead =
            |index: usize| self.predictions[which][index][0] - self.predictions[which][index][1];
        order.sort_by(|a, b| lead(*b).total_cmp(&lead(*a)));
        let gain = |index: &usize| self.truths[*index][0] - self.truths[*index][1];
        let total: f64 = order.iter().map(gain).sum();
        let mut reached = 0.0;
        let mut area = 0.0;
        for index in &order {
            area += reached + gain(index) / 2.0;
            reached += gain(index);
        }
        area / total / order.len() as f64
    }
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut options = Options::new();
    for pair in arguments[1..].chunks(2) {
        options.insert(pair[0].trim_start_matches("--").to_owned(), pair[1].clone());
    }
    let table = Table::read(&arguments[0])?;
    let rule = options.get("train").map_or("70", String::as_str);
    let n_seeds = if rule.starts_with("file:") { 1 } else { 3 };
    let runs: Vec<Scores> = (0..n_seeds)
        .map(|seed| run(&table, rule, seed, &options))
        .collect::<Result<_, _>>()?;
    let mean = |of: &dyn Fn(&Scores) -> f64| runs.iter().map(of).sum::<f64>() / runs.len() as f64;
    for (which, name) in ["blend", "ridge", "neighbours"].into_iter().enumerate() {
        let apgr = if table.n_models() == 2 {
            mean(&|run| run.apgr(which))
        } else {
            f64::NAN
        };
        println!(
            "{name:10} auc {:.4} brier {:.4} ece {:.4} gap {:+.1} % apgr {apgr:.4}",
            mean(&|run| run.auc(which)),
            mean(&|run| run.brier(which)),
            mean(&|run| run.ece(which)),
            100.0 * mean(&|run| run.gap(which)),
        );
    }
    println!("weights {:.3?}", runs[0].weights);
    Ok(())
}
