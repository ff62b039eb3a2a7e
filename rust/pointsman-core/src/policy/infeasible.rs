//! When nothing is feasible: which constraint binds, how near the nearest came, and what would help.

use super::candidate::Candidate;
use super::feasible::{Bound, ReasonCode, Rejection};
use crate::catalog::Catalog;

/// The constraint that binds, and the sentence that says what would help.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) code: ReasonCode,
    pub(crate) message: String,
}

/// Finds the code whose removal alone would make the most deployments feasible; if none would, the most frequent.
pub(crate) fn bind(
    catalog: &Catalog,
    candidates: &[Candidate],
    rejections: &[Rejection],
) -> Binding {
    let code = binding_code(candidates, rejections);
    let has = |candidate: &&Candidate| {
        candidate
            .rejected_by(rejections)
            .iter()
            .any(|one| one.code == code)
    };
    let n_rejected = candidates.iter().filter(has).count();
    let nearest = nearest(catalog, code, candidates, rejections);
    let help = nearest.map_or_else(String::new, |(index, rejection)| {
        let name = &catalog.deployments()[index].name;
        let others = others(code, candidates[index].rejected_by(rejections));
        let too = if others.is_empty() {
            others
        } else {
            format!("; {name} misses {others} too")
        };
        format!("; {}{too}", help(name, rejection))
    });
    let n_candidates = candidates.len();
    let message = format!(
        "no feasible deployment: {} rejects {n_rejected} of {n_candidates}{help}",
        code.name()
    );
    Binding { code, message }
}

/// Whether `code` alone rejects the candidate.
fn is_sole(code: ReasonCode, candidate: &Candidate, rejections: &[Rejection]) -> bool {
    candidate
        .rejected_by(rejections)
        .iter()
        .all(|one| one.code == code)
}

/// What else rejects a candidate, field by field with the value that would do: lifting `code` alone is not enough.
fn others(code: ReasonCode, rejections: &[Rejection]) -> String {
    let tell = |one: &Rejection| match (one.limit, one.value) {
        (Bound::Number(limit), Bound::Number(value)) => {
            let needed = if value > limit {
                rounded_up(value)
            } else {
                rounded_down(value)
            };
            format!("{} (limit {limit}, needed {needed})", one.field)
        }
        _ => one.field.to_owned(),
    };
    let others = rejections.iter().filter(|one| one.code != code);
    others.map(tell).collect::<Vec<_>>().join(", ")
}

fn binding_code(candidates: &[Candidate], rejections: &[Rejection]) -> ReasonCode {
    let count =
        |counts: &dyn Fn(&Candidate) -> bool| candidates.iter().filter(|one| counts(one)).count();
    let n_freed = |code| count(&|one| is_sole(code, one, rejections));
    let n_touched = |code| {
        count(&|one| {
            one.rejected_by(rejections)
                .iter()
                .any(|rejection| rejection.code == code)
        })
    };
    let mut best = (ReasonCode::ALL[0], (0, 0));
    let any_sole = ReasonCode::ALL.iter().any(|code| n_freed(*code) > 0);
    for code in ReasonCode::ALL {
        let weight = if any_sole {
            (n_freed(code), 0)
        } else {
            (0, n_touched(code))
        };
        if weight > best.1 {
            best = (code, weight);
        }
    }
    best.0
}

/// The candidate that misses by least, among those `code` alone rejects (or all it rejects), with its worst miss.
/// Of equals the first by name, so that the order of the catalog does not matter.
fn nearest<'a>(
    catalog: &Catalog,
    code: ReasonCode,
    candidates: &[Candidate],
    rejections: &'a [Rejection],
) -> Option<(usize, &'a Rejection)> {
    let any_sole = candidates.iter().any(|one| is_sole(code, one, rejections));
    let mut best: Option<(usize, &Rejection)> = None;
    for (index, candidate) in candidates.iter().enumerate() {
        if any_sole && !is_sole(code, candidate, rejections) {
            continue;
        }
        let misses = candidate
            .rejected_by(rejections)
            .iter()
            .filter(|one| one.code == code);
        let Some(worst) = misses.max_by(|a, b| excess(a).total_cmp(&excess(b))) else {
            continue;
        };
        let name = |index: usize| &catalog.deployments()[index].name;
        let is_nearer = |(other, nearest): (usize, &Rejection)| {
            let by_excess = excess(worst).total_cmp(&excess(nearest));
            by_excess.then_with(|| name(index).cmp(name(other))).is_lt()
        };
        if best.is_none_or(is_nearer) {
            best = Some((index, worst));
        }
    }
    best
}

/// Relative distance of the value from the limit; infinite where there is no measure.
fn excess(rejection: &Rejection) -> f64 {
    match (rejection.limit, rejection.value) {
        (Bound::Number(limit), Bound::Number(value)) => {
            (value - limit).abs() / limit.abs().max(1e-12)
        }
        _ => f64::INFINITY,
    }
}

fn help(name: &str, rejection: &Rejection) -> String {
    let field = rejection.field;
    let nearest = match (rejection.limit, rejection.value) {
        (Bound::Number(limit), Bound::Number(value)) => {
            format!(
                "nearest: {name} with {field} {} (limit {}); ",
                rounded(value),
                limit
            )
        }
        _ => String::new(),
    };
    let value = if let Bound::Number(value) = rejection.value {
        value
    } else {
        0.0
    };
    let raise = |constraint: &str| {
        format!(
            "raise {constraint} to at least {} or drop it",
            rounded_up(value)
        )
    };
    let remedy = match (rejection.code, field) {
        (_, "latency_p95_ms") => raise("max_latency_ms"),
        (_, "ttft_p95_ms") => raise("max_ttft_ms"),
        (_, "deadline_s" | "max_cost_usd") => raise(field),
        (_, "max_input_price_usd_per_mtok") => raise("provider.max_price.prompt"),
        (_, "max_output_price_usd_per_mtok") => raise("provider.max_price.completion"),
        (_, "min_quality") => format!(
            "lower min_quality to at most {} or drop it",
            rounded_down(value)
        ),
        (_, "quality_like") => "name a weaker model in quality_like or drop it".to_owned(),
        (ReasonCode::ContextWindow, _) => {
            "shorten the input, or add a deployment with a larger context window".to_owned()
        }
        (ReasonCode::Capability, _) => {
            format!(
                "add a deployment whose model has the capability {field}, or leave {field} out of the request"
            )
        }
        (_, "allowed_models") => {
            "add a deployment of an allowed model, or allow more models".to_owned()
        }
        (_, "permitted_models") => {
            "add a deployment of a model the caller is permitted, or permit more models".to_owned()
        }
        (_, "service_tier") => {
            "ask for another service_tier, or add a deployment of this one".to_owned()
        }
        (ReasonCode::Health | ReasonCode::RateLimit, _) => rejection.ends_in_s.map_or_else(
            || "ask again when a call under way has ended".to_owned(),
            |ends_in_s| format!("ask again in {} s", rounded_up(ends_in_s)),
        ),
        _ => format!("loosen provider.{field} or drop it"),
    };
    format!("{nearest}{remedy}")
}

/// Digits that matter in a message.
const N_DIGITS: i32 = 4;

fn step(value: f64) -> f64 {
    let magnitude = value.abs().max(1e-12).log10().floor() as i32;
    10f64.powi((magnitude + 1 - N_DIGITS).min(0))
}

/// The value at four digits (whole above 1,000).
fn rounded(value: f64) -> String {
    let step = step(value);
    in_steps((value / step).round(), step)
}

/// The same, never below the value: a remedy must suffice.
fn rounded_up(value: f64) -> String {
    on_side(value, 1.0)
}

/// The same, never above the value.
fn rounded_down(value: f64) -> String {
    on_side(value, -1.0)
}

/// The nearest number of steps if it lies on that side of the value as it will be read, else the next one.
fn on_side(value: f64, side: f64) -> String {
    let step = step(value);
    let n_steps = (value / step).round();
    let text = in_steps(n_steps, step);
    let suffices = |read: f64| (read - value) * side >= 0.0;
    if text.parse().is_ok_and(suffices) {
        text
    } else {
        in_steps(n_steps + side, step)
    }
}

fn in_steps(n_steps: f64, step: f64) -> String {
    let n_decimals = (-step.log10().round()).max(0.0) as usize;
    let text = format!("{:.n_decimals$}", n_steps * step);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remedies_are_rounded_to_the_safe_side() {
        assert_eq!(rounded_up(120.0), "120");
        assert_eq!(rounded_up(1234.2), "1235");
        assert_eq!(rounded_up(0.000_123_41), "0.0001235");
        assert_eq!(rounded_down(0.812_39), "0.8123");
        assert_eq!(rounded_up(0.7), "0.7");
        assert_eq!(rounded_up(f64::next_up(120.0)), "120.1");
        assert_eq!(rounded_up(f64::next_down(120.0)), "120");
        assert_eq!(rounded_down(f64::next_down(0.8)), "0.7999");
        assert_eq!(rounded_down(f64::next_up(0.8)), "0.8");
        assert_eq!(rounded_up(1e-20), "0.000000000000001");
    }
}
