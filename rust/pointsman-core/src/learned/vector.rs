//! [`FeatureVector`]: what learners see of a request's text, small enough to lie in a log until its grade comes.

use crate::error::Error;
use crate::features::{Features, Measure};
use crate::lexicon::Cue;

/// Hand features of a [`FeatureVector`].
pub(super) const N_HAND: usize = MEASURES.len() + CUES.len();
/// Dimensions of the embedding that are kept: more find no better neighbours (`pointsman eval`).
pub(super) const N_EMBEDDED: usize = 64;
/// Values measured of the text itself.
pub(super) const N_OWN: usize = N_HAND + N_EMBEDDED;
/// Most values of a caller's vector.
pub(super) const MAX_GIVEN: usize = 512;
/// Hand features are cut here, so that none drowns the others.
const MAX_HAND: f32 = 2.0;
/// Weight of the embedding beside the hand features.
const EMBEDDING_WEIGHT: f32 = 4.0;
/// No value measured of a text is larger: a hand feature, or one of an embedding of length 1 and its rounding.
const MAX_OWN: f32 = 1.01 * EMBEDDING_WEIGHT;
const _: () = assert!(MAX_HAND <= MAX_OWN);
/// First byte of the bytes; another layout gets another.
const LAYOUT: u8 = 1;
const HEADER: usize = 4;

/// `(measure - offset) * scale`: typical prompts lie within [-1, 1]. Chosen by eye on no labels.
const MEASURES: [(Measure, f32, f32); 12] = [
    (Measure::LogWords, 4.0, 1.0),
    (Measure::LogLastBytes, 5.5, 1.0),
    (Measure::EndsWithQuestion, 0.5, 1.0),
    (Measure::Numbers, 2.0, 0.25),
    (Measure::DigitShare, 0.03, 10.0),
    (Measure::CodePunctShare, 0.03, 10.0),
    (Measure::NewlineShare, 0.02, 20.0),
    (Measure::UpperShare, 0.04, 10.0),
    (Measure::ForeignShare, 0.0, 10.0),
    (Measure::Substance, 0.5, 1.0),
    (Measure::WordySum, 0.0, 1.0),
    (Measure::ShortSum, 0.0, 1.0),
];

/// Cues, each halved. Those the ridge sees come first; what the last ones say is in the labels.
const CUES: [Cue; 20] = [
    Cue::Lookup,
    Cue::Write,
    Cue::Reason,
    Cue::Code,
    Cue::Math,
    Cue::Legal,
    Cue::Medical,
    Cue::Finance,
    Cue::Science,
    Cue::Choice,
    Cue::LatexMark,
    Cue::CodeMark,
    Cue::SqlMark,
    Cue::JsonMark,
    Cue::NumberWord,
    Cue::AsJson,
    Cue::AsSql,
    Cue::AsCode,
    Cue::AsLabel,
    Cue::AsText,
];

/// Hand features and the head of the embedding of one request, and the caller's own vector if there was one.
///
/// A decision gives it out, an outcome takes it back: minutes or days later, in another process.
///
/// # Example
///
/// ```
/// use pointsman_core::{Conversation, FeatureVector, Features, Request};
///
/// let features = Features::extract(&Request::new(Conversation::user("Who wrote Faust?")));
/// let vector = FeatureVector::new(&features, None)?;
/// let bytes = vector.to_bytes();
/// assert_eq!(FeatureVector::from_bytes(&bytes)?, vector);
/// assert!(FeatureVector::from_bytes(&bytes[1..]).is_err());
/// # Ok::<(), pointsman_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureVector {
    own: [f32; N_OWN],
    given: Vec<f32>,
}

impl FeatureVector {
    /// What is kept of the features, and of a vector of the caller's (an embedding, of any scale).
    ///
    /// # Errors
    ///
    /// A caller's vector of no or more than 512 values, or with one that is not finite.
    pub fn new(features: &Features, given: Option<&[f32]>) -> Result<Self, Error> {
        let mut own = [0.0; N_OWN];
        let (hand, embedding) = own.split_at_mut(N_HAND);
        let measures = MEASURES
            .iter()
            .map(|(measure, offset, scale)| (features.measure(*measure) - offset) * scale);
        let cues = CUES.iter().map(|cue| features.cue(*cue) / 2.0);
        for (place, value) in hand.iter_mut().zip(measures.chain(cues)) {
            *place = value.clamp(-MAX_HAND, MAX_HAND);
        }
        for (place, value) in embedding.iter_mut().zip(features.embedding()) {
            *place = EMBEDDING_WEIGHT * value;
        }
        let given = given.map(check).transpose()?.unwrap_or_default();
        Ok(Self {
            own,
            given: given.to_vec(),
        })
    }

    pub(super) fn hand(&self) -> &[f32] {
        &self.own[..N_HAND]
    }

    pub(super) fn embedding(&self) -> &[f32] {
        &self.own[N_HAND..]
    }

    /// Values of the caller's vector; 0 if there was none.
    pub(super) fn n_given(&self) -> usize {
        self.given.len()
    }

    /// The unit vector whose neighbours are alike requests: hand features beside the caller's vector, if neighbours
    /// are sought by one, or else beside the embedding. `None` where neighbours are sought by a vector this lacks.
    pub(super) fn key(&self, n_given: usize) -> Option<Vec<f32>> {
        let mut key = if n_given == 0 {
            self.own.to_vec()
        } else if n_given == self.given.len() {
            let norm = norm(&self.given);
            let given = self.given.iter();
            let given = given.map(|x| (f64::from(EMBEDDING_WEIGHT) * f64::from(*x) / norm) as f32);
            self.hand().iter().copied().chain(given).collect()
        } else {
            return None;
        };
        let norm = norm(&key) as f32;
        key.iter_mut().for_each(|x| *x /= norm);
        Some(key)
    }

    /// As bytes: 4 of a header, then little-endian f32 values. 388 bytes without a caller's vector.
    pub fn to_bytes(&self) -> Vec<u8> {
        let n_given = (self.given.len() as u16).to_le_bytes();
        let mut bytes = vec![LAYOUT, N_OWN as u8, n_given[0], n_given[1]];
        let values = self.own.iter().chain(&self.given);
        values.for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) made.
    ///
    /// # Errors
    ///
    /// Bytes of another layout or length, or with a value that is not finite or larger than any that is measured.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let remedy = "give decision.features as it came, of this release";
        let refuse = |got: String| Error::invalid("features", got, remedy);
        let [LAYOUT, n_own, low, high, values @ ..] = bytes else {
            return Err(refuse(format!("{} bytes of another layout", bytes.len())));
        };
        let n_given = usize::from(u16::from_le_bytes([*low, *high]));
        let n_values = N_OWN + n_given;
        if usize::from(*n_own) != N_OWN || n_given > MAX_GIVEN || values.len() != 4 * n_values {
            let expected = HEADER + 4 * n_values;
            return Err(refuse(format!("{} bytes, not {expected}", bytes.len())));
        }
        let value = |chunk: &[u8]| f32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        let values: Vec<f32> = values.chunks_exact(4).map(value).collect();
        if let Some(bad) = values.iter().find(|value| !is_fine(**value)) {
            return Err(refuse(format!("a value of {bad}")));
        }
        let mut own = [0.0; N_OWN];
        own.copy_from_slice(&values[..N_OWN]);
        // A flipped bit must not weigh as much as a thousand requests.
        if let Some(bad) = own.iter().find(|value| value.abs() > MAX_OWN) {
            return Err(refuse(format!("a value of {bad}")));
        }
        Ok(Self {
            own,
            given: values[N_OWN..].to_vec(),
        })
    }
}

/// The caller's vector, if it is one.
fn check(vector: &[f32]) -> Result<&[f32], Error> {
    if !(1..=MAX_GIVEN).contains(&vector.len()) {
        let remedy = "give 1 to 512, the same number with every request";
        return Err(Error::invalid(
            "vector",
            format!("{} values", vector.len()),
            remedy,
        ));
    }
    match vector.iter().find(|value| !is_fine(**value)) {
        Some(bad) => Err(Error::invalid(
            "vector",
            format!("a vector with {bad} in it"),
            "give finite values",
        )),
        None => Ok(vector),
    }
}

/// NaN is not.
fn is_fine(value: f32) -> bool {
    (-1e6..=1e6).contains(&value)
}

/// Length of a vector; never 0.
fn norm(vector: &[f32]) -> f64 {
    let squares = vector.iter().map(|x| f64::from(*x) * f64::from(*x));
    squares.sum::<f64>().sqrt().max(1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Conversation, Request};

    fn vector(text: &str, given: Option<&[f32]>) -> Result<FeatureVector, Error> {
        let features = Features::extract(&Request::new(Conversation::user(text)));
        FeatureVector::new(&features, given)
    }

    #[test]
    fn values_are_small_for_any_text() {
        for text in [
            "",
            "?",
            "Привет, как дела?",
            "{}[]();\n\n\n",
            &"9 ".repeat(5000),
        ] {
            let vector = vector(text, None).unwrap();
            assert!(vector.hand().iter().all(|value| value.abs() <= MAX_HAND));
            let key = vector.key(0).unwrap();
            assert!((norm(&key) - 1.0).abs() < 1e-5, "{text}");
        }
    }

    #[test]
    fn a_caller_s_vector_takes_the_embedding_s_place_whatever_its_scale() {
        let given = vector("Who wrote Faust?", Some(&[3.0, 4.0])).unwrap();
        let scaled = vector("Who wrote Faust?", Some(&[300.0, 400.0])).unwrap();
        assert_eq!(given.key(2).unwrap().len(), N_HAND + 2);
        for (a, b) in given.key(2).unwrap().iter().zip(scaled.key(2).unwrap()) {
            assert!((a - b).abs() < 1e-6);
        }
        assert_eq!(given.key(3), None);
        assert_eq!(
            given.key(0),
            vector("Who wrote Faust?", None).unwrap().key(0)
        );
    }

    #[test]
    fn what_is_no_vector_is_refused() {
        for bad in [&[][..], &[1.0; 513], &[f32::NAN], &[1.0, f32::INFINITY]] {
            assert!(vector("hi", Some(bad)).is_err());
        }
        let mut bytes = vector("hi", Some(&[1.0])).unwrap().to_bytes();
        assert!(FeatureVector::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        let mut flipped = bytes.clone();
        flipped[HEADER..HEADER + 4].copy_from_slice(&9.0_f32.to_le_bytes());
        assert!(FeatureVector::from_bytes(&flipped).is_err());
        let last = bytes.len() - 4..;
        bytes[last].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(FeatureVector::from_bytes(&bytes).is_err());
    }
}
