//! [`Assurance`]: whether a candidate can be trusted with the request's quality floor, and on what grounds.

use super::candidate::Candidate;
use crate::floor::{Certificate, Standing};
use crate::quality::Quality;

/// What stands behind a candidate's promise to meet `min_quality`.
///
/// Certified: the predicted quality is at least the certificate's threshold. Else the lower credible bound must reach
/// the floor; before a model's first graded answer the registry's figure is taken at its word. A candidate whose mean
/// meets the floor but whose bound does not stays feasible, and comes behind all that are assured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assurance {
    /// The request's floor.
    pub min_quality: f64,
    /// What is known of that floor in the request's slice.
    pub standing: Standing,
    /// Whether a graded answer of the model was learned.
    pub is_graded: bool,
    /// Whether the floor can be trusted to be met.
    pub is_met: bool,
}

impl Assurance {
    /// What a candidate of that quality promises.
    pub(crate) fn new(
        min_quality: f64,
        standing: Standing,
        is_graded: bool,
        quality: Quality,
    ) -> Self {
        let is_met = match standing {
            Standing::Certified(certificate) => quality.mean >= certificate.threshold,
            Standing::Alarmed(_) => false,
            Standing::Uncertified if is_graded => quality.lcb >= min_quality,
            Standing::Uncertified => quality.mean >= min_quality,
        };
        Self {
            min_quality,
            standing,
            is_graded,
            is_met,
        }
    }

    /// The certificate that holds for this request, if one does.
    pub fn certificate(&self) -> Option<Certificate> {
        match self.standing {
            Standing::Certified(certificate) if self.is_met => Some(certificate),
            _ => None,
        }
    }

    /// Quality missing for trust, for the order among those that are not trusted; 0 for those that are. An alarm
    /// weighs more than any missing quality.
    fn shortfall(&self, quality: Quality) -> f64 {
        let missing = (self.min_quality - quality.lcb).max(1e-6);
        match self.standing {
            _ if self.is_met => 0.0,
            Standing::Alarmed(_) => 1.0 + missing,
            _ => missing,
        }
    }

    /// What stands behind the floor, as the end of a reason.
    pub(super) fn grounds(&self, quality: Quality) -> String {
        if let Some(certificate) = self.certificate() {
            let Certificate {
                n,
                delta,
                min_quality,
                ..
            } = certificate;
            let alpha = certificate.alpha();
            return format!(
                "; floor certified at {min_quality:.2} (n {n}, alpha {alpha:.2}, delta {delta:.2})"
            );
        }
        let lcb = quality.lcb;
        match self.standing {
            Standing::Alarmed(alarm) => format!("; floor uncertified: alarm ({})", alarm.name()),
            Standing::Certified(certificate) => format!(
                "; floor uncertified: predicted quality below the certified threshold {:.2}, lower bound {lcb:.2}",
                certificate.threshold
            ),
            Standing::Uncertified if self.is_graded => {
                format!("; floor uncertified: lower bound {lcb:.2}")
            }
            Standing::Uncertified => "; floor uncertified: no graded answer yet".to_owned(),
        }
    }
}

/// Judges every candidate by what is known of the floor, and notes in it what the policy needs of that.
pub(crate) fn assure(
    candidates: &mut [Candidate],
    min_quality: f64,
    known: impl Iterator<Item = (Standing, bool)>,
) -> Vec<Assurance> {
    let judge = |(candidate, (standing, is_graded)): (&mut Candidate, (Standing, bool))| {
        let assurance = Assurance::new(min_quality, standing, is_graded, candidate.quality);
        candidate.shortfall = assurance.shortfall(candidate.quality);
        candidate.is_certified = assurance.certificate().is_some();
        assurance
    };
    candidates.iter_mut().zip(known).map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::floor::Alarm;

    const QUALITY: Quality = Quality {
        mean: 0.85,
        sd: 0.05,
        lcb: 0.77,
    };

    fn certified(threshold: f64) -> Standing {
        Standing::Certified(Certificate {
            min_quality: 0.9,
            delta: 0.05,
            threshold,
            n: 600,
            n_failed: 30.0,
            at_s: 0.0,
        })
    }

    fn is_met(standing: Standing, is_graded: bool, floor: f64) -> bool {
        Assurance::new(floor, standing, is_graded, QUALITY).is_met
    }

    #[test]
    fn a_certificate_counts_by_its_threshold_and_without_one_the_bound_counts() {
        assert!(is_met(certified(0.8), true, 0.88) && !is_met(certified(0.86), true, 0.88));
        assert!(
            is_met(Standing::Uncertified, true, 0.75) && !is_met(Standing::Uncertified, true, 0.8)
        );
        assert!(
            is_met(Standing::Uncertified, false, 0.8) && !is_met(Standing::Uncertified, false, 0.9)
        );
        assert!(!is_met(Standing::Alarmed(Alarm::Change), true, 0.1));
    }

    #[test]
    fn an_alarm_weighs_more_than_any_missing_quality() {
        let shortfall = |standing| Assurance::new(0.99, standing, true, QUALITY).shortfall(QUALITY);
        assert!(shortfall(Standing::Alarmed(Alarm::Risk)) > 1.0);
        assert!((0.2..0.3).contains(&shortfall(Standing::Uncertified)));
        assert_eq!(shortfall(certified(0.8)), 0.0);
    }
}
