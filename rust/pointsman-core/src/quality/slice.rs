//! [`SlicePosteriors`]: a Beta posterior per slice and model, forgotten by the day, drawn towards what other slices
//! have shown of the model, with each deployment drawn towards its siblings.

use std::collections::BTreeMap;

use crate::codec::{Reader, Writer};
use crate::learn_error::LearnError;
use crate::logistic::decay;
use crate::quality::arms::{ArmTable, Mapping};
use crate::quality::overall::{Excess, Overall};

/// Pseudo-counts of the registry's prior (science.md 2.3).
pub const N_PRIOR: f64 = 12.0;
/// Most outcomes of sibling deployments that count for a deployment (chosen: a provider's quantisation is
/// visible after about 50 outcomes of its own).
pub const N_SIBLING: f64 = 50.0;
/// Slices kept; the one heard of least recently makes room.
pub const MAX_SLICES: usize = 4096;

/// Belief about a mean in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Belief {
    /// Expected value.
    pub mean: f64,
    /// Observations it rests on, pseudo-counts included and those of other slices left out.
    pub n: f64,
}

/// Weighted number and sum of rewards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    n: f64,
    sum: f64,
}

impl Counts {
    fn add(&mut self, reward: f64, weight: f64) {
        self.n += weight;
        self.sum += weight * reward;
    }

    fn scale(&mut self, factor: f64) {
        self.n *= factor;
        self.sum *= factor;
    }

    fn minus(self, other: Counts) -> Counts {
        Counts {
            n: (self.n - other.n).max(0.0),
            sum: (self.sum - other.sum).max(0.0),
        }
    }
}

/// Counts of one slice, all as of `last_s`.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    last_s: f64,
    models: Vec<Counts>,
    arms: Vec<Counts>,
}

/// Beta posteriors of every slice.
#[derive(Clone, Debug, PartialEq)]
pub struct SlicePosteriors {
    rate_per_s: f64,
    model_of: Vec<usize>,
    n_models: usize,
    rows: BTreeMap<u64, Row>,
    overall: Overall,
}

/// One slice at one time, ready to be asked about every arm.
#[derive(Clone, Copy, Debug)]
pub struct SliceView<'a> {
    row: Option<&'a Row>,
    model_of: &'a [usize],
    kept: f64,
    overall: &'a Overall,
    overall_kept: f64,
    n_elsewhere: f64,
}

impl SlicePosteriors {
    /// No outcome yet; `rate_per_s` is the forgetting, `-ln(gamma) / 86400`.
    pub(crate) fn new(arms: &ArmTable, rate_per_s: f64) -> Self {
        Self {
            rate_per_s,
            model_of: arms.model_of().to_vec(),
            n_models: arms.n_models(),
            rows: BTreeMap::new(),
            overall: Overall::new(arms, rate_per_s),
        }
    }

    /// Looks the slice up once; outcomes of others count for at most `n_elsewhere` of its own, and for [`N_PRIOR`]
    /// where that is more.
    pub fn view(&self, slice: u64, n_elsewhere: f64, now_s: f64) -> SliceView<'_> {
        let row = self.rows.get(&slice);
        let kept = row.map_or(0.0, |row| decay(self.rate_per_s, now_s - row.last_s));
        SliceView {
            row,
            model_of: &self.model_of,
            kept,
            overall: &self.overall,
            overall_kept: self.overall.kept(now_s),
            n_elsewhere: n_elsewhere.max(N_PRIOR),
        }
    }

    /// Adds one outcome of an arm whose prior mean is `prior`; one that comes late counts as much as it would by now.
    pub(crate) fn observe(
        &mut self,
        slice: u64,
        (arm, prior): (usize, f64),
        reward: f64,
        weight: f64,
        now_s: f64,
    ) {
        let model = self.model_of[arm];
        self.overall
            .observe((model, arm), reward - prior, weight, now_s);
        if !self.rows.contains_key(&slice) && self.rows.len() >= MAX_SLICES {
            self.evict();
        }
        let row = self.rows.entry(slice).or_insert_with(|| Row {
            last_s: now_s,
            models: vec![Counts::default(); self.n_models],
            arms: vec![Counts::default(); self.model_of.len()],
        });
        let kept = decay(self.rate_per_s, now_s - row.last_s);
        row.models.iter_mut().for_each(|counts| counts.scale(kept));
        row.arms.iter_mut().for_each(|counts| counts.scale(kept));
        let weight = weight * decay(self.rate_per_s, row.last_s - now_s);
        row.last_s = row.last_s.max(now_s);
        row.models[model].add(reward, weight);
        row.arms[arm].add(reward, weight);
    }

    /// Lets only the share `kept` of an arm's outcomes count, in every slice.
    pub(crate) fn fade(&mut self, arm: usize, kept: f64) {
        let model = self.model_of[arm];
        self.overall.fade((model, arm), kept);
        for row in self.rows.values_mut() {
            let mut gone = row.arms[arm];
            gone.scale(1.0 - kept);
            row.arms[arm].scale(kept);
            row.models[model] = row.models[model].minus(gone);
        }
    }

    /// Changes the rewards of outcomes that were learned, not their number; those that have faded change as little.
    pub(crate) fn revise(&mut self, slice: u64, arm: usize, change: f64) {
        let model = self.model_of[arm];
        self.overall.revise((model, arm), change);
        if let Some(row) = self.rows.get_mut(&slice) {
            for counts in [&mut row.models[model], &mut row.arms[arm]] {
                counts.sum = (counts.sum + change).clamp(0.0, counts.n);
            }
        }
    }

    /// Drops what other slices say of a model, as its prior has changed; each slice keeps what it knows.
    pub(crate) fn forget_overall(&mut self, model: usize) {
        self.overall.forget(model, &self.model_of);
    }

    fn evict(&mut self) {
        let oldest = self
            .rows
            .iter()
            .min_by(|a, b| a.1.last_s.total_cmp(&b.1.last_s));
        if let Some((slice, _)) = oldest.map(|(slice, row)| (*slice, row.last_s)) {
            self.rows.remove(&slice);
        }
    }

    /// The same statistics for another table of arms.
    pub(crate) fn remap(&mut self, arms: &ArmTable, mapping: &Mapping) {
        self.model_of = arms.model_of().to_vec();
        self.n_models = arms.n_models();
        self.overall.remap(mapping);
        for row in self.rows.values_mut() {
            row.models = mapping.models.apply(&row.models);
            row.arms = mapping.arms.apply(&row.arms);
        }
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        self.overall.save(writer);
        writer.len(self.rows.len());
        for (slice, row) in &self.rows {
            writer.u64(*slice);
            writer.f64(row.last_s);
            for counts in row.models.iter().chain(&row.arms) {
                writer.f64(counts.n);
                writer.f64(counts.sum);
            }
        }
    }

    pub(crate) fn load(&mut self, reader: &mut Reader) -> Result<(), LearnError> {
        self.overall.load(reader)?;
        let n_rows = reader.len(16)?;
        for _ in 0..n_rows {
            let slice = reader.u64()?;
            let row = Row {
                last_s: reader.f64()?,
                models: counts(reader, self.n_models)?,
                arms: counts(reader, self.model_of.len())?,
            };
            self.rows.insert(slice, row);
        }
        Ok(())
    }
}

fn counts(reader: &mut Reader, n: usize) -> Result<Vec<Counts>, LearnError> {
    let one = |_| {
        let (n, sum) = (reader.amount()?, reader.amount()?);
        if sum > n * (1.0 + 1e-9) {
            return Err(LearnError::state(format!("{sum} rewards of {n} outcomes")));
        }
        Ok(Counts { n, sum })
    };
    (0..n).map(one).collect()
}

impl SliceView<'_> {
    /// Posterior of an arm whose prior mean is `prior`.
    ///
    /// It starts from the prior and how far above their priors the model's rewards are in other slices. A
    /// deployment starts from what its siblings (the same model elsewhere) have shown, worth at most [`N_SIBLING`]
    /// outcomes; a model's only deployment has exactly the model's posterior.
    pub fn posterior(&self, arm: usize, prior: f64) -> Belief {
        let own = self.counts(|row| row.arms[arm]);
        let of_model = self.counts(|row| row.models[self.model_of[arm]]);
        let siblings = of_model.minus(own);
        let start = self.start(self.model_of[arm], of_model, prior);
        let n_known = start.n + siblings.n;
        let expected = (start.n * start.mean + siblings.sum) / n_known;
        let n_counted = n_known.min(start.n.max(N_SIBLING));
        // Outcomes of other slices say where to start, and nothing of how far this one lies from them.
        let n_seen = (N_PRIOR + siblings.n).min(N_SIBLING);
        Belief {
            mean: (n_counted * expected + own.sum) / (n_counted + own.n),
            n: n_seen + own.n,
        }
    }

    /// What is expected of a model of which nothing is known in this slice.
    fn start(&self, model: usize, here: Counts, prior: f64) -> Belief {
        let here = Excess {
            n: here.n,
            sum: here.sum - here.n * prior,
        };
        let elsewhere = self.overall.of(model, self.overall_kept).minus(here);
        let n = N_PRIOR + elsewhere.n;
        Belief {
            mean: (prior + elsewhere.sum / n).clamp(0.0, 1.0),
            n: n.min(self.n_elsewhere),
        }
    }

    /// Outcomes of all arms.
    pub(crate) fn n_outcomes(&self) -> f64 {
        let models = self.row.map_or(&[][..], |row| &row.models);
        self.kept * models.iter().map(|counts| counts.n).sum::<f64>()
    }

    fn counts(&self, of: impl Fn(&Row) -> Counts) -> Counts {
        let mut counts = self.row.map_or_else(Counts::default, of);
        counts.scale(self.kept);
        counts
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;
    use crate::quality::arms::Arm;

    const DAY_S: f64 = 86_400.0;

    fn posteriors() -> SlicePosteriors {
        let arms = [Arm::new("a1", "a"), Arm::new("a2", "a"), Arm::new("b", "b")];
        SlicePosteriors::new(&ArmTable::new(&arms).unwrap(), 0.5_f64.ln().abs() / DAY_S)
    }

    #[test]
    fn an_unknown_slice_answers_its_prior() {
        let belief = posteriors().view(7, N_PRIOR, 0.0).posterior(2, 0.7);
        assert!((belief.mean - 0.7).abs() < 1e-12);
        assert_eq!(belief.n, N_PRIOR);
    }

    #[test]
    fn a_single_deployment_is_the_plain_beta_posterior() {
        let mut posteriors = posteriors();
        for index in 0..30 {
            posteriors.observe(7, (2, 0.5), f64::from(u8::from(index % 3 == 0)), 1.0, 0.0);
        }
        let belief = posteriors.view(7, N_PRIOR, 0.0).posterior(2, 0.5);
        assert!((belief.mean - (6.0 + 10.0) / 42.0).abs() < 1e-12);
        assert!((belief.n - 42.0).abs() < 1e-12);
    }

    #[test]
    fn a_new_slice_starts_from_what_others_have_shown_and_is_as_uncertain_as_before() {
        let mut posteriors = posteriors();
        (0..400).for_each(|_| posteriors.observe(7, (2, 0.5), 0.9, 1.0, 0.0));
        let start = posteriors.view(8, 100.0, 0.0).posterior(2, 0.6);
        assert!((start.mean - 0.988).abs() < 1e-3, "{start:?}");
        assert_eq!(start.n, N_PRIOR);
        (0..100).for_each(|_| posteriors.observe(8, (2, 0.6), 0.2, 1.0, 0.0));
        let own = |n_elsewhere| posteriors.view(8, n_elsewhere, 0.0).posterior(2, 0.6).mean;
        assert!((own(100.0) - f64::midpoint(0.988, 0.2)).abs() < 1e-3);
        assert!((own(0.0) - (12.0 * 0.988 + 20.0) / 112.0).abs() < 1e-3);
    }

    #[test]
    fn a_slice_is_not_told_by_the_others_what_it_said_itself() {
        let mut posteriors = posteriors();
        (0..30).for_each(|_| posteriors.observe(7, (2, 0.5), 1.0, 1.0, 0.0));
        let plain = (6.0 + 30.0) / 42.0;
        let belief = posteriors.view(7, 100.0, 0.0).posterior(2, 0.5);
        assert!((belief.mean - plain).abs() < 1e-12);
        posteriors.fade(2, 0.0);
        assert_eq!(posteriors.view(8, 100.0, 0.0).posterior(2, 0.5).mean, 0.5);
    }

    #[test]
    fn a_deployment_starts_from_its_sibling_and_then_speaks_for_itself() {
        let mut posteriors = posteriors();
        (0..500).for_each(|_| posteriors.observe(7, (0, 0.5), 0.9, 1.0, 0.0));
        let start = posteriors.view(7, N_PRIOR, 0.0).posterior(1, 0.5);
        assert!((start.mean - 0.89).abs() < 0.01 && start.n <= N_SIBLING);
        (0..450).for_each(|_| posteriors.observe(7, (1, 0.5), 0.5, 1.0, 0.0));
        assert!((posteriors.view(7, N_PRIOR, 0.0).posterior(1, 0.5).mean - 0.54).abs() < 0.01);
    }

    #[test]
    fn half_is_forgotten_per_half_life_and_a_late_outcome_counts_less() {
        let mut posteriors = posteriors();
        posteriors.observe(7, (2, 0.5), 1.0, 8.0, 0.0);
        let n = |posteriors: &SlicePosteriors, now_s| {
            posteriors.view(7, N_PRIOR, now_s).posterior(2, 0.5).n - N_PRIOR
        };
        assert!((n(&posteriors, DAY_S) - 4.0).abs() < 1e-9);
        posteriors.observe(7, (2, 0.5), 1.0, 8.0, DAY_S);
        posteriors.observe(7, (2, 0.5), 1.0, 8.0, 0.0);
        assert!((n(&posteriors, DAY_S) - 16.0).abs() < 1e-9);
    }

    #[test]
    fn what_fades_is_the_arm_s_own_part() {
        let mut posteriors = posteriors();
        (0..100).for_each(|_| posteriors.observe(7, (0, 0.5), 0.9, 1.0, 0.0));
        (0..100).for_each(|_| posteriors.observe(7, (1, 0.5), 0.5, 1.0, 0.0));
        posteriors.fade(0, 0.1);
        let row = &posteriors.rows[&7];
        assert!((row.arms[0].n - 10.0).abs() < 1e-9 && (row.arms[1].n - 100.0).abs() < 1e-9);
        assert!((row.models[0].n - 110.0).abs() < 1e-9);
        assert!((row.models[0].sum - 59.0).abs() < 1e-9);
    }

    #[test]
    fn the_slice_heard_of_least_recently_makes_room() {
        let mut posteriors = posteriors();
        for slice in 0..=MAX_SLICES as u64 {
            posteriors.observe(slice, (0, 0.5), 1.0, 1.0, slice as f64);
        }
        assert_eq!(posteriors.rows.len(), MAX_SLICES);
        assert!(!posteriors.rows.contains_key(&0));
    }
}
