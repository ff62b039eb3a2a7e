//! [`QualityConfig`] and [`NeighbourConfig`]: how quickly is learned, how quickly forgotten, whose outcomes count.

use crate::learn_error::{LearnError, within};
use crate::quality::codes::MAX_DIMENSIONS;
use crate::quality::hits::MAX_NEIGHBOURS;

/// Most entries of the ring: what some megabytes hold.
pub const MAX_ENTRIES: usize = 20_000;

/// How neighbours are sought and weighed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NeighbourConfig {
    /// Dimensions of the vectors, 1..=544.
    pub n_dimensions: usize,
    /// Entries kept, 1..=20,000; 0 keeps none.
    pub n_entries: usize,
    /// Neighbours that count, 1..=256.
    pub n_neighbours: usize,
    /// Cosine lost at which a neighbour counts 1/e of the same request: far from all that was learned of, all count
    /// little.
    pub temperature: f64,
}

impl NeighbourConfig {
    pub(crate) fn check(&self) -> Result<(), LearnError> {
        let n = self.n_dimensions as f64;
        within(
            "n_dimensions",
            n,
            1.0,
            MAX_DIMENSIONS as f64,
            "give 1 to 544",
        )?;
        let n = self.n_entries as f64;
        within("n_entries", n, 0.0, MAX_ENTRIES as f64, "give 0 to 20,000")?;
        let n = self.n_neighbours as f64;
        within(
            "n_neighbours",
            n,
            1.0,
            MAX_NEIGHBOURS as f64,
            "give 1 to 256",
        )?;
        let remedy = "give 0.001 to 1,000";
        within("temperature", self.temperature, 1e-3, 1e3, remedy)?;
        Ok(())
    }
}

/// Settings of a [`QualityEstimator`](crate::quality::QualityEstimator).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QualityConfig {
    /// Number of features, 1..=64.
    pub n_features: usize,
    /// Floor of the ridge's precision, in outcomes.
    pub lambda: f64,
    /// Share of an outcome's weight left after a day, in (0, 1].
    pub kept_per_day: f64,
    /// Pseudo-counts of the slice mean in the neighbours' mean.
    pub n_neighbour_prior: f64,
    /// The ring of outcomes.
    pub neighbours: NeighbourConfig,
}

impl QualityConfig {
    /// The defaults for features and vectors of these sizes.
    ///
    /// # Example
    ///
    /// ```
    /// use pointsman_core::quality::QualityConfig;
    ///
    /// let config = QualityConfig::new(48, 256);
    /// assert_eq!(config.neighbours.n_entries, 20_000);
    /// ```
    pub fn new(n_features: usize, n_dimensions: usize) -> Self {
        Self {
            n_features,
            lambda: 4.0,
            kept_per_day: 0.99,
            n_neighbour_prior: 5.0,
            neighbours: NeighbourConfig {
                n_dimensions,
                n_entries: 20_000,
                n_neighbours: 100,
                temperature: 0.2,
            },
        }
    }

    /// `-ln(kept_per_day) / 86400`.
    pub(crate) fn rate_per_s(&self) -> Result<f64, LearnError> {
        let remedy = "give a share in [1e-6, 1]";
        within("kept_per_day", self.kept_per_day, 1e-6, 1.0, remedy)?;
        let n = self.n_neighbour_prior;
        within(
            "n_neighbour_prior",
            n,
            0.1,
            1e6,
            "give a number in [0.1, 1e6]",
        )?;
        Ok(-self.kept_per_day.ln() / 86_400.0)
    }
}
