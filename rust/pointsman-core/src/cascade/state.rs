//! Save and load of what a [`Planner`] learned: versioned, checksummed, by the names of verifiers and models.

use super::evidence::{N_BINS, Verdicts};
use super::pair::Pair;
use super::planner::Planner;
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::learn_error::LearnError;

const MAGIC: [u8; 4] = *b"PMPL";
const VERSION: u32 = 1;
/// Least bytes of an item: the lengths of its two names.
const ITEM_BYTES: usize = 16;

impl Planner {
    /// All that was learned, as bytes; what was given beforehand is not in it.
    pub fn save(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.len(self.verdicts.len());
        for ((verifier, model), verdicts) in &self.verdicts {
            writer.text(verifier);
            writer.text(model);
            verdicts.counts().iter().for_each(|n| writer.f64(*n));
        }
        writer.len(self.pairs.len());
        for ((first, second), pair) in &self.pairs {
            writer.text(first);
            writer.text(second);
            writer.f64(pair.log_odds_ratio);
            writer.f64(pair.precision);
        }
        writer.seal(MAGIC, VERSION)
    }

    /// Puts what was saved in the place of what was learned.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](crate::ErrorKind::State) for bytes that are cut, changed or of another version; nothing
    /// changes then.
    pub fn load(&mut self, document: &[u8]) -> Result<(), Error> {
        let mut fresh = self.clone();
        fresh.read(document)?;
        *self = fresh;
        Ok(())
    }

    fn read(&mut self, document: &[u8]) -> Result<(), LearnError> {
        let mut reader = Reader::open(document, MAGIC, VERSION)?;
        self.verdicts.clear();
        for _ in 0..reader.len(ITEM_BYTES)? {
            let key = (reader.text()?, reader.text()?);
            let mut counts = [0.0; 2 * N_BINS];
            for count in &mut counts {
                *count = reader.amount()?;
            }
            self.verdicts.insert(key, Verdicts::of_counts(&counts));
        }
        self.pairs.clear();
        for _ in 0..reader.len(ITEM_BYTES)? {
            let key = (reader.text()?, reader.text()?);
            let pair = Pair::of_state(reader.f64()?, reader.amount()?);
            self.pairs.insert(key, pair);
        }
        reader.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taught() -> Planner {
        let mut planner = Planner::new(&[("json", 0.99, 0.8)]);
        for i in 0..50_u32 {
            let (value, reward) = (f64::from(i % 7) / 7.0, f64::from(i % 2));
            planner.observe_verdict("json", "small", value, reward);
            planner.observe_verdict("token_probability/json", "small", value, 1.0 - reward);
            planner.observe_pair(("small", "large"), (0.5, 0.8), (reward, value));
        }
        planner
    }

    #[test]
    fn what_was_saved_is_learned_and_says_the_same() {
        let taught = taught();
        let mut other = Planner::new(&[("json", 0.99, 0.8)]);
        other.observe_verdict("json", "gone", 1.0, 1.0);
        other.load(&taught.save()).unwrap();
        assert_eq!(other.save(), taught.save());
        let signals = [("json", 0.4), ("token_probability/json", 0.9)];
        let said = |planner: &Planner| planner.posterior("small", 0.5, &signals).to_bits();
        assert_eq!(said(&other), said(&taught));
        assert_ne!(said(&other), said(&Planner::new(&[("json", 0.99, 0.8)])));
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_refused_and_changes_nothing() {
        let saved = taught().save();
        let mut planner = taught();
        for index in 0..saved.len() {
            let mut changed = saved.clone();
            changed[index] ^= 1;
            assert!(planner.load(&changed).is_err(), "byte {index}");
            assert!(planner.load(&saved[..index]).is_err(), "cut at {index}");
        }
        assert_eq!(planner.save(), saved);
    }

    #[test]
    fn another_version_is_named_with_the_remedy() {
        let mut old = taught().save();
        old[4] = 0;
        let error = taught().load(&old).unwrap_err().to_string();
        assert!(
            error.contains("version 0") && error.contains("learn anew"),
            "{error}"
        );
    }
}
