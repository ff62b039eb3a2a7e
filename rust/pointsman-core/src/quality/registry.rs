//! [`QualityPrior`]: how well a model does a task before anything was measured.
//!
//! Priors add up on the logit scale: `sigma(logit(default) + sum(logit(key) - logit(default)))` over the keys
//! of the request's domain and complexity, or the pair `domain/complexity` alone where it is given. A
//! `task:NAME` key is taken as it stands.

use std::collections::BTreeMap;

use crate::error::nearest;
use crate::profile::{Complexity, Domain};

/// Pseudo-counts behind a prior (science.md 2.3).
const N_PSEUDO_COUNTS: f64 = 12.0;
/// One-sided 95 % quantile of the normal distribution.
const Z_95: f64 = 1.645;
/// Logits are taken of values clipped to this distance from 0 and 1.
const MARGIN: f64 = 0.001;

/// A predicted quality with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Expected quality, in [0, 1].
    pub mean: f64,
    /// Standard deviation of the belief.
    pub sd: f64,
    /// Lower confidence bound: mean - 1.645 sd, not below 0.
    pub lcb: f64,
}

impl Quality {
    fn new(mean: f64) -> Self {
        Self::with_sd(mean, (mean * (1.0 - mean) / (N_PSEUDO_COUNTS + 1.0)).sqrt())
    }

    /// A belief of another deviation.
    pub(crate) fn with_sd(mean: f64, sd: f64) -> Self {
        Self {
            mean,
            sd,
            lcb: (mean - Z_95 * sd).max(0.0),
        }
    }

    /// Probability that the quality reaches `need`, in [0, 1].
    ///
    /// # Example
    ///
    /// ```
    /// # use std::collections::BTreeMap;
    /// use pointsman_core::{Complexity, Domain, QualityPrior};
    ///
    /// let prior = QualityPrior::new(&BTreeMap::from([("default".to_owned(), 0.8)])).unwrap();
    /// let quality = prior.predict(Domain::General, Complexity::Lookup, None);
    /// assert_eq!(quality.mean, 0.8);
    /// assert!(quality.p_reaches(0.5) > 0.99 && quality.p_reaches(0.95) < 0.1);
    /// ```
    pub fn p_reaches(&self, need: f64) -> f64 {
        if self.sd == 0.0 {
            return f64::from(u8::from(self.mean >= need));
        }
        normal_cdf((self.mean - need) / self.sd)
    }
}

/// The registry's prior of one model, with every (domain, complexity) cell computed at load.
#[derive(Clone, Debug, PartialEq)]
pub struct QualityPrior {
    default: f64,
    cells: [[Quality; Complexity::ALL.len()]; Domain::ALL.len()],
    tasks: Vec<(String, Quality)>,
}

impl QualityPrior {
    /// Reads `{"default": 0.7, "code": 0.8, "code/reasoning": 0.7, "task:invoices": 0.9}`.
    ///
    /// # Errors
    ///
    /// The key to blame and what is wrong with it: no `default`, a value outside [0, 1], an unknown label.
    pub fn new(document: &BTreeMap<String, f64>) -> Result<Self, (String, String)> {
        for (key, value) in document {
            check(key, *value).map_err(|problem| (key.clone(), problem))?;
        }
        let Some(&default) = document.get("default") else {
            let problem = "is missing: give the model's quality in [0, 1]".to_owned();
            return Err(("default".to_owned(), problem));
        };
        let cell = |domain: Domain, complexity: Complexity| {
            Quality::new(mean(document, default, domain, complexity))
        };
        let cells =
            Domain::ALL.map(|domain| Complexity::ALL.map(|complexity| cell(domain, complexity)));
        let task = |(key, value): (&String, &f64)| {
            Some((key.strip_prefix("task:")?.to_owned(), Quality::new(*value)))
        };
        Ok(Self {
            default,
            cells,
            tasks: document.iter().filter_map(task).collect(),
        })
    }

    /// The quality expected without knowing the task.
    pub fn default_quality(&self) -> f64 {
        self.default
    }

    /// The quality expected on a task.
    pub fn predict(&self, domain: Domain, complexity: Complexity, task: Option<&str>) -> Quality {
        let named = task.and_then(|task| self.tasks.iter().find(|(name, _)| name == task));
        named.map_or(
            self.cells[domain as usize][complexity as usize],
            |(_, quality)| *quality,
        )
    }
}

fn mean(
    document: &BTreeMap<String, f64>,
    default: f64,
    domain: Domain,
    complexity: Complexity,
) -> f64 {
    let pair = document.get(&format!("{}/{}", domain.name(), complexity.name()));
    if let Some(pair) = pair {
        return *pair;
    }
    match (document.get(domain.name()), document.get(complexity.name())) {
        // A single key moves the default exactly onto itself; going through the logit would only round it.
        (None, None) => default,
        (Some(one), None) | (None, Some(one)) => *one,
        (Some(a), Some(b)) => sigma(logit(*a) + logit(*b) - logit(default)),
    }
}

fn check(key: &str, value: f64) -> Result<(), String> {
    if !(0.0..=1.0).contains(&value) {
        return Err(format!("is {value}: give a quality in [0, 1]"));
    }
    if key == "default"
        || key
            .strip_prefix("task:")
            .is_some_and(|task| !task.is_empty())
    {
        return Ok(());
    }
    let domains = || Domain::ALL.iter().map(|domain| domain.name());
    let complexities = || Complexity::ALL.iter().map(|complexity| complexity.name());
    let known = match key.split_once('/') {
        Some((domain, complexity)) => {
            domains().any(|one| one == domain) && complexities().any(|one| one == complexity)
        }
        None => domains().chain(complexities()).any(|one| one == key),
    };
    if known {
        return Ok(());
    }
    let hint = nearest(key, domains().chain(complexities()).chain(["default"]));
    let hint = hint.map_or_else(String::new, |one| format!("; did you mean {one:?}?"));
    Err(format!(
        "is no key of a quality: give default, a domain ({}), a complexity ({}), domain/complexity or task:NAME{hint}",
        Domain::ALL.map(Domain::name).join(", "),
        Complexity::ALL.map(Complexity::name).join(", "),
    ))
}

fn logit(p: f64) -> f64 {
    let p = p.clamp(MARGIN, 1.0 - MARGIN);
    (p / (1.0 - p)).ln()
}

fn sigma(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Standard normal distribution function, absolute error below 7.5e-8 (Abramowitz and Stegun 26.2.17).
pub(crate) fn normal_cdf(x: f64) -> f64 {
    const B: [f64; 5] = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let tail = density * t * B.iter().rev().fold(0.0, |sum, b| sum * t + b);
    if x >= 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prior(entries: &[(&str, f64)]) -> QualityPrior {
        QualityPrior::new(
            &entries
                .iter()
                .map(|(key, value)| ((*key).to_owned(), *value))
                .collect(),
        )
        .unwrap()
    }

    #[test]
    fn keys_add_up_on_the_logit_scale_and_the_pair_wins() {
        let both = prior(&[("default", 0.7), ("code", 0.8), ("reasoning", 0.6)]);
        let expected = sigma(logit(0.8) + logit(0.6) - logit(0.7));
        assert!(
            (both.predict(Domain::Code, Complexity::Reasoning, None).mean - expected).abs() < 1e-12
        );
        assert_eq!(
            both.predict(Domain::Code, Complexity::Lookup, None).mean,
            0.8
        );
        assert_eq!(
            both.predict(Domain::Legal, Complexity::Lookup, None).mean,
            0.7
        );
        let pair = prior(&[("default", 0.7), ("code", 0.8), ("code/reasoning", 0.3)]);
        assert_eq!(
            pair.predict(Domain::Code, Complexity::Reasoning, None).mean,
            0.3
        );
    }

    #[test]
    fn a_task_is_taken_as_it_stands_and_an_unknown_one_is_ignored() {
        let model = prior(&[("default", 0.7), ("task:invoices", 0.91)]);
        assert_eq!(
            model
                .predict(Domain::Finance, Complexity::Lookup, Some("invoices"))
                .mean,
            0.91
        );
        assert_eq!(
            model
                .predict(Domain::Finance, Complexity::Lookup, Some("poems"))
                .mean,
            0.7
        );
    }

    #[test]
    fn normal_cdf_matches_known_values() {
        for (x, p) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746),
            (-1.96, 0.024_997_895),
            (3.0, 0.998_650_102),
        ] {
            assert!((normal_cdf(x) - p).abs() < 1e-7);
        }
    }
}
