//! Off-policy evaluation: what another policy would have earned, from a log with exact propensities (science.md 1.6).
//!
//! Weights are never clipped: a clipped estimate is biased, and its interval covers ever less as the log grows
//! (science.md M5). What keeps weights small is the least propensity that the log was drawn with.

use serde::Serialize;

use crate::learn_error::{LearnError, within};

/// Half-width of a two-sided 95 % interval, in standard errors.
const Z_TWO_SIDED: f64 = 1.959_964;
/// One-sided 95 % bound.
const Z_ONE_SIDED: f64 = 1.644_854;
/// Fewest effective rows that a promotion may rest on (science.md 2.12), and least share of the log.
const LEAST_ESS: f64 = 200.0;
const LEAST_ESS_SHARE: f64 = 0.05;
/// Standard errors that the mean weight may be off 1.
const MAX_WEIGHT_ERRORS: f64 = 3.0;

/// One logged decision with its reward, as the policy in question sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Probability of the logged choice under the policy, over its logged propensity.
    pub weight: f64,
    /// What the choice earned: a reward, or any utility.
    pub reward: f64,
    /// What was predicted of it, from other rows than this one.
    pub predicted: f64,
    /// Prediction averaged over the policy's choices.
    pub value: f64,
    /// Prediction averaged over the choices of the policy that logged.
    pub logged_value: f64,
}

/// A mean with its standard error and 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Interval {
    /// The estimate.
    pub mean: f64,
    /// Its standard error.
    pub se: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// What a log says of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct OpeReport {
    /// Rows of the log.
    pub n: usize,
    /// `(sum w)^2 / sum w^2`.
    pub ess: f64,
    /// Mean weight, near 1 if the propensities are what they say.
    pub mean_weight: f64,
    /// Whether it lies within three standard errors of 1.
    pub is_sane: bool,
    /// Inverse propensity scoring: `mean(w r)`.
    pub ips: Interval,
    /// Self-normalised: `sum(w r) / sum(w)`.
    pub snips: Interval,
    /// Doubly robust: `mean(value + w (r - predicted))`.
    pub dr: Interval,
    /// One-sided 95 % lower bound of that.
    pub dr_lcb: f64,
    /// Doubly robust difference to the policy that logged.
    pub gain: Interval,
    /// One-sided 95 % lower bound of that difference.
    pub gain_lcb: f64,
}

impl OpeReport {
    /// The report with why it is refused, as UTF-8 JSON.
    ///
    /// # Example
    ///
    /// ```
    /// let report = pointsman_core::ope::OpeReport::default().to_json(&[]);
    /// assert!(report.starts_with(b"{\"n\":0,"));
    /// ```
    pub fn to_json(&self, refusals: &[String]) -> Vec<u8> {
        #[derive(Serialize)]
        struct Record<'a> {
            #[serde(flatten)]
            report: &'a OpeReport,
            refusals: &'a [String],
        }
        let record = Record {
            report: self,
            refusals,
        };
        // Finite numbers and strings, written to memory: it always serialises.
        serde_json::to_vec(&record).unwrap_or_default()
    }
}

/// Estimates what the policy would have earned; intervals are normal approximations.
///
/// # Errors
///
/// No row; a number that is not finite or beyond 1e9, a negative weight.
///
/// # Example
///
/// ```
/// use pointsman_core::ope::{Row, evaluate};
///
/// // Logged by a fair coin between an arm that earns 1 and one that earns 0; the policy always takes the first.
/// let row = |i: usize| {
///     let is_first = i % 2 == 0;
///     let reward = f64::from(u8::from(is_first));
///     Row { weight: 2.0 * reward, reward, predicted: 0.5, value: 0.5, logged_value: 0.5 }
/// };
/// let rows: Vec<Row> = (0..1_000).map(row).collect();
/// let report = evaluate(&rows).unwrap();
/// assert!((report.dr.mean - 1.0).abs() < 1e-9 && (report.gain.mean - 0.5).abs() < 1e-9);
/// assert!(report.is_sane && report.ess == 500.0);
/// ```
pub fn evaluate(rows: &[Row]) -> Result<OpeReport, LearnError> {
    if rows.is_empty() {
        return Err(LearnError::invalid(
            "rows",
            "empty",
            "give a log with graded decisions",
        ));
    }
    rows.iter().try_for_each(check)?;
    let n = rows.len() as f64;
    let sum = |of: fn(&Row) -> f64| rows.iter().map(of).sum::<f64>();
    let (weights, squares) = (sum(|row| row.weight), sum(|row| row.weight * row.weight));
    let weight = interval(rows.iter().map(|row| row.weight));
    let gain = interval(rows.iter().map(gain));
    let dr = interval(rows.iter().map(|row| row.value + surprise(row)));
    Ok(OpeReport {
        n: rows.len(),
        ess: if squares > 0.0 {
            weights * weights / squares
        } else {
            0.0
        },
        mean_weight: weights / n,
        is_sane: (weight.mean - 1.0).abs() <= MAX_WEIGHT_ERRORS * weight.se + 1e-9,
        ips: interval(rows.iter().map(|row| row.weight * row.reward)),
        snips: snips(rows, weights),
        dr_lcb: dr.mean - Z_ONE_SIDED * dr.se,
        dr,
        gain_lcb: gain.mean - Z_ONE_SIDED * gain.se,
        gain,
    })
}

/// Why a policy may not be promoted on this log; none: it may (science.md 2.12).
///
/// It may if the lower bound of its gain is above `-margin`, the log has enough effective rows, and its propensities
/// are what they say. A policy that is worse by the margin or more passes at most 5 % of the time.
///
/// # Example
///
/// ```
/// use pointsman_core::ope::{OpeReport, refusals};
///
/// let report = OpeReport { n: 1_000, ess: 150.0, is_sane: true, gain_lcb: 0.01, ..OpeReport::default() };
/// assert_eq!(refusals(&report, 0.0), ["150 effective rows, at least 200 needed: log more"]);
/// ```
pub fn refusals(report: &OpeReport, margin: f64) -> Vec<String> {
    let mut refusals = Vec::new();
    if report.gain_lcb <= -margin {
        let (mean, lcb) = (report.gain.mean, report.gain_lcb);
        refusals.push(format!(
            "gain {mean:+.4}, its lower bound {lcb:+.4} is not above {:+.4}",
            -margin
        ));
    }
    let least = LEAST_ESS.max(LEAST_ESS_SHARE * report.n as f64);
    if report.ess < least {
        let ess = report.ess;
        refusals.push(format!(
            "{ess:.0} effective rows, at least {least:.0} needed: log more"
        ));
    }
    if !report.is_sane {
        let mean = report.mean_weight;
        refusals.push(format!(
            "mean weight {mean:.3} is too far from 1: the log's propensities are not those it was drawn with"
        ));
    }
    refusals
}

fn check(row: &Row) -> Result<(), LearnError> {
    within("weight", row.weight, 0.0, 1e9, "give a finite weight >= 0")?;
    for value in [row.reward, row.predicted, row.value, row.logged_value] {
        within("reward", value, -1e9, 1e9, "give a finite number")?;
    }
    Ok(())
}

fn surprise(row: &Row) -> f64 {
    row.weight * (row.reward - row.predicted)
}

/// The pseudo-outcome of the difference; the logging policy's own weight is 1.
fn gain(row: &Row) -> f64 {
    row.value - row.logged_value + (row.weight - 1.0) * (row.reward - row.predicted)
}

/// By the delta method: the ratio's residuals over the mean weight.
fn snips(rows: &[Row], weights: f64) -> Interval {
    if weights <= 0.0 {
        return Interval::default();
    }
    let mean = rows.iter().map(|row| row.weight * row.reward).sum::<f64>() / weights;
    let mean_weight = weights / rows.len() as f64;
    let residuals = rows
        .iter()
        .map(|row| row.weight * (row.reward - mean) / mean_weight);
    around(mean, interval(residuals).se)
}

fn interval(values: impl Iterator<Item = f64> + Clone) -> Interval {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    let squares = values
        .map(|value| (value - mean) * (value - mean))
        .sum::<f64>();
    around(mean, (squares / (n - 1.0).max(1.0) / n).sqrt())
}

fn around(mean: f64, se: f64) -> Interval {
    let half = Z_TWO_SIDED * se;
    Interval {
        mean,
        se,
        low: mean - half,
        high: mean + half,
    }
}
