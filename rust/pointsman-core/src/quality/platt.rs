//! [`Platt`]: a model's own correction of the blend, `sigma(a z + b)`, refitted on its latest outcomes.

use crate::codec::{Reader, Writer};
use crate::learn_error::LearnError;
use crate::logistic::sigma;

/// Outcomes the correction is fitted on (science.md 2.4).
pub const N_PAIRS: usize = 2000;
/// Fewest outcomes before the first correction.
const MIN_PAIRS: usize = 100;
/// New outcomes, or seconds, after which it is fitted again (science.md 2.4: hourly).
const REFIT_PAIRS: usize = 200;
const REFIT_S: f64 = 3600.0;
/// Precision of the belief in `a = 1` and `b = 0`, in outcomes of curvature 1 (chosen: 100 outcomes move it half way).
const PRECISION: [f64; 2] = [20.0, 20.0];
const N_NEWTON: usize = 8;

/// One prediction made before its outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Pair {
    z: f32,
    reward: f32,
    weight: f32,
}

/// Slope, intercept and the outcomes behind them.
#[derive(Clone, Debug, PartialEq)]
pub struct Platt {
    slope: f64,
    intercept: f64,
    pairs: Vec<Pair>,
    next: usize,
    n_new: usize,
    fitted_s: f64,
}

impl Default for Platt {
    fn default() -> Self {
        Self {
            slope: 1.0,
            intercept: 0.0,
            pairs: Vec::new(),
            next: 0,
            n_new: 0,
            fitted_s: 0.0,
        }
    }
}

impl Platt {
    /// The corrected logit.
    ///
    /// # Example
    ///
    /// ```
    /// use pointsman_core::quality::Platt;
    ///
    /// assert_eq!(Platt::default().correct(0.7), 0.7);
    /// ```
    pub fn correct(&self, z: f64) -> f64 {
        self.slope * z + self.intercept
    }

    /// Remembers one prediction with its outcome, and refits when enough is new.
    pub(crate) fn observe(&mut self, z: f64, reward: f64, weight: f64, now_s: f64) {
        let pair = Pair {
            z: z as f32,
            reward: reward as f32,
            weight: weight as f32,
        };
        if self.pairs.len() < N_PAIRS {
            self.pairs.push(pair);
        } else {
            self.pairs[self.next] = pair;
        }
        self.next = (self.next + 1) % N_PAIRS;
        self.n_new = self.n_new.saturating_add(1);
        let is_due = self.n_new >= REFIT_PAIRS || now_s - self.fitted_s >= REFIT_S;
        if is_due && self.pairs.len() >= MIN_PAIRS {
            self.refit();
            self.n_new = 0;
            self.fitted_s = now_s;
        }
    }

    /// Newton on the logistic loss, held to the identity.
    fn refit(&mut self) {
        let (mut slope, mut intercept) = (1.0, 0.0);
        for _ in 0..N_NEWTON {
            let (gradient, curvature) = self.derivatives(slope, intercept);
            let [[aa, ab], [_, bb]] = curvature;
            let determinant = aa * bb - ab * ab;
            let step_a = (bb * gradient[0] - ab * gradient[1]) / determinant;
            let step_b = (aa * gradient[1] - ab * gradient[0]) / determinant;
            slope += step_a.clamp(-0.5, 0.5);
            intercept += step_b.clamp(-0.5, 0.5);
        }
        if !(slope + intercept).is_finite() {
            return;
        }
        // A slope below 0 would turn the ranking round; what is left of it then says nothing.
        self.slope = slope.clamp(0.0, 4.0);
        self.intercept = intercept.clamp(-4.0, 4.0);
    }

    fn derivatives(&self, slope: f64, intercept: f64) -> ([f64; 2], [[f64; 2]; 2]) {
        let mut gradient = [PRECISION[0] * (1.0 - slope), -PRECISION[1] * intercept];
        let mut curvature = [[PRECISION[0], 0.0], [0.0, PRECISION[1]]];
        for pair in &self.pairs {
            let (z, weight) = (f64::from(pair.z), f64::from(pair.weight));
            let p = sigma(slope * z + intercept);
            let error = weight * (f64::from(pair.reward) - p);
            let bend = weight * p * (1.0 - p);
            gradient[0] += error * z;
            gradient[1] += error;
            curvature[0][0] += bend * z * z;
            curvature[0][1] += bend * z;
            curvature[1][1] += bend;
        }
        (gradient, curvature)
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.f64s(&[self.slope, self.intercept, self.fitted_s]);
        writer.len(self.next);
        writer.len(self.n_new);
        writer.len(self.pairs.len());
        for pair in &self.pairs {
            writer.f32(pair.z);
            writer.f32(pair.reward);
            writer.f32(pair.weight);
        }
    }

    pub(crate) fn load(reader: &mut Reader) -> Result<Self, LearnError> {
        let numbers = reader.f64s(3)?;
        let (next, n_new) = (reader.number()?, reader.number()?);
        let n_pairs = reader.len(12)?;
        if n_pairs > N_PAIRS || next >= N_PAIRS || numbers[0] < 0.0 {
            return Err(LearnError::state("a calibration outside its range"));
        }
        let pair = |_| {
            let (z, reward, weight) = (reader.f32()?, reader.f32()?, reader.f32()?);
            Ok(Pair { z, reward, weight })
        };
        Ok(Self {
            slope: numbers[0],
            intercept: numbers[1],
            fitted_s: numbers[2],
            pairs: (0..n_pairs).map(pair).collect::<Result<_, LearnError>>()?,
            next,
            n_new,
        })
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;
    use crate::explore::uniform;

    #[test]
    fn overconfident_predictions_are_flattened() {
        let mut platt = Platt::default();
        for seed in 0..4_000 {
            let truth = 3.0 * uniform(seed, 0) - 1.5;
            let reward = f64::from(u8::from(uniform(seed, 1) < sigma(truth + 0.4)));
            platt.observe(2.0 * truth, reward, 1.0, 0.0);
        }
        assert!(
            (platt.correct(2.0) - 1.4).abs() < 0.2,
            "{}",
            platt.correct(2.0)
        );
        assert!((platt.correct(0.0) - 0.4).abs() < 0.1);
    }

    #[test]
    fn few_outcomes_change_nothing() {
        let mut platt = Platt::default();
        (0..MIN_PAIRS - 1).for_each(|_| platt.observe(0.0, 1.0, 1.0, 0.0));
        assert_eq!(platt.correct(0.3), 0.3);
    }
}
