//! [`Verdicts`]: what a verifier's value says of an answer, learned; [`Evidence`]: the same as a distribution.

/// Bins of a value, even on its log odds.
pub const N_BINS: usize = 16;
/// Log odds at which the second bin begins, and the width of a bin: 0.12 to 0.998 lie inside. Chosen.
const FIRST_LOGIT: f64 = -2.0;
const BIN_LOGITS: f64 = 0.5;
/// Outcomes as which the pooled shape counts in each of the two histograms, so that an empty bin says nothing.
const SHRINKAGE: f64 = 4.0;
/// Outcomes as which error rates given beforehand count.
const PRIOR_OUTCOMES: f64 = 40.0;

/// How often each value was seen on good and on bad answers: binned Beta counts (science.md 2.8).
///
/// # Example
///
/// ```
/// use pointsman_core::cascade::Verdicts;
///
/// let mut verdicts = Verdicts::new(None);
/// assert_eq!(verdicts.evidence().log_ratio(0.99), 0.0);
/// for _ in 0..200 {
///     verdicts.observe(0.99, 1.0);
///     verdicts.observe(0.3, 0.0);
/// }
/// assert!(verdicts.evidence().log_ratio(0.99) > 2.0);
/// assert!(verdicts.evidence().log_ratio(0.3) < -2.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Verdicts {
    good: [f64; N_BINS],
    bad: [f64; N_BINS],
}

impl Verdicts {
    /// Knows nothing, or that a verifier passes so much of the good answers and so much of the bad, both in [0, 1].
    pub fn new(rates: Option<(f64, f64)>) -> Self {
        let mut verdicts = Self {
            good: [0.0; N_BINS],
            bad: [0.0; N_BINS],
        };
        if let Some((tpr, fpr)) = rates {
            for (counts, rate) in [(&mut verdicts.good, tpr), (&mut verdicts.bad, fpr)] {
                counts[N_BINS - 1] = PRIOR_OUTCOMES * rate;
                counts[0] = PRIOR_OUTCOMES * (1.0 - rate);
            }
        }
        verdicts
    }

    /// Counts of good answers by bin, then of bad ones: what [`Verdicts::of_counts`] takes.
    pub(super) fn counts(&self) -> [f64; 2 * N_BINS] {
        std::array::from_fn(|i| {
            if i < N_BINS {
                self.good[i]
            } else {
                self.bad[i - N_BINS]
            }
        })
    }

    pub(super) fn of_counts(counts: &[f64; 2 * N_BINS]) -> Self {
        Self {
            good: std::array::from_fn(|bin| counts[bin]),
            bad: std::array::from_fn(|bin| counts[N_BINS + bin]),
        }
    }

    /// Learns that an answer of this value was graded `reward`; both are cut to [0, 1], NaN teaches nothing.
    pub fn observe(&mut self, value: f64, reward: f64) {
        if value.is_nan() || reward.is_nan() {
            return;
        }
        let (bin, reward) = (bin(value), reward.clamp(0.0, 1.0));
        self.good[bin] += reward;
        self.bad[bin] += 1.0 - reward;
    }

    /// What each value says: shrunken towards nothing, and never less good news for a larger value.
    pub fn evidence(&self) -> Evidence {
        let n: f64 = self.good.iter().chain(&self.bad).sum();
        let pooled =
            |bin: usize| (self.good[bin] + self.bad[bin] + 0.5) / (n + 0.5 * N_BINS as f64);
        let shares = |counts: &[f64; N_BINS]| {
            let n: f64 = counts.iter().sum();
            let share = |bin: usize| (counts[bin] + SHRINKAGE * pooled(bin)) / (n + SHRINKAGE);
            std::array::from_fn::<f64, N_BINS, _>(share)
        };
        Evidence::monotone(&shares(&self.good), &shares(&self.bad))
    }
}

fn bin(value: f64) -> usize {
    let value = value.clamp(1e-9, 1.0 - 1e-9);
    let logit = (value / (1.0 - value)).ln();
    let place = (logit - FIRST_LOGIT) / BIN_LOGITS + 1.0;
    place.clamp(0.0, (N_BINS - 1) as f64) as usize
}

/// One thing a verifier may say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// `ln P(it | good) / P(it | bad)`.
    pub log_ratio: f64,
    /// `P(it | good)`.
    pub p_good: f64,
    /// `P(it | bad)`.
    pub p_bad: f64,
}

/// What verifiers may say, and how likely each is of good and of bad answers; 16 points, by ascending ratio.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    points: [Point; N_BINS],
}

impl Evidence {
    /// Nothing is said.
    pub fn none() -> Self {
        let share = 1.0 / N_BINS as f64;
        let point = Point {
            log_ratio: 0.0,
            p_good: share,
            p_bad: share,
        };
        Self {
            points: [point; N_BINS],
        }
    }

    /// The points; those of equal ratio follow each other.
    pub fn points(&self) -> &[Point; N_BINS] {
        &self.points
    }

    /// What a value in [0, 1] says; only of evidence from one verifier.
    pub fn log_ratio(&self, value: f64) -> f64 {
        self.points[bin(value)].log_ratio
    }

    /// What two verifiers say together, independent given the answer; the 256 points are merged to 16.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut all = Vec::with_capacity(N_BINS * N_BINS);
        for a in &self.points {
            all.extend(other.points.iter().map(|b| Point {
                log_ratio: a.log_ratio + b.log_ratio,
                p_good: a.p_good * b.p_good,
                p_bad: a.p_bad * b.p_bad,
            }));
        }
        all.sort_unstable_by(|a, b| a.log_ratio.total_cmp(&b.log_ratio));
        Self::merged(&all)
    }

    /// Neighbours put together until 16 are left, each of about the same mass.
    fn merged(all: &[Point]) -> Self {
        let mut merged = Self::none();
        let mut left = all.iter().peekable();
        let mut mass = 0.0;
        for (index, point) in merged.points.iter_mut().enumerate() {
            let (mut p_good, mut p_bad) = (0.0, 0.0);
            let limit = 2.0 * (index + 1) as f64 / N_BINS as f64;
            let is_last = index + 1 == N_BINS;
            while let Some(next) =
                left.next_if(|next| is_last || mass + 0.5 * (next.p_good + next.p_bad) <= limit)
            {
                p_good += next.p_good;
                p_bad += next.p_bad;
                mass += next.p_good + next.p_bad;
            }
            *point = Point {
                log_ratio: ratio(p_good, p_bad),
                p_good,
                p_bad,
            };
        }
        merged
    }

    /// Pools neighbours that contradict the order (pool adjacent violators), so that the ratio never falls.
    fn monotone(good: &[f64; N_BINS], bad: &[f64; N_BINS]) -> Self {
        let mut blocks: Vec<(usize, f64, f64)> = Vec::with_capacity(N_BINS);
        for bin in 0..N_BINS {
            blocks.push((1, good[bin], bad[bin]));
            while let [.., a, b] = blocks[..]
                && a.1 * b.2 >= b.1 * a.2
            {
                blocks.truncate(blocks.len() - 2);
                blocks.push((a.0 + b.0, a.1 + b.1, a.2 + b.2));
            }
        }
        let mut evidence = Self::none();
        let mut bin = 0;
        for (n_bins, sum_good, sum_bad) in blocks {
            let share = sum_good / (sum_good + sum_bad);
            for _ in 0..n_bins {
                let mass = good[bin] + bad[bin];
                evidence.points[bin] = Point {
                    log_ratio: ratio(sum_good, sum_bad),
                    p_good: mass * share,
                    p_bad: mass * (1.0 - share),
                };
                bin += 1;
            }
        }
        evidence
    }
}

fn ratio(good: f64, bad: f64) -> f64 {
    if good <= 0.0 && bad <= 0.0 {
        return 0.0;
    }
    (good.max(1e-12) / bad.max(1e-12)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(evidence: &Evidence) -> (f64, f64) {
        let points = evidence.points();
        (
            points.iter().map(|point| point.p_good).sum(),
            points.iter().map(|point| point.p_bad).sum(),
        )
    }

    #[test]
    fn evidence_is_two_distributions_by_ascending_ratio() {
        let mut verdicts = Verdicts::new(Some((0.9, 0.4)));
        (0..50).for_each(|i| verdicts.observe(f64::from(i % 10) / 10.0, f64::from(i % 3 % 2)));
        let both = verdicts
            .evidence()
            .and(&Verdicts::new(Some((0.8, 0.1))).evidence());
        for evidence in [verdicts.evidence(), both] {
            let (good, bad) = sums(&evidence);
            assert!(
                (good - 1.0).abs() < 1e-9 && (bad - 1.0).abs() < 1e-9,
                "{good} {bad}"
            );
            let masses = evidence
                .points()
                .iter()
                .filter(|point| point.p_good + point.p_bad > 0.0);
            assert!(masses.map(|point| point.log_ratio).is_sorted());
        }
    }

    #[test]
    fn two_verifiers_say_more_than_one() {
        let one = Verdicts::new(Some((0.9, 0.2))).evidence();
        let two = one.and(&one);
        let surest = |evidence: &Evidence| {
            let said = evidence.points().iter().filter(|point| point.p_good > 0.0);
            said.map(|point| point.log_ratio)
                .fold(f64::NEG_INFINITY, f64::max)
        };
        assert!(surest(&two) > surest(&one) + 0.3);
        let with_nothing = surest(&one.and(&Evidence::none()));
        assert!((with_nothing - surest(&one)).abs() < 0.1);
    }
}
