//! Why the first of the ranking is first, in one ASCII line.

use super::order::Order;
use super::score::{Dial, Need};
use crate::profile::TaskProfile;
use crate::request::SortBy;

impl Order<'_> {
    /// Why the first of the ranking is first, in one ASCII line.
    pub(super) fn reason(&self, ranking: &[usize], need: Need, profile: &TaskProfile) -> String {
        let first = ranking[0];
        if ranking.len() == 1 {
            return format!("only feasible deployment of {}", self.candidates.len());
        }
        let peers = &ranking[..self.n_peers(ranking)];
        let mut reason = self.preferred(peers.len() < ranking.len());
        reason.push_str(&self.worth(first, peers, need, profile));
        if let Some(second) = peers.get(1).filter(|second| self.are_tied(first, **second)) {
            reason.push_str("; tie broken by ");
            reason.push_str(self.by_tie_break(first, *second).1);
        }
        reason
    }

    fn preferred(&self, has_decided: bool) -> String {
        let by = match (&self.limits.allowed_models, self.limits.order.is_empty()) {
            _ if !has_decided => return String::new(),
            (Some(_), true) => "allowed_models",
            (Some(_), false) => "allowed_models and provider.order",
            (None, _) => "provider.order",
        };
        format!("first by {by}; ")
    }

    fn worth(&self, first: usize, peers: &[usize], need: Need, profile: &TaskProfile) -> String {
        let sorted = |what: &str| format!("{what} of {} feasible (provider.sort)", peers.len());
        match self.limits.sort {
            Some(SortBy::Price) => return sorted("cheapest"),
            Some(SortBy::Latency) => return sorted("shortest time to first token"),
            Some(SortBy::Throughput) => return sorted("most tokens per second"),
            None => {}
        }
        let is_waiting_priced = self.limits.weights.latency_value_usd_per_s > 0.0;
        let cheapest = if is_waiting_priced {
            "cheapest, waiting included,"
        } else {
            "cheapest"
        };
        let meets = |index: usize| self.candidates[index].quality.mean >= need.value();
        let n_meeting = peers.iter().filter(|index| meets(**index)).count();
        let complexity = profile.complexity.label.name();
        let how_near = |tolerance: f64| match self.limits.dial {
            Dial::WithinBest(share) => (format!("{:.1} %", 100.0 * share), String::new()),
            _ => (format!("{tolerance:.2}"), format!(" ({complexity})")),
        };
        match need {
            Need::Worth { usd } => {
                let price = self.limits.weights.budget_price;
                let pressed = if price > 0.0 {
                    format!(", budget price {price:.3}")
                } else {
                    String::new()
                };
                format!(
                    "best of {} at {usd} USD a unit of quality{pressed}",
                    peers.len()
                )
            }
            Need::Floor(floor) if n_meeting == 1 => {
                format!("the only one that meets quality floor {floor:.2}")
            }
            Need::Floor(floor) => {
                format!("{cheapest} of {n_meeting} that meet quality floor {floor:.2}")
            }
            Need::Near { best, tolerance } if meets(first) => {
                let (near, of) = how_near(tolerance);
                if n_meeting == 1 {
                    return format!("best quality {best:.2}, and no other is near enough{of}");
                }
                format!(
                    "{cheapest} of {n_meeting} deployments within {near} of the best quality {best:.2}{of}"
                )
            }
            Need::Near { tolerance, .. } => {
                let (n, need) = (peers.len(), need.value());
                format!(
                    "nearest of {n} to the quality need {need:.2}{}",
                    how_near(tolerance).1
                )
            }
        }
    }
}
