//! [`CacheHabit`]: how often a deployment's prompt cache holds what it should, and how much it is written to.

use crate::codec::{Reader, Writer};
use crate::learn_error::LearnError;

/// Share of a warm prefix that is read from the cache, before any was seen (chosen: most providers cache by
/// themselves, none promises it).
const HIT_PRIOR: f64 = 0.8;
/// Share of the other input that is written to it at the price of that: callers must ask for it where it is billed.
const WRITE_PRIOR: f64 = 0.0;
/// Outcomes a prior counts for, and outcomes remembered (both chosen: a provider's habits change with its releases).
const N_PRIOR: f64 = 2.0;
const N_REMEMBERED: f64 = 50.0;

/// A share in [0, 1] learned from outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Share {
    n: f64,
    sum: f64,
}

impl Share {
    fn mean(&self, prior: f64) -> f64 {
        ((N_PRIOR * prior + self.sum) / (N_PRIOR + self.n)).clamp(0.0, 1.0)
    }

    fn observe(&mut self, part: u64, whole: u64) {
        if whole == 0 {
            return;
        }
        if self.n >= N_REMEMBERED {
            let kept = 1.0 - 1.0 / N_REMEMBERED;
            self.n *= kept;
            self.sum *= kept;
        }
        self.n += 1.0;
        self.sum += (part as f64 / whole as f64).min(1.0);
    }
}

/// Habits of one deployment's prompt cache.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct CacheHabit {
    hits: Share,
    writes: Share,
}

impl CacheHabit {
    /// Share of a warm prefix that is read from the cache, in [0, 1].
    pub(crate) fn hit_rate(&self) -> f64 {
        self.hits.mean(HIT_PRIOR)
    }

    /// Share of the input that is not read from the cache which is written to it, in [0, 1].
    pub(crate) fn write_rate(&self) -> f64 {
        self.writes.mean(WRITE_PRIOR)
    }

    /// Learns from a usage report; `n_warm` tokens were expected in the cache.
    pub(crate) fn observe(&mut self, n_input: u64, n_cached: u64, n_written: u64, n_warm: u64) {
        self.hits.observe(n_cached, n_warm);
        self.writes
            .observe(n_written, n_input.saturating_sub(n_cached));
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        for share in [self.hits, self.writes] {
            writer.f64(share.n);
            writer.f64(share.sum);
        }
    }

    pub(crate) fn load(reader: &mut Reader) -> Result<Self, LearnError> {
        let mut share = || {
            Ok(Share {
                n: reader.amount()?,
                sum: reader.amount()?,
            })
        };
        Ok(Self {
            hits: share()?,
            writes: share()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_that_never_caches_is_found_out_and_one_that_begins_to_is_believed() {
        let mut habit = CacheHabit::default();
        assert_eq!((habit.hit_rate(), habit.write_rate()), (0.8, 0.0));
        (0..30).for_each(|_| habit.observe(5_000, 0, 0, 4_000));
        assert!(habit.hit_rate() < 0.1, "{}", habit.hit_rate());
        (0..200).for_each(|_| habit.observe(5_000, 4_000, 900, 4_000));
        assert!(habit.hit_rate() > 0.9, "{}", habit.hit_rate());
        assert!(
            (habit.write_rate() - 0.9).abs() < 0.1,
            "{}",
            habit.write_rate()
        );
    }

    #[test]
    fn without_a_warm_prefix_nothing_is_learned_of_hits() {
        let mut habit = CacheHabit::default();
        (0..100).for_each(|_| habit.observe(5_000, 0, 0, 0));
        assert_eq!(habit.hit_rate(), 0.8);
    }
}
