//! [`Adwin`]: a window over a stream that shortens itself when the mean has changed.

use std::collections::VecDeque;

use crate::codec::{Reader, Writer};
use crate::learn_error::{LearnError, within};

/// Buckets of one size before two of them are merged into one twice as large (Bifet and Gavalda 2007: M = 5).
const N_SAME: usize = 5;
/// Values between two looks for a cut.
const STRIDE: u64 = 32;
/// Least values on either side of a cut.
const N_SIDE: f64 = 5.0;
/// Most buckets: 5 of each of 48 sizes hold more values than ever come.
const MAX_BUCKETS: usize = 5 * 48;

/// Number, mean and sum of squared deviations of some values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bucket {
    n: f64,
    mean: f64,
    deviations: f64,
}

impl Bucket {
    fn of(value: f64) -> Self {
        Self {
            n: 1.0,
            mean: value,
            deviations: 0.0,
        }
    }

    /// Both together (Chan, Golub and `LeVeque` 1983).
    fn with(self, other: Self) -> Self {
        let n = self.n + other.n;
        if n == 0.0 {
            return self;
        }
        let gap = other.mean - self.mean;
        Self {
            n,
            mean: self.mean + gap * other.n / n,
            deviations: self.deviations + other.deviations + gap * gap * self.n * other.n / n,
        }
    }
}

/// An adaptive window over a stream of values in `[-1, 1]`.
///
/// Every 32 values it looks for a place where the means before and after differ by more than
/// `sqrt(2 v ln(2 ln(n) / delta) / m) + 2 ln(2 ln(n) / delta) / (3 m)`, `v` being the variance, `1 / m = 1 / n0 + 1 / n1`
/// (Bifet and Gavalda 2007, section 4.1), and drops what stands before it. O(log n) memory.
///
/// # Example
///
/// ```
/// use pointsman_core::floor::Adwin;
///
/// let mut adwin = Adwin::new(0.002).unwrap();
/// let stream = (0..2_000).map(|i| if i < 1_000 { 0.0 } else { 0.5 });
/// let kept: Vec<f64> = stream.filter_map(|value| adwin.observe(value).unwrap()).collect();
/// assert!((1..=4).contains(&kept.len()), "one change, and a second look at where it was");
/// assert!(adwin.n() < 1_100.0 && adwin.mean() > 0.4);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Adwin {
    delta: f64,
    /// Newest first, so sizes rise.
    buckets: VecDeque<Bucket>,
    n_seen: u64,
}

impl Adwin {
    /// An empty window; `delta` bounds the chance of a cut where nothing changed.
    ///
    /// # Errors
    ///
    /// `delta` outside `(0, 1)`.
    pub fn new(delta: f64) -> Result<Self, LearnError> {
        within(
            "delta",
            delta,
            1e-12,
            1.0 - 1e-9,
            "give a share above 0 and below 1",
        )?;
        Ok(Self {
            delta,
            buckets: VecDeque::new(),
            n_seen: 0,
        })
    }

    /// Values in the window.
    pub fn n(&self) -> f64 {
        self.whole().n
    }

    /// Their mean; 0 of none.
    pub fn mean(&self) -> f64 {
        self.whole().mean
    }

    /// Takes a value; the share of the window that is left, if the mean has changed.
    ///
    /// # Errors
    ///
    /// A value outside `[-1, 1]`; nothing changes then.
    pub fn observe(&mut self, value: f64) -> Result<Option<f64>, LearnError> {
        within("value", value, -1.0, 1.0, "give a value in [-1, 1]")?;
        self.buckets.push_front(Bucket::of(value));
        self.merge();
        self.n_seen += 1;
        if !self.n_seen.is_multiple_of(STRIDE) {
            return Ok(None);
        }
        let before = self.n();
        while self.has_changed() {
            self.buckets.pop_back();
        }
        let left = self.n() / before;
        Ok((left < 1.0).then_some(left))
    }

    /// Merges the two oldest of a size wherever there are more than [`N_SAME`] of it.
    fn merge(&mut self) {
        let mut start = 0;
        while start < self.buckets.len() {
            let size = self.buckets[start].n;
            let n_same = self
                .buckets
                .iter()
                .skip(start)
                .take_while(|one| one.n == size)
                .count();
            if n_same <= N_SAME {
                return;
            }
            let last = start + n_same - 1;
            let merged = self.buckets[last - 1].with(self.buckets[last]);
            self.buckets[last - 1] = merged;
            self.buckets.remove(last);
            start = last - 1;
        }
    }

    fn whole(&self) -> Bucket {
        self.buckets
            .iter()
            .fold(Bucket::default(), |sum, bucket| sum.with(*bucket))
    }

    /// Whether the means differ anywhere.
    fn has_changed(&self) -> bool {
        let whole = self.whole();
        if whole.n < 2.0 * N_SIDE {
            return false;
        }
        let variance = whole.deviations / whole.n;
        let confidence = (2.0 * whole.n.ln().max(1.0) / self.delta).ln();
        let mut new = Bucket::default();
        self.buckets.iter().any(|bucket| {
            new = new.with(*bucket);
            let n_old = whole.n - new.n;
            if new.n < N_SIDE || n_old < N_SIDE {
                return false;
            }
            let old_mean = (whole.mean * whole.n - new.mean * new.n) / n_old;
            let inverse = 1.0 / new.n + 1.0 / n_old;
            let bound =
                (2.0 * inverse * variance * confidence).sqrt() + 2.0 / 3.0 * inverse * confidence;
            (new.mean - old_mean).abs() > bound
        })
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.u64(self.n_seen);
        writer.len(self.buckets.len());
        for bucket in &self.buckets {
            writer.f64(bucket.n);
            writer.f64(bucket.mean);
            writer.f64(bucket.deviations);
        }
    }

    pub(crate) fn load(&mut self, reader: &mut Reader) -> Result<(), LearnError> {
        self.n_seen = reader.u64()?;
        let n = reader.len(24)?;
        if n > MAX_BUCKETS {
            return Err(LearnError::state(format!(
                "{n} buckets, at most {MAX_BUCKETS}"
            )));
        }
        let bucket = |_| {
            let (n, mean, deviations) = (reader.amount()?, reader.f64()?, reader.amount()?);
            within("bucket", n, 1.0, 1e15, "restore a backup")?;
            within("bucket", mean, -1.0, 1.0, "restore a backup")?;
            Ok(Bucket {
                n,
                mean,
                deviations,
            })
        };
        self.buckets = (0..n).map(bucket).collect::<Result<_, LearnError>>()?;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::explore::uniform;

    fn coins(p: impl Fn(u64) -> f64, n: u64, seed: u64) -> (Adwin, Vec<u64>) {
        let mut adwin = Adwin::new(0.002).unwrap();
        let mut cuts = Vec::new();
        for i in 0..n {
            let failed = f64::from(u8::from(uniform(seed, i) < p(i)));
            if adwin.observe(failed).unwrap().is_some() {
                cuts.push(i);
            }
        }
        (adwin, cuts)
    }

    #[test]
    fn the_window_is_logarithmic_and_its_sums_are_those_of_the_values() {
        let (adwin, cuts) = coins(|_| 0.07, 10_000, 1);
        assert!(
            cuts.is_empty() && adwin.buckets.len() <= 5 * 14,
            "{}",
            adwin.buckets.len()
        );
        let n_failed = (0..10_000).filter(|i| uniform(1, *i) < 0.07).count();
        assert!((adwin.mean() * 10_000.0 - n_failed as f64).abs() < 1e-6);
    }

    #[test]
    fn a_stream_that_stays_the_same_is_hardly_ever_cut() {
        let n_cut = (0..100)
            .filter(|seed| !coins(|_| 0.1, 5_000, *seed).1.is_empty())
            .count();
        assert!(n_cut <= 3, "{n_cut} of 100 streams");
    }

    #[test]
    fn a_step_is_cut_and_the_window_forgets_what_was_before() {
        for seed in 0..20 {
            let (adwin, cuts) = coins(|i| if i < 3_000 { 0.07 } else { 0.3 }, 4_000, seed);
            let first = *cuts.iter().find(|at| **at >= 3_000).unwrap();
            assert!(first < 3_200, "{first}");
            assert!(adwin.n() < 1_300.0, "{}", adwin.n());
        }
    }
}
