//! The blend that choices are made by: fixed, so that no fit to past outcomes can take back what was shrunk.
//!
//! [`Stack`](crate::quality::Stack) learns what fits the requests it has seen; on others its weights are too bold, and
//! the best of many bold predictions is mostly the luckiest (science.md 2.5).

use crate::logistic::{logit, sigma};
use crate::quality::stack::Parts;

/// What the neighbours say beyond the slice counts for so much, on the logit scale; chosen by `pointsman eval`.
const NEIGHBOURS: f64 = 0.7;
/// The ridge has read the same grades, so the two shares add up to 1; of a quality of 1/2, a residual is a quarter of
/// itself on the logit scale.
const RESIDUAL: f64 = 4.0 * (1.0 - NEIGHBOURS);

/// The quality to choose by, in (0, 1): the slice's where the others have nothing to add.
pub(crate) fn blend(parts: &Parts) -> f64 {
    let slice = logit(parts.slice);
    let beyond = logit(parts.neighbours) - slice;
    sigma(slice + RESIDUAL * parts.residual.clamp(-1.0, 1.0) + NEIGHBOURS * beyond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_agree_are_believed_and_no_part_is_believed_alone() {
        let same = |slice| Parts {
            slice,
            residual: 0.0,
            neighbours: slice,
        };
        for slice in [0.2, 0.5, 0.9] {
            assert!((blend(&same(slice)) - slice).abs() < 1e-12);
            for neighbours in [0.1, 0.95] {
                let parts = Parts {
                    neighbours,
                    ..same(slice)
                };
                let share = (blend(&parts) - slice) / (neighbours - slice);
                assert!(share > 0.5 && share < 1.0, "{slice} {neighbours} {share}");
            }
        }
    }
}
