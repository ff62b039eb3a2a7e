//! [`Overall`]: how far each model's rewards lie above its priors in all slices together; what a slice starts from.

use crate::codec::{Reader, Writer};
use crate::learn_error::LearnError;
use crate::logistic::decay;
use crate::quality::arms::{ArmTable, Mapping};

/// Weighted number of rewards, and the sum of what each was above its prior.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Excess {
    pub(crate) n: f64,
    pub(crate) sum: f64,
}

impl Excess {
    fn add(&mut self, excess: f64, weight: f64) {
        self.n += weight;
        self.sum += weight * excess;
    }

    fn scale(&mut self, factor: f64) {
        self.n *= factor;
        self.sum *= factor;
    }

    /// What is left without `other`, which is part of it but for rounding and priors that have changed.
    pub(crate) fn minus(self, other: Self) -> Self {
        let n = (self.n - other.n).max(0.0);
        let sum = (self.sum - other.sum).clamp(-n, n);
        Self { n, sum }
    }
}

/// The excess of every model and of its arms, all as of `last_s`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Overall {
    rate_per_s: f64,
    last_s: f64,
    models: Vec<Excess>,
    arms: Vec<Excess>,
}

impl Overall {
    pub(crate) fn new(arms: &ArmTable, rate_per_s: f64) -> Self {
        Self {
            rate_per_s,
            last_s: 0.0,
            models: vec![Excess::default(); arms.n_models()],
            arms: vec![Excess::default(); arms.n_arms()],
        }
    }

    /// Share of the sums still valid at `now_s`.
    pub(crate) fn kept(&self, now_s: f64) -> f64 {
        decay(self.rate_per_s, now_s - self.last_s)
    }

    /// The excess of a model of which the share `kept` is valid.
    pub(crate) fn of(&self, model: usize, kept: f64) -> Excess {
        let mut excess = self.models[model];
        excess.scale(kept);
        excess
    }

    /// Adds one reward; one that comes late counts as much as it would by now.
    pub(crate) fn observe(
        &mut self,
        (model, arm): (usize, usize),
        excess: f64,
        weight: f64,
        now_s: f64,
    ) {
        let kept = self.kept(now_s);
        let both = self.models.iter_mut().chain(&mut self.arms);
        both.for_each(|excess| excess.scale(kept));
        let weight = weight * decay(self.rate_per_s, self.last_s - now_s);
        self.last_s = self.last_s.max(now_s);
        self.models[model].add(excess, weight);
        self.arms[arm].add(excess, weight);
    }

    /// Lets only the share `kept` of an arm's rewards count.
    pub(crate) fn fade(&mut self, (model, arm): (usize, usize), kept: f64) {
        let mut gone = self.arms[arm];
        gone.scale(1.0 - kept);
        self.arms[arm].scale(kept);
        self.models[model] = self.models[model].minus(gone);
    }

    /// Changes rewards that were learned, not their number.
    pub(crate) fn revise(&mut self, (model, arm): (usize, usize), change: f64) {
        for excess in [&mut self.models[model], &mut self.arms[arm]] {
            excess.sum = (excess.sum + change).clamp(-excess.n, excess.n);
        }
    }

    /// Drops what is known of a model: it lies above a prior that holds no more.
    pub(crate) fn forget(&mut self, model: usize, model_of: &[usize]) {
        self.models[model] = Excess::default();
        let arms = self.arms.iter_mut().zip(model_of);
        arms.filter(|(_, of)| **of == model)
            .for_each(|(excess, _)| *excess = Excess::default());
    }

    pub(crate) fn remap(&mut self, mapping: &Mapping) {
        self.models = mapping.models.apply(&self.models);
        self.arms = mapping.arms.apply(&self.arms);
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.f64(self.last_s);
        for excess in self.models.iter().chain(&self.arms) {
            writer.f64(excess.n);
            writer.f64(excess.sum);
        }
    }

    pub(crate) fn load(&mut self, reader: &mut Reader) -> Result<(), LearnError> {
        self.last_s = reader.f64()?;
        for place in self.models.iter_mut().chain(&mut self.arms) {
            let (n, sum) = (reader.amount()?, reader.f64()?);
            if sum.abs() > n * (1.0 + 1e-9) {
                return Err(LearnError::state(format!("{sum} rewards of {n} outcomes")));
            }
            *place = Excess { n, sum };
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;
    use crate::quality::arms::Arm;

    const DAY_S: f64 = 86_400.0;

    /// Two arms of model 0 and one of model 1; half is forgotten a day.
    fn overall() -> Overall {
        let arms = [Arm::new("a1", "a"), Arm::new("a2", "a"), Arm::new("b", "b")];
        Overall::new(&ArmTable::new(&arms).unwrap(), 2.0_f64.ln() / DAY_S)
    }

    #[test]
    fn what_is_forgotten_fades_and_a_late_reward_counts_less() {
        let mut overall = overall();
        overall.observe((1, 2), 0.5, 8.0, 0.0);
        overall.observe((1, 2), 0.5, 8.0, DAY_S);
        overall.observe((1, 2), 0.5, 8.0, 0.0);
        let Excess { n, sum } = overall.of(1, overall.kept(DAY_S));
        assert!((n - 16.0).abs() < 1e-9 && (sum - 8.0).abs() < 1e-9);
        assert!((overall.of(1, overall.kept(2.0 * DAY_S)).n - 8.0).abs() < 1e-9);
    }

    #[test]
    fn an_arm_fades_and_is_revised_with_its_model() {
        let mut overall = overall();
        overall.observe((0, 0), 0.5, 100.0, 0.0);
        overall.observe((0, 1), -0.5, 100.0, 0.0);
        overall.fade((0, 0), 0.25);
        assert_eq!(
            overall.models[0],
            Excess {
                n: 125.0,
                sum: -37.5
            }
        );
        overall.revise((0, 1), 50.0);
        assert_eq!(overall.models[0].sum, 12.5);
        assert_eq!(overall.arms[1], Excess { n: 100.0, sum: 0.0 });
    }

    #[test]
    fn a_model_is_forgotten_with_its_arms_and_alone() {
        let mut overall = overall();
        for (model, arm) in [(0, 0), (0, 1), (1, 2)] {
            overall.observe((model, arm), 0.25, 4.0, 0.0);
        }
        overall.forget(0, &[0, 0, 1]);
        assert_eq!(overall.of(0, 1.0), Excess::default());
        assert_eq!(overall.arms[1], Excess::default());
        assert_eq!(overall.of(1, 1.0), Excess { n: 4.0, sum: 1.0 });
    }
}
