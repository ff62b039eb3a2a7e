//! Save and load of a [`QualityEstimator`]: versioned, checksummed, matched to the arms by name.

use crate::codec::{Reader, Writer};
use crate::learn_error::LearnError;
use crate::quality::arms::{Arm, ArmTable};
use crate::quality::estimator::QualityEstimator;
use crate::quality::platt::Platt;
use crate::quality::settings::QualityConfig;

const MAGIC: [u8; 4] = *b"PMQE";
const VERSION: u32 = 3;

impl QualityEstimator {
    /// All that was learned, as bytes.
    pub fn save(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.len(self.config.n_features);
        writer.len(self.config.neighbours.n_dimensions);
        writer.len(self.config.neighbours.n_entries);
        self.arms.save(&mut writer);
        self.slices.save(&mut writer);
        self.design.save(&mut writer);
        for ridge in &self.ridges {
            writer.u32(u32::from(!ridge.is_empty()));
            if !ridge.is_empty() {
                ridge.save(&mut writer);
            }
        }
        self.platts.iter().for_each(|platt| platt.save(&mut writer));
        self.stack.save(&mut writer);
        self.ring.save(&mut writer);
        writer.seal(MAGIC, VERSION)
    }

    /// What was saved, for these arms: an arm or model that is new starts from its prior, one that is gone is dropped.
    ///
    /// # Errors
    ///
    /// A document that is cut, changed, of another version or not finite; other sizes of features, vectors or ring
    /// than configured; arms as in [`Self::new`].
    ///
    /// # Example
    ///
    /// ```
    /// use pointsman_core::quality::{Arm, QualityConfig, QualityEstimator};
    ///
    /// let config = QualityConfig::new(4, 8);
    /// let saved = QualityEstimator::new(config, &[Arm::new("a@x", "a")]).unwrap().save();
    /// let arms = [Arm::new("b@x", "b"), Arm::new("a@x", "a")];
    /// assert_eq!(QualityEstimator::load(config, &arms, &saved).unwrap().n_arms(), 2);
    /// assert!(QualityEstimator::load(config, &arms, &saved[1..]).is_err());
    /// ```
    pub fn load(config: QualityConfig, arms: &[Arm], document: &[u8]) -> Result<Self, LearnError> {
        let mut reader = Reader::open(document, MAGIC, VERSION)?;
        check_sizes(&config, &mut reader)?;
        let mut estimator = Self::with_arms(config, ArmTable::load(&mut reader)?)?;
        estimator.read(&mut reader)?;
        reader.end()?;
        estimator.set_arms(arms)?;
        Ok(estimator)
    }

    fn read(&mut self, reader: &mut Reader) -> Result<(), LearnError> {
        self.slices.load(reader)?;
        self.design.load(reader)?;
        for ridge in &mut self.ridges {
            if reader.u32()? != 0 {
                ridge.load(reader)?;
            }
        }
        for platt in &mut self.platts {
            *platt = Platt::load(reader)?;
        }
        self.stack.load(reader)?;
        self.ring.load(reader, self.arms.n_models())
    }
}

fn check_sizes(config: &QualityConfig, reader: &mut Reader) -> Result<(), LearnError> {
    let sizes = [
        ("features", config.n_features),
        ("vector dimensions", config.neighbours.n_dimensions),
        ("ring entries", config.neighbours.n_entries),
    ];
    for (what, expected) in sizes {
        let got = reader.u64()?;
        if got != expected as u64 {
            let problem = format!("{got} {what}, configured {expected}: learn anew from the log");
            return Err(LearnError::state(problem));
        }
    }
    Ok(())
}
