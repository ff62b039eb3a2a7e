//! [`Neighbours`]: what became of similar requests, in a ring of outcomes.

use crate::codec::{Reader, Writer};
use crate::learn_error::{LearnError, within};
use crate::quality::arms::Places;
use crate::quality::cells::Cells;
use crate::quality::codes::Codes;
use crate::quality::hits::{Hit, Hits};
use crate::quality::settings::NeighbourConfig;

/// Most outcomes kept of one entry; a race or a replay grades many models on the same request.
const MAX_OUTCOMES: usize = 64;
/// Weights below this share of the nearest's are not worth a look-up.
const MIN_EXPONENT: f64 = -12.0;

/// A graded answer of one model.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Outcome {
    model: u16,
    reward: f32,
    weight: f32,
}

/// The outcomes of one request.
#[derive(Clone, Debug, Default, PartialEq)]
struct Entry {
    at_s: f64,
    /// Beside the time, as most requests have one outcome and a search waits for memory.
    first: Option<Outcome>,
    others: Vec<Outcome>,
}

impl Entry {
    fn new(at_s: f64, outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        let mut outcomes = outcomes.into_iter();
        Self {
            at_s,
            first: outcomes.next(),
            others: outcomes.collect(),
        }
    }

    fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.first.iter().chain(&self.others)
    }
}

/// Weight and weighted rewards of a model's neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Support {
    pub(crate) weight: f64,
    pub(crate) sum: f64,
}

/// The ring.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbours {
    config: NeighbourConfig,
    rate_per_s: f64,
    vectors: Cells,
    entries: Vec<Entry>,
    /// The place written next once the ring is full.
    next: usize,
    /// The place written last.
    last: usize,
}

impl Neighbours {
    /// An empty ring; `rate_per_s` is the forgetting, `-ln(gamma) / 86400`.
    ///
    /// # Errors
    ///
    /// A configuration outside the ranges of [`NeighbourConfig`].
    pub fn new(config: NeighbourConfig, rate_per_s: f64) -> Result<Self, LearnError> {
        config.check()?;
        within("rate_per_s", rate_per_s, 0.0, 1.0, "give a rate in [0, 1]")?;
        Ok(Self {
            config,
            rate_per_s,
            vectors: Cells::new(config.n_dimensions),
            entries: Vec::new(),
            next: 0,
            last: 0,
        })
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was learned yet.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Weighted mean reward of a model near `vector` and the weight behind it; the same request weighs 1.
    ///
    /// # Errors
    ///
    /// A vector of another length, or not finite.
    ///
    /// # Example
    ///
    /// ```
    /// use pointsman_core::quality::{NeighbourConfig, Neighbours};
    ///
    /// let config = NeighbourConfig { n_dimensions: 2, n_entries: 100, n_neighbours: 5, temperature: 0.1 };
    /// let mut ring = Neighbours::new(config, 0.0).unwrap();
    /// ring.observe(&[1.0, 0.0], 0, 0.9, 1.0, 0.0).unwrap();
    /// ring.observe(&[0.0, 1.0], 0, 0.1, 1.0, 0.0).unwrap();
    /// let (mean, weight) = ring.mean(&[1.0, 0.0], 0, 0.0).unwrap().unwrap();
    /// assert!((mean - 0.9).abs() < 0.01 && (weight - 1.0).abs() < 0.01);
    /// assert_eq!(ring.mean(&[1.0, 0.0], 1, 0.0).unwrap(), None);
    /// ```
    pub fn mean(
        &self,
        vector: &[f32],
        model: usize,
        now_s: f64,
    ) -> Result<Option<(f64, f64)>, LearnError> {
        self.check(vector)?;
        let mut support = vec![Support::default(); model + 1];
        self.support_into(vector, now_s, &mut support);
        let Support { weight, sum } = support[model];
        Ok((weight > 0.0).then(|| (sum / weight, weight)))
    }

    /// Adds the neighbours' weights and rewards per model; models beyond `out` are left out.
    pub(crate) fn support_into(&self, vector: &[f32], now_s: f64, out: &mut [Support]) {
        if self.is_empty() {
            return;
        }
        let Some(codes) = Codes::new(vector) else {
            return;
        };
        let mut hits = Hits::new(self.config.n_neighbours);
        self.vectors.search(&codes, &mut hits);
        self.add_up(hits.finish(), now_s, out);
    }

    fn add_up(&self, hits: &[Hit], now_s: f64, out: &mut [Support]) {
        for hit in hits {
            let entry = &self.entries[hit.place() as usize];
            // A product of rounded vectors may be a little above 1.
            let loss = f64::from(1.0 - hit.similarity()).max(0.0) / self.config.temperature;
            let exponent = -loss - self.rate_per_s * (now_s - entry.at_s).max(0.0);
            if exponent < MIN_EXPONENT {
                continue;
            }
            let kernel = exponent.exp();
            for outcome in entry.outcomes() {
                if let Some(support) = out.get_mut(usize::from(outcome.model)) {
                    let weight = kernel * f64::from(outcome.weight);
                    support.weight += weight;
                    support.sum += weight * f64::from(outcome.reward);
                }
            }
        }
    }

    /// Remembers one outcome, in the place of the oldest entry once the ring is full.
    ///
    /// An outcome of another model on the vector written last joins that entry. A vector of zeros says nothing
    /// and is not kept.
    ///
    /// # Errors
    ///
    /// A vector of another length; a reward outside `[0, 1]`; a weight outside `[0, 1e6]`; NaN; a model above 65,535.
    pub fn observe(
        &mut self,
        vector: &[f32],
        model: usize,
        reward: f64,
        weight: f64,
        now_s: f64,
    ) -> Result<(), LearnError> {
        self.check(vector)?;
        within("reward", reward, 0.0, 1.0, "give a reward in [0, 1]")?;
        within("weight", weight, 0.0, 1e6, "give a weight in [0, 1e6]")?;
        within("now_s", now_s, -1e12, 1e12, "give seconds")?;
        let Ok(model) = u16::try_from(model) else {
            return Err(LearnError::invalid("model", model, "give at most 65,535"));
        };
        let outcome = Outcome {
            model,
            reward: reward as f32,
            weight: weight as f32,
        };
        match Codes::new(vector) {
            Some(codes) if self.config.n_entries > 0 => self.put(&codes, outcome, now_s),
            _ => {}
        }
        Ok(())
    }

    fn put(&mut self, codes: &Codes, outcome: Outcome, now_s: f64) {
        if self.joins_last(codes, outcome) {
            self.entries[self.last].others.push(outcome);
            return;
        }
        let place = if self.len() < self.config.n_entries {
            self.len()
        } else {
            self.next
        };
        self.vectors.put(place, codes);
        if place == self.len() {
            self.entries.push(Entry::default());
        }
        self.entries[place] = Entry::new(now_s, [outcome]);
        self.last = place;
        self.next = (place + 1) % self.config.n_entries;
    }

    /// Puts a reward in the place of one that a model got on this very vector, if that is still in the ring.
    pub(crate) fn revise(&mut self, vector: &[f32], model: usize, before: f64, reward: f64) {
        let Some(codes) = Codes::new(vector) else {
            return;
        };
        let mut hits = Hits::new(self.config.n_neighbours);
        self.vectors.search(&codes, &mut hits);
        let places = hits.finish().iter().map(|hit| hit.place() as usize);
        let same = places.filter(|place| self.vectors.holds(*place, &codes));
        for place in same.collect::<Vec<usize>>() {
            let entry = &mut self.entries[place];
            let mut outcomes = entry.first.iter_mut().chain(&mut entry.others);
            let is_it = |one: &&mut Outcome| {
                usize::from(one.model) == model && one.reward.to_bits() == (before as f32).to_bits()
            };
            if let Some(outcome) = outcomes.find(is_it) {
                outcome.reward = reward as f32;
                return;
            }
        }
    }

    fn joins_last(&self, codes: &Codes, outcome: Outcome) -> bool {
        self.vectors.holds(self.last, codes)
            && self.entries.get(self.last).is_some_and(|entry| {
                entry.others.len() + 1 < MAX_OUTCOMES
                    && entry.outcomes().all(|known| known.model != outcome.model)
            })
    }

    /// Refuses what would poison the ring.
    pub(crate) fn check(&self, vector: &[f32]) -> Result<(), LearnError> {
        if vector.len() != self.vectors.n_dimensions() {
            let remedy = "give as many dimensions as configured";
            return Err(LearnError::invalid("vector", vector.len(), remedy));
        }
        if vector.iter().all(|value| value.abs() <= 1e6) {
            return Ok(());
        }
        for value in vector {
            within("vector", f64::from(*value), -1e6, 1e6, "give a unit vector")?;
        }
        Ok(())
    }

    /// Lets the outcomes of a model count only the share `kept` of what they do.
    pub(crate) fn fade(&mut self, model: usize, kept: f64) {
        for entry in &mut self.entries {
            let outcomes = entry.first.iter_mut().chain(&mut entry.others);
            let of_model = outcomes.filter(|one| usize::from(one.model) == model);
            of_model.for_each(|one| one.weight *= kept as f32);
        }
    }

    /// The same outcomes under other numbers of models; those of models that are gone are dropped.
    pub(crate) fn remap(&mut self, models: &Places) {
        let renamed = |outcome: &Outcome| {
            let place = models.new_place(usize::from(outcome.model))?;
            let model = u16::try_from(place).ok()?;
            Some(Outcome { model, ..*outcome })
        };
        for entry in &mut self.entries {
            *entry = Entry::new(entry.at_s, entry.outcomes().filter_map(renamed));
        }
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        self.vectors.save(writer);
        writer.len(self.next);
        writer.len(self.last);
        for entry in &self.entries {
            writer.f64(entry.at_s);
            writer.len(entry.outcomes().count());
            for outcome in entry.outcomes() {
                writer.u32(u32::from(outcome.model));
                writer.f32(outcome.reward);
                writer.f32(outcome.weight);
            }
        }
    }

    pub(crate) fn load(&mut self, reader: &mut Reader, n_models: usize) -> Result<(), LearnError> {
        self.vectors.load(reader)?;
        let n_entries = self.vectors.len();
        (self.next, self.last) = (reader.number()?, reader.number()?);
        let n_places = self.config.n_entries;
        if n_entries > n_places || self.next.max(self.last) >= n_places.max(1) {
            return Err(LearnError::state(format!(
                "{n_entries} entries do not fit the ring"
            )));
        }
        let entries = (0..n_entries).map(|_| entry(reader, n_models));
        self.entries = entries.collect::<Result<_, _>>()?;
        Ok(())
    }
}

fn entry(reader: &mut Reader, n_models: usize) -> Result<Entry, LearnError> {
    let at_s = reader.f64()?;
    let n_outcomes = reader.len(12)?;
    let outcomes = (0..n_outcomes).map(|_| outcome(reader, n_models));
    let outcomes = outcomes.collect::<Result<Vec<_>, _>>()?;
    Ok(Entry::new(at_s, outcomes))
}

fn outcome(reader: &mut Reader, n_models: usize) -> Result<Outcome, LearnError> {
    let model = u16::try_from(reader.u32()?).ok();
    let (reward, weight) = (reader.f32()?, reader.f32()?);
    let model = model.filter(|model| usize::from(*model) < n_models);
    match model {
        Some(model) if (0.0..=1.0).contains(&reward) && (0.0..=1e6).contains(&weight) => {
            Ok(Outcome {
                model,
                reward,
                weight,
            })
        }
        _ => Err(LearnError::state("an outcome outside its range")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(n_entries: usize) -> Neighbours {
        let config = NeighbourConfig {
            n_dimensions: 3,
            n_entries,
            n_neighbours: 4,
            temperature: 0.1,
        };
        Neighbours::new(config, 0.0).unwrap()
    }

    #[test]
    fn models_graded_on_one_request_share_an_entry() {
        let mut ring = ring(10);
        for model in 0..3 {
            ring.observe(&[1.0, 0.0, 0.0], model, 0.5, 1.0, 0.0)
                .unwrap();
        }
        assert_eq!(ring.len(), 1);
        ring.observe(&[1.0, 0.0, 0.0], 0, 0.5, 1.0, 0.0).unwrap();
        assert_eq!(ring.len(), 2);
    }

    #[test]
    fn the_oldest_entry_makes_room() {
        let mut ring = ring(2);
        for (index, reward) in [0.1, 0.2, 0.9].into_iter().enumerate() {
            let angle = index as f32;
            ring.observe(&[angle.cos(), angle.sin(), 0.0], 0, reward, 1.0, 0.0)
                .unwrap();
        }
        assert_eq!(ring.len(), 2);
        let (mean, weight) = ring.mean(&[1.0, 0.0, 0.0], 0, 0.0).unwrap().unwrap();
        assert!(mean < 0.3 && weight < 1.1);
    }

    #[test]
    fn a_zero_vector_is_neither_kept_nor_near_anything() {
        let mut ring = ring(4);
        ring.observe(&[0.0; 3], 0, 0.5, 1.0, 0.0).unwrap();
        assert!(ring.is_empty());
        ring.observe(&[1.0, 0.0, 0.0], 0, 0.5, 1.0, 0.0).unwrap();
        assert_eq!(ring.mean(&[0.0; 3], 0, 0.0).unwrap(), None);
        assert!(ring.mean(&[f32::NAN; 3], 0, 0.0).is_err());
    }
}
