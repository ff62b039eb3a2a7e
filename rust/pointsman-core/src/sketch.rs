//! [`Sketch`]: quantiles of a stream with a relative error of 1 %, in bounded memory, mergeable.
//!
//! `DDSketch` (Masson, Rim, Lee 2019): bucket `i = ceil(log_gamma x)` with `gamma = (1 + a) / (1 - a)` answers
//! `2 gamma^i / (gamma + 1)`. When the span outgrows the buckets the lowest are folded together, so high
//! quantiles keep their error.

use crate::codec::{Reader, Writer};
use crate::learn_error::{LearnError, within};

/// Relative error of a quantile.
pub const RELATIVE_ERROR: f64 = 0.01;
/// Most buckets: a span of 8e8 between the smallest and the largest value.
pub const MAX_BUCKETS: usize = 1024;
const MAX_SPAN: i32 = 1024;
/// Values are clipped to this range; what is smaller counts as the smallest.
const RANGE: (f64, f64) = (1e-9, 1e12);

/// Weighted counts in logarithmic buckets.
///
/// # Example
///
/// ```
/// use pointsman_core::sketch::Sketch;
///
/// let mut sketch = Sketch::new();
/// (1..=1000).for_each(|value| sketch.add(f64::from(value)).unwrap());
/// let p95 = sketch.quantile(0.95).unwrap();
/// assert!((p95 / 950.0 - 1.0).abs() < 0.011);
/// assert_eq!(Sketch::new().quantile(0.5), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    /// Bucket number of `counts[0]`.
    first: i32,
    counts: Vec<f64>,
    n: f64,
}

impl Sketch {
    pub(crate) const EMPTY: Sketch = Sketch {
        first: 0,
        counts: Vec::new(),
        n: 0.0,
    };

    /// A sketch of nothing.
    pub fn new() -> Self {
        Self::EMPTY
    }

    /// Number of values.
    pub fn n(&self) -> f64 {
        self.n
    }

    /// Adds a value >= 0.
    ///
    /// # Errors
    ///
    /// A negative value, infinity or NaN.
    pub fn add(&mut self, value: f64) -> Result<(), LearnError> {
        within("value", value, 0.0, f64::MAX, "give a finite value >= 0")?;
        self.add_to(bucket(value), 1.0);
        Ok(())
    }

    /// Adds all values of another sketch; the order of merges does not matter.
    pub fn merge(&mut self, other: &Sketch) {
        for (count, bucket) in other.counts.iter().zip(other.first..) {
            if *count > 0.0 {
                self.add_to(bucket, *count);
            }
        }
    }

    /// Multiplies every count, e.g. by 0.5 to forget half.
    pub(crate) fn scale(&mut self, factor: f64) {
        self.counts.iter_mut().for_each(|count| *count *= factor);
        self.n *= factor;
    }

    /// Empties it, keeping its memory.
    pub(crate) fn clear(&mut self) {
        self.counts.clear();
        self.n = 0.0;
    }

    /// The value below which a share `q` of all values lies, within 1 % of it; `None` without values.
    ///
    /// `q` is clipped to `[0, 1]`; NaN counts as 0. `O(buckets)`.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        quantile([self], q)
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.f64(f64::from(self.first));
        writer.f64(self.n);
        writer.f64s(&self.counts);
    }

    pub(crate) fn load(reader: &mut Reader) -> Result<Self, LearnError> {
        let first = reader.whole(2 * i64::from(MAX_SPAN))? as i32;
        let n = reader.amount()?;
        let counts = reader.amounts(MAX_BUCKETS)?;
        let total: f64 = counts.iter().sum();
        if (total - n).abs() > 1e-6 * (1.0 + n) {
            return Err(LearnError::state(format!("{n} values, {total} in buckets")));
        }
        Ok(Self { first, counts, n })
    }

    fn add_to(&mut self, bucket: i32, count: f64) {
        self.n += count;
        let place = self.make_room(bucket);
        self.counts[place] += count;
    }

    /// The place of a bucket, after widening or folding the span.
    fn make_room(&mut self, bucket: i32) -> usize {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        let last = self.last().max(bucket);
        let lowest = last - MAX_SPAN + 1;
        if bucket < self.first {
            let first = bucket.max(lowest);
            let n_missing = (self.first - first).max(0) as usize;
            self.counts
                .splice(0..0, std::iter::repeat_n(0.0, n_missing));
            self.first = first.min(self.first);
        }
        if self.first < lowest && !self.counts.is_empty() {
            self.fold(lowest);
        }
        let place = (bucket - self.first).max(0) as usize;
        if place >= self.counts.len() {
            self.counts.resize(place + 1, 0.0);
        }
        place
    }

    /// Moves all counts below `lowest` into it.
    fn fold(&mut self, lowest: i32) {
        let n_folded = ((lowest - self.first) as usize).min(self.counts.len());
        let folded: f64 = self.counts.drain(..n_folded).sum();
        if self.counts.is_empty() {
            self.counts.push(0.0);
        }
        self.counts[0] += folded;
        self.first = lowest;
    }

    /// Number of the highest bucket held; one below the first when there is none.
    fn last(&self) -> i32 {
        self.first - 1 + i32::try_from(self.counts.len()).unwrap_or(MAX_SPAN)
    }

    fn count(&self, bucket: i32) -> f64 {
        let place = usize::try_from(bucket - self.first).unwrap_or(usize::MAX);
        self.counts.get(place).copied().unwrap_or(0.0)
    }
}

/// A quantile of the union of sketches, without building it; `None` without values.
pub(crate) fn quantile<const N: usize>(sketches: [&Sketch; N], q: f64) -> Option<f64> {
    let filled = || sketches.iter().filter(|sketch| sketch.n > 0.0);
    let n: f64 = filled().map(|sketch| sketch.n).sum();
    let first = filled().map(|sketch| sketch.first).min()?;
    let last = filled().map(|sketch| sketch.last()).max()?;
    // Not one above the rank of the q-th value: the median of 1, 2 is 1.
    let rank = q.clamp(0.0, 1.0).max(0.0) * (n - 1.0).max(0.0);
    let mut passed = 0.0;
    for bucket in first..=last {
        passed += filled().map(|sketch| sketch.count(bucket)).sum::<f64>();
        if passed > rank {
            return Some(value(bucket));
        }
    }
    Some(value(last))
}

fn ln_gamma() -> f64 {
    ((1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR)).ln()
}

fn bucket(value: f64) -> i32 {
    (value.clamp(RANGE.0, RANGE.1).ln() / ln_gamma()).ceil() as i32
}

fn value(bucket: i32) -> f64 {
    (f64::from(bucket) * ln_gamma()).exp() * (1.0 - RELATIVE_ERROR)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_answered_within_one_percent() {
        for exponent in -60..100 {
            let x = 1.3_f64.powi(exponent);
            let mut sketch = Sketch::new();
            sketch.add(x).unwrap();
            let answer = sketch.quantile(0.5).unwrap();
            assert!(
                (answer / x - 1.0).abs() <= RELATIVE_ERROR + 1e-9,
                "{x} {answer}"
            );
        }
    }

    #[test]
    fn the_span_is_bounded_and_high_quantiles_survive_folding() {
        let mut sketch = Sketch::new();
        for exponent in (0..2000).rev().chain(0..2000) {
            sketch.add(1e-9 * 1.02_f64.powi(exponent)).unwrap();
        }
        assert!(sketch.counts.len() <= MAX_BUCKETS);
        let p90 = 1e-9 * 1.02_f64.powi(1800);
        assert!((sketch.quantile(0.9).unwrap() / p90 - 1.0).abs() < 0.03);
        assert_eq!(sketch.n(), 4000.0);
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for value in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(Sketch::new().add(value).is_err());
        }
        assert!(Sketch::new().add(0.0).is_ok());
    }
}
