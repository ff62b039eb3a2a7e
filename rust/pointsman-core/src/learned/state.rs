//! Save and load of [`Learned`]: versioned, checksummed, matched to a catalog by name.

use super::{Learned, arms, place, places, quality_config};
use crate::catalog::Catalog;
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::learn_error::LearnError;
use crate::length_model::LengthModel;
use crate::quality::QualityEstimator;

const MAGIC: [u8; 4] = *b"PMLS";
const VERSION: u32 = 1;

impl Learned {
    /// All that was learned, as bytes; `catalog` gives the names.
    pub(crate) fn save(&self, catalog: &Catalog) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.len(self.speeds.len());
        for (speed, deployment) in self.speeds.iter().zip(catalog.deployments()) {
            writer.text(&deployment.name);
            speed.save(&mut writer);
        }
        writer.len(catalog.models().len());
        catalog
            .models()
            .iter()
            .for_each(|model| writer.text(&model.name));
        self.lengths.save(&mut writer);
        writer.bytes(&self.qualities.save());
        writer.seal(MAGIC, VERSION)
    }

    /// What was saved, for this catalog: a name that is new starts from its prior, one that is gone is dropped.
    pub(crate) fn load(catalog: &Catalog, document: &[u8]) -> Result<Self, Error> {
        let mut learned = Self::new(catalog)?;
        learned.read(catalog, document)?;
        Ok(learned)
    }

    fn read(&mut self, catalog: &Catalog, document: &[u8]) -> Result<(), LearnError> {
        let mut reader = Reader::open(document, MAGIC, VERSION)?;
        for _ in 0..reader.len(8)? {
            let name = reader.text()?;
            let mut speed = self.speeds[0].clone();
            speed.load(&mut reader)?;
            if let Some(index) = place(catalog.deployments(), |one| one.name == name) {
                self.speeds[index].clone_outcomes(&speed);
            }
        }
        let n_models = reader.len(8)?;
        let names = (0..n_models)
            .map(|_| reader.text())
            .collect::<Result<Vec<_>, _>>()?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let lengths = LengthModel::load(&mut reader, &self.lengths, n_models)?;
        self.lengths = lengths.rearranged(&places(&names, catalog));
        let qualities = reader.bytes()?;
        self.qualities = QualityEstimator::load(quality_config(), &arms(catalog), qualities)?;
        reader.end()
    }
}
