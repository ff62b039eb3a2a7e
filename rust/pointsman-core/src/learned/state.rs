//! Save and load of [`Learned`]: versioned, checksummed, matched to a catalog by name.

use super::floors::Floors;
use super::vector::MAX_GIVEN;
use super::{Learned, arms, place, places, quality_config};
use crate::catalog::Catalog;
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::learn_error::LearnError;
use crate::length_model::LengthModel;
use crate::prompt_cache::CacheHabit;
use crate::quality::QualityEstimator;

const MAGIC: [u8; 4] = *b"PMLS";
const VERSION: u32 = 6;
/// What others keep beside what was learned: name and bytes, by name.
pub(crate) type Others = Vec<(String, Vec<u8>)>;

impl Learned {
    /// All that was learned, as bytes; `catalog` gives the names, `others` are kept beside it.
    pub(crate) fn save(&self, catalog: &Catalog, others: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.len(self.speeds.len());
        let learned = self.speeds.iter().zip(&self.cache_habits);
        for ((speed, habit), deployment) in learned.zip(catalog.deployments()) {
            writer.text(&deployment.name);
            speed.save(&mut writer);
            habit.save(&mut writer);
        }
        writer.len(catalog.models().len());
        catalog
            .models()
            .iter()
            .for_each(|model| writer.text(&model.name));
        self.lengths.save(&mut writer);
        self.reasonings.save(&mut writer);
        writer.len(self.n_given);
        writer.bytes(&self.qualities.save());
        self.floors.save(&mut writer);
        writer.len(others.len());
        for (name, bytes) in others {
            writer.text(name);
            writer.bytes(bytes);
        }
        writer.seal(MAGIC, VERSION)
    }

    /// What was saved, for this catalog: a name that is new starts from its prior, one that is gone is dropped.
    pub(crate) fn load(catalog: &Catalog, document: &[u8]) -> Result<(Self, Others), Error> {
        let mut learned = Self::new(catalog)?;
        let others = learned.read(catalog, document)?;
        Ok((learned, others))
    }

    fn read(&mut self, catalog: &Catalog, document: &[u8]) -> Result<Others, LearnError> {
        let mut reader = Reader::open(document, MAGIC, VERSION)?;
        let mut deployments = Vec::new();
        for _ in 0..reader.len(8)? {
            let name = reader.text()?;
            let mut speed = self.speeds[0].clone();
            speed.load(&mut reader)?;
            let habit = CacheHabit::load(&mut reader)?;
            if let Some(index) = place(catalog.deployments(), |one| one.name == name) {
                self.speeds[index].clone_outcomes(&speed);
                self.cache_habits[index] = habit;
            }
            deployments.push(name);
        }
        let n_models = reader.len(8)?;
        let names = (0..n_models)
            .map(|_| reader.text())
            .collect::<Result<Vec<_>, _>>()?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        check_names(catalog, &deployments, &names)?;
        let lengths = LengthModel::load(&mut reader, &self.lengths, n_models)?;
        self.lengths = lengths.rearranged(&places(&names, catalog));
        let reasonings = LengthModel::load(&mut reader, &self.reasonings, n_models)?;
        self.reasonings = reasonings.rearranged(&places(&names, catalog));
        self.n_given = reader.number()?;
        if self.n_given > MAX_GIVEN {
            let problem = format!("vectors of {} values, at most {MAX_GIVEN}", self.n_given);
            return Err(LearnError::state(problem));
        }
        let qualities = reader.bytes()?;
        let config = quality_config(self.n_given);
        self.qualities = QualityEstimator::load(config, &arms(catalog), qualities)?;
        let place_of =
            |arm: usize| place(catalog.deployments(), |one| one.name == deployments[arm]);
        self.floors = Floors::load(&mut reader, deployments.len())?
            .rearranged(catalog.deployments().len(), place_of)?;
        let n_others = reader.len(16)?;
        let others = (0..n_others)
            .map(|_| Ok((reader.text()?, reader.bytes()?.to_vec())))
            .collect::<Result<_, LearnError>>()?;
        reader.end()?;
        Ok(others)
    }
}

/// Refuses a state of which nothing would be left.
fn check_names(catalog: &Catalog, saved: &[String], models: &[&str]) -> Result<(), LearnError> {
    let here = catalog.deployments().iter().map(|one| one.name.as_str());
    let is_known = |name: &String| here.clone().any(|one| one == name);
    let models_here = || catalog.models().iter().map(|one| one.name.as_str());
    if saved.iter().any(is_known) || models_here().any(|one| models.contains(&one)) {
        return Ok(());
    }
    let problem = format!(
        "learned of the models {}, and here are {}: name models here as they are named there, or start without it",
        some(models.iter().copied()),
        some(models_here()),
    );
    Err(LearnError::state(problem))
}

/// The first few of many names.
fn some<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    const MOST: usize = 5;
    let first: Vec<&str> = names.clone().take(MOST).collect();
    let rest = names.count().saturating_sub(MOST);
    let more = if rest > 0 {
        format!(" and {rest} more")
    } else {
        String::new()
    };
    first.join(", ") + &more
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;
    use crate::explore::uniform;
    use crate::features::Features;
    use crate::learned::{FeatureVector, Outcome, Task};
    use crate::profile::{Complexity, Domain, Structure};
    use crate::request::{Conversation, Request};

    const NOW_S: f64 = 1.7e9;

    fn catalog() -> Catalog {
        let document = br#"{
            "models": [{"name": "m", "context_window": 8000, "quality": {"default": 0.7}}],
            "providers": [{"name": "p"}],
            "deployments": [{"name": "d", "model": "m", "provider": "p",
                "price_nano_usd_per_mtok": {"input": 150000000, "output": 600000000},
                "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}}]}"#;
        Catalog::from_json(document).unwrap()
    }

    /// The catalog with other names.
    fn named(deployment: &str, model: &str) -> Catalog {
        let document = format!(
            r#"{{"models": [{{"name": "{model}", "context_window": 8000, "quality": {{"default": 0.7}}}}],
            "providers": [{{"name": "p"}}],
            "deployments": [{{"name": "{deployment}", "model": "{model}", "provider": "p",
                "price_nano_usd_per_mtok": {{"input": 150000000, "output": 600000000}},
                "latency": {{"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}}}}]}}"#
        );
        Catalog::from_json(document.as_bytes()).unwrap()
    }

    #[test]
    fn a_state_of_other_models_alone_is_refused_by_name_and_one_shared_name_is_enough() {
        let catalog = catalog();
        let saved = taught(&catalog).save(&catalog, &[]);
        let error = Learned::load(&named("e", "n"), &saved).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("learned of the models m, and here are n"),
            "{said}"
        );
        assert!(Learned::load(&named("e", "m"), &saved).is_ok());
        assert!(Learned::load(&named("d", "n"), &saved).is_ok());
    }

    fn features(step: u32) -> FeatureVector {
        let text = format!("Who wrote book {step} of the trilogy?");
        let features = Features::extract(&Request::new(Conversation::user(text)));
        FeatureVector::new(&features, None).unwrap()
    }

    fn taught(catalog: &Catalog) -> Learned {
        let mut learned = Learned::new(catalog).unwrap();
        for step in 0..40_u32 {
            let outcome = Outcome {
                n_input_tokens: 2_000,
                n_cached_input_tokens: Some(1_000),
                n_output_tokens: Some(u64::from(step) * 20),
                n_reasoning_tokens: u64::from(step) * 10,
                ttft_ms: Some(100.0 + f64::from(step)),
                latency_ms: Some(2_000.0),
                reward: Some(f64::from(step % 3) / 2.0),
                features: (step % 4 > 0).then(|| features(step)),
                ..Outcome::new("d", Domain::Code, Complexity::Lookup, Structure::Text)
            };
            let now_s = NOW_S + f64::from(step) * 60.0;
            learned.observe(catalog, &outcome, 1_500, now_s).unwrap();
        }
        learned
    }

    /// One byte of the payload changed, and the checksum made to fit.
    fn forged(saved: &[u8], seed: u64) -> Vec<u8> {
        let mut forged = saved.to_vec();
        let place = 16 + (uniform(seed, 0) * (saved.len() - 16) as f64) as usize;
        forged[place] = (uniform(seed, 1) * 256.0) as u8;
        let checksum = xxh3_64(&forged[16..]);
        forged[8..16].copy_from_slice(&checksum.to_le_bytes());
        forged
    }

    #[test]
    fn what_others_gave_is_given_back() {
        let catalog = catalog();
        let others = vec![
            ("planner".to_owned(), vec![1, 2, 3]),
            ("signals".to_owned(), Vec::new()),
        ];
        let saved = taught(&catalog).save(&catalog, &others);
        assert_eq!(Learned::load(&catalog, &saved).unwrap().1, others);
    }

    #[test]
    fn a_forged_state_is_refused_or_harmless() {
        let catalog = catalog();
        let saved = taught(&catalog).save(&catalog, &[]);
        let vector = features(3);
        let task = Task {
            name: None,
            domain: Domain::Code,
            complexity: Complexity::Lookup,
            structure: Structure::Text,
            n_input_tokens: 100,
            foreign_share: 0.0,
            vector: Some(&vector),
        };
        let mut n_loaded = 0;
        for seed in 0..3_000 {
            let Ok((learned, _)) = Learned::load(&catalog, &forged(&saved, seed)) else {
                continue;
            };
            n_loaded += 1;
            for later_s in [0.0, 2_400.0, 1e6] {
                let beliefs = learned.believe(&catalog, &task, NOW_S + later_s).unwrap();
                let belief = beliefs.each[0];
                assert!((0.0..=1.0).contains(&belief.quality.mean), "{belief:?}");
                assert!(belief.output_tokens.p90.is_finite() && belief.output_tokens.mean >= 0.0);
                assert!(belief.reasoning_tokens.is_finite(), "{belief:?}");
                assert!((0.0..=1.0).contains(&belief.hit_rate), "{belief:?}");
                assert!(belief.speed.p50_ms(100.0).is_finite(), "{belief:?}");
            }
        }
        assert!(n_loaded > 100, "{n_loaded}");
    }
}
