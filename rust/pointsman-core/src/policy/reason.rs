//! Why the first of the ranking is first, in one ASCII line.

use std::fmt::{self, Display, Formatter, Write};

use super::order::Order;
use super::score::{Dial, Need};
use crate::profile::TaskProfile;
use crate::request::SortBy;

/// Bytes of most reasons.
const USUAL_LEN: usize = 128;

impl Order<'_> {
    /// Why the first of the ranking is first, in one ASCII line.
    pub(super) fn reason(&self, ranking: &[usize], need: Need, profile: &TaskProfile) -> String {
        let mut reason = String::with_capacity(USUAL_LEN);
        // Writing to a string does not fail.
        _ = self.write_reason(&mut reason, ranking, need, profile);
        reason
    }

    fn write_reason(
        &self,
        out: &mut String,
        ranking: &[usize],
        need: Need,
        profile: &TaskProfile,
    ) -> fmt::Result {
        let first = ranking[0];
        if ranking.len() == 1 {
            return write!(out, "only feasible deployment of {}", self.candidates.len());
        }
        let peers = &ranking[..self.n_peers(ranking)];
        if peers.len() < ranking.len() {
            write!(out, "first by {}; ", self.preferred())?;
        }
        match self.limits.sort {
            Some(by) => {
                let n = peers.len();
                write!(out, "{} of {n} feasible (provider.sort)", most(by))?;
            }
            None => self.write_worth(out, peers, need, profile)?,
        }
        if let Some(second) = peers.get(1).filter(|second| self.are_tied(first, **second)) {
            write!(
                out,
                "; tie broken by {}",
                self.by_tie_break(first, *second).1
            )?;
        }
        Ok(())
    }

    /// What of the caller's told its peers from the others.
    fn preferred(&self) -> &'static str {
        match (&self.limits.allowed_models, self.limits.order.is_empty()) {
            (Some(_), true) => "allowed_models",
            (Some(_), false) => "allowed_models and provider.order",
            (None, _) => "provider.order",
        }
    }

    fn write_worth(
        &self,
        out: &mut String,
        peers: &[usize],
        need: Need,
        profile: &TaskProfile,
    ) -> fmt::Result {
        let cheapest = if self.limits.weights.latency_value_usd_per_s > 0.0 {
            "cheapest, waiting included,"
        } else {
            "cheapest"
        };
        let meets = |index: usize| self.candidates[index].quality.mean >= need.value();
        let n_meeting = peers.iter().filter(|index| meets(**index)).count();
        let n_peers = peers.len();
        let of = Of {
            dial: self.limits.dial,
            complexity: profile.complexity.label.name(),
        };
        match need {
            Need::Worth { usd } => {
                write!(out, "best of {n_peers} at {usd} USD a unit of quality")?;
                match self.limits.weights.budget_price {
                    price if price > 0.0 => write!(out, ", budget price {price:.3}"),
                    _ => Ok(()),
                }
            }
            Need::Floor(floor) if n_meeting == 1 => {
                write!(out, "the only one that meets quality floor {floor:.2}")
            }
            Need::Floor(floor) => {
                write!(
                    out,
                    "{cheapest} of {n_meeting} that meet quality floor {floor:.2}"
                )
            }
            Need::Near { best, .. } if meets(peers[0]) && n_meeting == 1 => {
                write!(
                    out,
                    "best quality {best:.2}, and no other is near enough{of}"
                )
            }
            Need::Near { best, tolerance } if meets(peers[0]) => {
                let near = Near {
                    dial: self.limits.dial,
                    tolerance,
                };
                write!(
                    out,
                    "{cheapest} of {n_meeting} deployments within {near} of the best quality {best:.2}{of}"
                )
            }
            Need::Near { .. } => {
                let need = need.value();
                write!(
                    out,
                    "nearest of {n_peers} to the quality need {need:.2}{of}"
                )
            }
        }
    }
}

fn most(by: SortBy) -> &'static str {
    match by {
        SortBy::Price => "cheapest",
        SortBy::Latency => "shortest time to first token",
        SortBy::Throughput => "most tokens per second",
    }
}

/// How near the best is near enough: a share of it, or a tolerance.
struct Near {
    dial: Dial,
    tolerance: f64,
}

impl Display for Near {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.dial {
            Dial::WithinBest(share) => write!(out, "{:.1} %", 100.0 * share),
            _ => write!(out, "{:.2}", self.tolerance),
        }
    }
}

/// What a tolerance depends on, in brackets; nothing where a share of the best is asked for.
struct Of {
    dial: Dial,
    complexity: &'static str,
}

impl Display for Of {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.dial {
            Dial::WithinBest(_) => Ok(()),
            _ => write!(out, " ({})", self.complexity),
        }
    }
}
