//! Quality floors with a guarantee: certificates, and the monitors that take them back (science.md 2.7).
//!
//! A certificate says: with confidence `1 - delta`, at most the share `alpha` of the answers fail among those that a
//! rule "serve where the score is at least the threshold" lets through. It holds for answers that are drawn like the
//! audited ones, by the word of their [`Grader`], corrected for how often that is known to err: a wrong grader certifies
//! wrong things.
//!
//! [`certify`] tests thresholds on a batch of audited answers, by split fixed-sequence testing; the thresholds come
//! from an earlier batch ([`grid`]). [`Monitor`] watches what is served since, and may be looked at after every
//! answer: an e-process (Ville's inequality) and a Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo 2022).
//! [`Ward`] joins these for one deployment in one slice. [`Adwin`] notices that a mean has changed, whatever it was (Bifet and Gavalda 2007).

mod adwin;
mod binomial;
mod certify;
mod grader;
mod level;
mod monitor;
mod ward;

pub use adwin::Adwin;
pub use binomial::binomial_cdf;
pub use certify::{Audit, N_GRID, Passed, certify, grid, least_audits, least_diverted};
pub use grader::{Grader, Verdict};
pub use level::{Certificate, DELTA, Standing};
pub use monitor::{Alarm, BETS, DETECTOR_ALARM, Monitor};
pub use ward::{LEVELS, Ward};
