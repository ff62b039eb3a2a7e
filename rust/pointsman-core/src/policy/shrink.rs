//! The cure of the winner's curse: shrunken qualities, and an incumbent that is only left for a proven reason.
//!
//! The best of many noisy predictions is mostly the luckiest. Each prediction is therefore drawn towards what is
//! known of its arm without looking at the request (its anchor, the slice posterior), by James and Stein's factor
//! `kappa = sd^2 / (sd^2 + tau^2)` (science.md 2.5).

use crate::learn_error::{LearnError, within};

/// A quality drawn towards its anchor: `anchor + tau2 / (sd^2 + tau2) * (mean - anchor)`.
///
/// `between_variance` (`tau2`) is how much true qualities differ from their anchors, see [`between_variance`].
///
/// # Errors
///
/// NaN; a mean or an anchor outside `[0, 1]`; an `sd` or a variance that is negative or above 1e6.
///
/// # Example
///
/// ```
/// use pointsman_core::shrink::shrink;
///
/// assert_eq!(shrink(0.9, 0.1, 0.7, 0.0).unwrap(), 0.7);
/// assert!((shrink(0.9, 0.1, 0.7, 0.01).unwrap() - 0.8).abs() < 1e-12);
/// assert_eq!(shrink(0.9, 0.0, 0.7, 0.0).unwrap(), 0.9);
/// ```
pub fn shrink(mean: f64, sd: f64, anchor: f64, between_variance: f64) -> Result<f64, LearnError> {
    within("mean", mean, 0.0, 1.0, "give a quality in [0, 1]")?;
    within("anchor", anchor, 0.0, 1.0, "give a quality in [0, 1]")?;
    within("sd", sd, 0.0, 1e3, "give a deviation >= 0")?;
    within(
        "between_variance",
        between_variance,
        0.0,
        1e6,
        "give a variance >= 0",
    )?;
    let noise = sd * sd;
    if noise == 0.0 {
        return Ok(mean);
    }
    Ok(anchor + between_variance / (noise + between_variance) * (mean - anchor))
}

/// How much true qualities differ from their anchors: the spread of the predictions less their own noise, not below 0.
///
/// `deviations` are `mean - anchor`; empty input has variance 0.
///
/// # Errors
///
/// Lengths that differ, a value that is not finite.
///
/// # Example
///
/// ```
/// use pointsman_core::shrink::between_variance;
///
/// let variance = between_variance(&[0.2, -0.2], &[0.1, 0.1]).unwrap();
/// assert!((variance - 0.03).abs() < 1e-12);
/// assert_eq!(between_variance(&[0.05, -0.05], &[0.1, 0.1]).unwrap(), 0.0);
/// ```
pub fn between_variance(deviations: &[f64], sds: &[f64]) -> Result<f64, LearnError> {
    if deviations.len() != sds.len() {
        let got = format!("{} deviations, {} sds", deviations.len(), sds.len());
        return Err(LearnError::invalid("sds", got, "give one per deviation"));
    }
    let mut excess = 0.0;
    for (deviation, sd) in deviations.iter().zip(sds) {
        within(
            "deviation",
            *deviation,
            -1.0,
            1.0,
            "give a difference of qualities",
        )?;
        within("sd", *sd, 0.0, 1e3, "give a deviation >= 0")?;
        excess += deviation * deviation - sd * sd;
    }
    Ok((excess / deviations.len().max(1) as f64).max(0.0))
}

/// What quality and money are worth against each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exchange {
    /// Worth of quality 1 against quality 0, in US dollars.
    pub value_usd: f64,
    /// Extra price of a dollar while a budget binds, `lambda_B` >= 0.
    pub budget_multiplier: f64,
}

impl Exchange {
    /// `value_usd * quality - (1 + budget_multiplier) * cost_usd`, in US dollars.
    ///
    /// # Example
    ///
    /// ```
    /// use pointsman_core::shrink::Exchange;
    ///
    /// let exchange = Exchange { value_usd: 0.1, budget_multiplier: 1.0 };
    /// assert!((exchange.utility_usd(0.8, 0.01) - 0.06).abs() < 1e-12);
    /// ```
    pub fn utility_usd(&self, quality: f64, cost_usd: f64) -> f64 {
        self.value_usd * quality - (1.0 + self.budget_multiplier) * cost_usd
    }
}

/// What one feasible arm offers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Offer {
    /// Shrunken quality, in `[0, 1]`.
    pub quality: f64,
    /// Lower confidence bound of the quality.
    pub lcb: f64,
    /// Expected cost, in US dollars.
    pub cost_usd: f64,
}

/// The best arm: the incumbent, unless another has more utility and a lower bound at most `tolerance` below its.
///
/// Without an incumbent the most useful wins; ties go to the incumbent, then to the first. `None` without offers.
///
/// # Errors
///
/// An incumbent beyond the offers; an offer, the exchange or the tolerance not finite or negative.
///
/// # Example
///
/// ```
/// use pointsman_core::shrink::{Exchange, Offer, choose};
///
/// let offers = [
///     Offer { quality: 0.88, lcb: 0.86, cost_usd: 0.0 },
///     Offer { quality: 0.90, lcb: 0.60, cost_usd: 0.0 },
/// ];
/// let exchange = Exchange { value_usd: 1.0, budget_multiplier: 0.0 };
/// assert_eq!(choose(&offers, Some(0), &exchange, 0.02).unwrap(), Some(0));
/// assert_eq!(choose(&offers, None, &exchange, 0.02).unwrap(), Some(1));
/// ```
pub fn choose(
    offers: &[Offer],
    incumbent: Option<usize>,
    exchange: &Exchange,
    tolerance: f64,
) -> Result<Option<usize>, LearnError> {
    check(offers, exchange, tolerance)?;
    let known = incumbent.map_or(Ok(None), |index| {
        let remedy = "give an index of an offer";
        offers
            .get(index)
            .map(Some)
            .ok_or_else(|| LearnError::invalid("incumbent", index, remedy))
    })?;
    let utility = |offer: &Offer| exchange.utility_usd(offer.quality, offer.cost_usd);
    let bar = known.map_or(f64::NEG_INFINITY, |offer| offer.lcb - tolerance);
    let mut best = incumbent;
    let mut most = known.map_or(f64::NEG_INFINITY, utility);
    for (index, offer) in offers.iter().enumerate() {
        if offer.lcb >= bar && utility(offer) > most {
            (best, most) = (Some(index), utility(offer));
        }
    }
    Ok(best)
}

fn check(offers: &[Offer], exchange: &Exchange, tolerance: f64) -> Result<(), LearnError> {
    for offer in offers {
        within(
            "quality",
            offer.quality,
            0.0,
            1.0,
            "give a quality in [0, 1]",
        )?;
        within("lcb", offer.lcb, 0.0, 1.0, "give a quality in [0, 1]")?;
        within("cost_usd", offer.cost_usd, 0.0, 1e9, "give a cost >= 0")?;
    }
    within(
        "value_usd",
        exchange.value_usd,
        0.0,
        1e9,
        "give a worth >= 0",
    )?;
    let multiplier = exchange.budget_multiplier;
    within(
        "budget_multiplier",
        multiplier,
        0.0,
        1e9,
        "give a multiplier >= 0",
    )?;
    within("tolerance", tolerance, 0.0, 1.0, "give a quality in [0, 1]")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXCHANGE: Exchange = Exchange {
        value_usd: 1.0,
        budget_multiplier: 0.0,
    };

    fn offer(quality: f64, lcb: f64, cost_usd: f64) -> Offer {
        Offer {
            quality,
            lcb,
            cost_usd,
        }
    }

    #[test]
    fn a_cheaper_arm_of_equal_quality_replaces_the_incumbent() {
        let offers = [offer(0.8, 0.7, 0.02), offer(0.8, 0.7, 0.01)];
        assert_eq!(choose(&offers, Some(0), &EXCHANGE, 0.0).unwrap(), Some(1));
    }

    #[test]
    fn a_tie_keeps_the_incumbent() {
        let offers = [offer(0.8, 0.7, 0.01), offer(0.8, 0.7, 0.01)];
        assert_eq!(choose(&offers, Some(1), &EXCHANGE, 0.0).unwrap(), Some(1));
        assert_eq!(choose(&offers, None, &EXCHANGE, 0.0).unwrap(), Some(0));
    }

    #[test]
    fn invalid_values_are_errors() {
        assert!(choose(&[offer(f64::NAN, 0.0, 0.0)], None, &EXCHANGE, 0.0).is_err());
        assert!(choose(&[offer(0.5, 0.5, -1.0)], None, &EXCHANGE, 0.0).is_err());
        assert!(choose(&[offer(0.5, 0.5, 1.0)], Some(1), &EXCHANGE, 0.0).is_err());
        assert!(shrink(0.5, f64::NAN, 0.5, 0.1).is_err());
        assert!(between_variance(&[0.1], &[]).is_err());
        assert_eq!(choose(&[], None, &EXCHANGE, 0.0).unwrap(), None);
    }
}
