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

/// The caller's order of models, then of providers, in the high half; the worth, best first, in the low one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u128);

impl Key {
    fn new(preference: (u32, u32), worth: f64) -> Self {
        let preference = u64::from(preference.0) << 32 | u64::from(preference.1);
        Self(u128::from(preference) << 64 | u128::from(ordered(worth)))
    }

    fn preference(self) -> u64 {
        (self.0 >> 64) as u64
    }

    fn worth(self) -> u64 {
        self.0 as u64
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
        let key = |(deployment, candidate)| {
            Key::new(
                preference(limits, deployment),
                worth(limits, deployment, candidate),
            )
        };
        let keys = catalog
            .deployments()
            .iter()
            .zip(candidates)
            .map(key)
            .collect();
        Self {
            catalog,
            limits,
            candidates,
            keys,
        }
    }

    /// The head of the ranking that the caller's preferences do not tell apart.
    pub(super) fn peers<'b>(&self, ranking: &'b mut [usize]) -> &'b mut [usize] {
        let first = ranking[0];
        let is_peer = |index: &&usize| self.are_peers(**index, first);
        let n_peers = ranking.iter().take_while(is_peer).count();
        &mut ranking[..n_peers]
    }

    /// Preferences, then score, then the tie-breaks; total, since names are unique.
    pub(super) fn compare(&self, a: usize, b: usize) -> Ordering {
        let by_key = self.keys[a].cmp(&self.keys[b]);
        by_key.then_with(|| self.by_tie_break(a, b).0)
    }

    /// Whether the caller's preferences do not tell them apart.
    pub(super) fn are_peers(&self, a: usize, b: usize) -> bool {
        self.keys[a].preference() == self.keys[b].preference()
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
fn preference(limits: &Limits, deployment: &Deployment) -> (u32, u32) {
    let place = |list: &[usize], wanted: usize| {
        let place = list.iter().position(|one| *one == wanted);
        u32::try_from(place.unwrap_or(list.len())).unwrap_or(u32::MAX)
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
            a in ((0..3_u32, 0..3_u32), any::<f64>()), b in ((0..3_u32, 0..3_u32), any::<f64>())
        ) {
            let plain = a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1));
            prop_assert_eq!(Key::new(a.0, a.1).cmp(&Key::new(b.0, b.1)), plain);
            prop_assert_eq!(Key::new(a.0, -a.1).worth().cmp(&Key::new(a.0, -b.1).worth()), b.1.total_cmp(&a.1));
        }
    }
}
