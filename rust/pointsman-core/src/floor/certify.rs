//! [`certify`]: split fixed-sequence testing of thresholds (science.md 2.7; Angelopoulos et al. 2021, Laufer-Goldshtein
//! et al. 2023).

use super::binomial::binomial_cdf;
use super::grader::Grader;
use crate::learn_error::{LearnError, within};

/// Thresholds in a grid: coarse ones lose less to multiplicity than they lose in precision (science.md section 3).
pub const N_GRID: usize = 20;
/// Share of the audits that order the thresholds; the others test them.
const ORDERING: f64 = 0.4;
/// Bets of the p-value of graded or weighted losses, as shares of the largest that cannot go bankrupt (chosen).
const SHARES: [f64; 5] = [0.05, 0.15, 0.35, 0.65, 0.95];

/// One audited answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Audit {
    /// What the threshold is compared to: the quality predicted before the answer.
    pub score: f64,
    /// How bad the answer was, in `[0, 1]`; 1 is a failure.
    pub loss: f64,
    /// 1 / probability of its having been audited, up to a factor; above 0.
    pub weight: f64,
    /// Whose word the loss is.
    pub grader: Grader,
}

/// A threshold that passed its test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Passed {
    /// The least score that is served.
    pub threshold: f64,
    /// Audits that it was tested on: those of the testing split at or above the threshold.
    pub n: usize,
    /// Sum of their losses.
    pub n_failed: f64,
}

/// The quantiles `0, 1/20, ..., 19/20` of scores of an earlier batch, ascending, without doubles.
///
/// # Example
///
/// ```
/// use pointsman_core::floor::grid;
///
/// let scores: Vec<f64> = (0..100).map(f64::from).collect();
/// assert_eq!(grid(&scores)[1], 5.0);
/// ```
pub fn grid(scores: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut grid: Vec<f64> = if sorted.is_empty() {
        Vec::new()
    } else {
        (0..N_GRID)
            .map(|i| sorted[i * sorted.len() / N_GRID])
            .collect()
    };
    grid.dedup();
    grid
}

/// The most lenient threshold of `grid` that passes, if one does: with probability at most `delta` any of those
/// that pass has a risk above `alpha`.
///
/// The grid must not come from these audits. Where every loss is 0 or 1 and all weights and graders are equal the p-value
/// is the exact binomial one; else that of a bet on the weighted loss (Waudby-Smith and Ramdas 2024). A grader that errs
/// is tested at [`Grader::level`], so that it is the answers' own risk that is certified.
///
/// # Errors
///
/// `alpha` or `delta` outside `(0, 1)`; a score that is not finite, a loss outside `[0, 1]`, a weight outside
/// `[1e-9, 1e9]`.
///
/// # Example
///
/// ```
/// use pointsman_core::floor::{Audit, Grader, certify};
///
/// // Answers below 0.5 fail half of the time, the others never.
/// let audit = |i: usize| Audit {
///     score: (i % 10) as f64 / 10.0,
///     loss: f64::from(u8::from(i % 10 < 5 && i % 20 < 10)),
///     weight: 1.0,
///     grader: Grader::EXACT,
/// };
/// let audits: Vec<Audit> = (0..1_000).map(audit).collect();
/// let passed = certify(&[0.0, 0.5, 0.9], &audits, 0.1, 0.05).unwrap().unwrap();
/// assert_eq!(passed.threshold, 0.5);
/// ```
pub fn certify(
    grid: &[f64],
    audits: &[Audit],
    alpha: f64,
    delta: f64,
) -> Result<Option<Passed>, LearnError> {
    let remedy = "give a share above 0 and below 1";
    within("alpha", alpha, 1e-9, 1.0 - 1e-9, remedy)?;
    within("delta", delta, 1e-12, 1.0 - 1e-9, remedy)?;
    audits.iter().try_for_each(check)?;
    let of = |wants: bool| {
        let split = audits.iter().enumerate();
        let mine = split.filter(|(index, _)| is_ordering(*index) == wants);
        mine.map(|(_, audit)| *audit).collect::<Vec<_>>()
    };
    let ordering = p_values(grid, &of(true), alpha);
    let mut order: Vec<usize> = (0..grid.len()).collect();
    // Of equals the stricter first.
    order.sort_by(|a, b| ordering[*a].p.total_cmp(&ordering[*b].p).then(b.cmp(a)));
    let tests = p_values(grid, &of(false), alpha);
    let passing = order
        .into_iter()
        .take_while(|index| tests[*index].p <= delta);
    let most_lenient = passing.min_by(|a, b| grid[*a].total_cmp(&grid[*b]));
    Ok(most_lenient.map(|index| Passed {
        threshold: grid[index],
        n: tests[index].n,
        n_failed: tests[index].n_failed,
    }))
}

/// Fewest audits, none of them failed, with which anything can pass: `ln(delta) / ln(1 - alpha)`.
///
/// # Example
///
/// ```
/// assert_eq!(pointsman_core::floor::least_audits(0.1, 0.05), 29);
/// ```
pub fn least_audits(alpha: f64, delta: f64) -> usize {
    (delta.ln() / (-alpha).ln_1p()).ceil().max(1.0) as usize
}

/// Share of the traffic that has to go elsewhere, whatever the score, if `risk` of all answers fail:
/// `(risk - alpha) / (1 - alpha)`, 0 if the floor may hold for all.
///
/// # Example
///
/// ```
/// assert!((pointsman_core::floor::least_diverted(0.28, 0.1) - 0.2).abs() < 1e-12);
/// ```
pub fn least_diverted(risk: f64, alpha: f64) -> f64 {
    ((risk - alpha) / (1.0 - alpha)).max(0.0)
}

/// Whether an audit orders, by its place alone: multiples of the golden ratio fall into step with no period of the
/// traffic, and any run of them is split nearly as the whole.
fn is_ordering(index: usize) -> bool {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    (index as f64 * GOLDEN).fract() < ORDERING
}

fn check(audit: &Audit) -> Result<(), LearnError> {
    within("score", audit.score, -1e15, 1e15, "give a finite score")?;
    within("loss", audit.loss, 0.0, 1.0, "give a loss in [0, 1]")?;
    within(
        "weight",
        audit.weight,
        1e-9,
        1e9,
        "give a weight in [1e-9, 1e9]",
    )?;
    Ok(())
}

/// The test of one threshold: p-value of "its risk is above alpha", and what it rests on.
struct Test {
    p: f64,
    n: usize,
    n_failed: f64,
}

fn p_values(grid: &[f64], audits: &[Audit], alpha: f64) -> Vec<Test> {
    let is_exact = audits.iter().all(|one| {
        (one.loss == 0.0 || one.loss == 1.0)
            && one.weight == audits[0].weight
            && one.grader == audits[0].grader
    });
    let mut counts = vec![(0_usize, 0.0_f64); grid.len() + 1];
    for audit in audits {
        let cell = &mut counts[grid.partition_point(|threshold| *threshold <= audit.score)];
        *cell = (cell.0 + 1, cell.1 + audit.loss);
    }
    // Cell i + 1 holds the scores from threshold i up to the next.
    let (mut n, mut n_failed) = (0, 0.0);
    let mut tests = Vec::with_capacity(grid.len());
    for (threshold, cell) in grid.iter().zip(&counts[1..]).rev() {
        (n, n_failed) = (n + cell.0, n_failed + cell.1);
        let p = match n {
            0 => 1.0,
            _ if is_exact => {
                let level = audits[0].grader.level(alpha);
                binomial_cdf(n_failed as u64, n as u64, level)
            }
            _ => betting_p(*threshold, audits, alpha),
        };
        tests.push(Test { p, n, n_failed });
    }
    tests.reverse();
    tests
}

/// `1 / wealth` of betting that the weighted loss is below `alpha`; valid whatever the weights, as they are known
/// before the loss.
fn betting_p(threshold: f64, audits: &[Audit], alpha: f64) -> f64 {
    let served = audits.iter().filter(|audit| audit.score >= threshold);
    let heaviest = served.clone().map(|audit| audit.weight).fold(0.0, f64::max);
    let mut ln_wealth = [0.0_f64; SHARES.len()];
    for audit in served {
        let level = audit.grader.level(alpha);
        let gain = audit.weight / heaviest * (level - audit.loss) / (1.0 - level);
        for (wealth, share) in ln_wealth.iter_mut().zip(SHARES) {
            *wealth += (share * gain).ln_1p();
        }
    }
    let mean = ln_wealth
        .iter()
        .map(|wealth| wealth.min(700.0).exp())
        .sum::<f64>()
        / SHARES.len() as f64;
    (1.0 / mean).min(1.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn audits(n: usize, n_failed: usize, weight: impl Fn(usize) -> f64) -> Vec<Audit> {
        let audit = |i: usize| Audit {
            score: 0.5,
            loss: f64::from(u8::from(i * n_failed / n != (i + 1) * n_failed / n)),
            weight: weight(i),
            grader: Grader::EXACT,
        };
        (0..n).map(audit).collect()
    }

    #[test]
    fn the_p_value_is_that_of_the_testing_split_alone() {
        let audits = audits(500, 25, |_| 1.0);
        let testing = audits.iter().enumerate().filter(|(i, _)| !is_ordering(*i));
        let n_failed = testing.map(|(_, audit)| audit.loss).sum::<f64>();
        let passed = certify(&[0.0], &audits, 0.1, 0.05).unwrap().unwrap();
        assert_eq!((passed.n, passed.n_failed), (300, n_failed));
        let p = binomial_cdf(n_failed as u64, 300, 0.1);
        assert!(certify(&[0.0], &audits, 0.1, p * 0.999).unwrap().is_none());
        assert!(certify(&[0.0], &audits, 0.1, p * 1.001).unwrap().is_some());
    }

    #[test]
    fn fewer_than_the_least_number_of_audits_certify_nothing() {
        let n = least_audits(0.1, 0.05);
        let all_fine = |n: usize| audits(n, 0, |_| 1.0);
        assert!(
            certify(&[0.0], &all_fine(n * 5 / 3 - 5), 0.1, 0.05)
                .unwrap()
                .is_none()
        );
        assert!(
            certify(&[0.0], &all_fine(n * 5 / 3 + 5), 0.1, 0.05)
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn equal_weights_of_any_size_are_exact_and_other_ones_still_certify() {
        let passed = |weight: fn(usize) -> f64, delta| {
            certify(&[0.0], &audits(2_000, 60, weight), 0.1, delta)
                .unwrap()
                .is_some()
        };
        assert!(passed(|_| 1.0, 1e-12) && passed(|_| 7.0, 1e-12));
        assert!(passed(|i| 1.0 + (i % 2) as f64, 1e-3));
    }

    #[test]
    fn values_out_of_range_are_errors() {
        let wrong = |score, loss, weight| {
            let audits = [Audit {
                score,
                loss,
                weight,
                grader: Grader::EXACT,
            }];
            certify(&[0.0], &audits, 0.1, 0.05).is_err()
        };
        assert!(wrong(f64::NAN, 0.0, 1.0) && wrong(0.5, 1.1, 1.0) && wrong(0.5, 0.0, 0.0));
        assert!(certify(&[], &[], 0.0, 0.05).is_err() && certify(&[], &[], 0.1, 1.0).is_err());
        assert!(certify(&[], &[], 0.1, 0.05).unwrap().is_none());
    }
}
