//! The order of the ranking: preferences, then score, then tie-breaks.

use std::cmp::Ordering;

use super::candidate::Candidate;
use super::limits::Limits;
use crate::catalog::{Catalog, Deployment};
use crate::request::SortBy;

/// The order of the ranking.
pub(super) struct Order<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) limits: &'a Limits,
    pub(super) candidates: &'a [Candidate],
    /// What comes before the tie-breaks, of each candidate: less is better.
    keys: Vec<Key>,
}

/// From the highest bits: places in the caller's orders of models and of providers, 16 bits each; the worth, best
/// first, 64; the candidate, 16. So keys are sorted as numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u128);

impl Key {
    fn new(preference: (u16, u16), worth: f64, candidate: usize) -> Self {
        let preference = u64::from(preference.0) << 16 | u64::from(preference.1);
        let worth = u128::from(preference) << 64 | u128::from(ordered(worth));
        Self(worth << 16 | candidate as u128 & 0xffff)
    }

    fn preference(self) -> u32 {
        (self.0 >> 80) as u32
    }

    fn worth(self) -> u64 {
        (self.0 >> 16) as u64
    }

    fn candidate(self) -> usize {
        usize::from(self.0 as u16)
    }

    /// Whether only a tie-break tells them apart.
    fn is_tied(self, other: Self) -> bool {
        self.0 >> 16 == other.0 >> 16
    }
}

/// A number in the order of `f64::total_cmp`.
fn ordered(value: f64) -> u64 {
    const SIGN: u64 = 1 << 63;
    let bits = value.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

impl<'a> Order<'a> {
    /// Finds what each candidate is ordered by, so that a comparison is one of two numbers.
    pub(super) fn new(
        catalog: &'a Catalog,
        limits: &'a Limits,
        candidates: &'a [Candidate],
    ) -> Self {
        let key = |(index, (deployment, candidate))| {
            Key::new(
                preference(limits, deployment),
                worth(limits, deployment, candidate),
                index,
            )
        };
        let deployments = catalog.deployments().iter().zip(candidates);
        let keys = deployments.enumerate().map(key).collect();
        Self {
            catalog,
            limits,
            candidates,
            keys,
        }
    }

    /// The head of the ranking that the caller's preferences do not tell apart.
    pub(super) fn peers<'b>(&self, ranking: &'b mut [usize]) -> &'b mut [usize] {
        let n_peers = self.n_peers(ranking);
        &mut ranking[..n_peers]
    }

    /// How many that are.
    pub(super) fn n_peers(&self, ranking: &[usize]) -> usize {
        let preference = |index: usize| self.keys[index].preference();
        let first = preference(ranking[0]);
        let is_peer = |index: &&usize| preference(**index) == first;
        ranking.iter().take_while(is_peer).count()
    }

    /// Sorts by preferences, then score, then the tie-breaks; total, since names are unique.
    pub(super) fn sort(&self, ranking: &mut [usize]) {
        let mut keys: Vec<Key> = ranking.iter().map(|index| self.keys[*index]).collect();
        keys.sort_unstable();
        for tied in keys.chunk_by_mut(|a, b| a.is_tied(*b)) {
            if tied.len() > 1 {
                tied.sort_unstable_by(|a, b| self.by_tie_break(a.candidate(), b.candidate()).0);
            }
        }
        for (place, key) in ranking.iter_mut().zip(keys) {
            *place = key.candidate();
        }
    }

    /// Whether only a tie-break tells them apart, once preferences do not.
    pub(super) fn are_tied(&self, a: usize, b: usize) -> bool {
        self.keys[a].worth() == self.keys[b].worth()
    }

    /// Quality, then latency, then name; and which of them decided.
    pub(super) fn by_tie_break(&self, a: usize, b: usize) -> (Ordering, &'static str) {
        let (x, y) = (&self.candidates[a], &self.candidates[b]);
        let by_quality = y.quality.mean.total_cmp(&x.quality.mean);
        if by_quality.is_ne() {
            return (by_quality, "quality");
        }
        let by_latency = x.latency.p95_ms.total_cmp(&y.latency.p95_ms);
        if by_latency.is_ne() {
            return (by_latency, "latency");
        }
        let deployments = self.catalog.deployments();
        (deployments[a].name.cmp(&deployments[b].name), "name")
    }
}

/// Places in the caller's order of models and of providers; what is not listed comes last.
fn preference(limits: &Limits, deployment: &Deployment) -> (u16, u16) {
    let place = |list: &[usize], wanted: usize| {
        let place = list.iter().position(|one| *one == wanted);
        u16::try_from(place.unwrap_or(list.len())).unwrap_or(u16::MAX)
    };
    let models = limits.allowed_models.as_deref().unwrap_or_default();
    (
        place(models, deployment.model),
        place(&limits.order, deployment.provider),
    )
}

/// What is ordered by after preferences: less is better.
fn worth(limits: &Limits, deployment: &Deployment, candidate: &Candidate) -> f64 {
    match limits.sort {
        None => -candidate.score_usd,
        Some(SortBy::Price) => candidate.cost_usd,
        Some(SortBy::Latency) => candidate.latency.ttft_p95_ms,
        Some(SortBy::Throughput) => -deployment.latency.tokens_per_s,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_preferences_then_worth(
            a in ((0..3_u16, 0..3_u16), any::<f64>()), b in ((0..3_u16, 0..3_u16), any::<f64>())
        ) {
            let plain = a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1));
            let [x, y] = [Key::new(a.0, a.1, 65_534), Key::new(b.0, b.1, 65_534)];
            prop_assert_eq!(x.cmp(&y), plain);
            prop_assert_eq!(x.is_tied(Key::new(b.0, b.1, 7)), plain.is_eq());
            prop_assert_eq!(x.worth().cmp(&y.worth()), a.1.total_cmp(&b.1));
            prop_assert_eq!(x.preference().cmp(&y.preference()), a.0.cmp(&b.0));
            prop_assert_eq!(x.candidate(), 65_534);
        }
    }
}
