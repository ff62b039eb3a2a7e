//! The catalog document as it is written: serde shapes, refused when a field is unknown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::price::PriceEntry;
use crate::error::{Error, nearest};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub models: Vec<ModelEntry>,
    pub providers: Vec<ProviderEntry>,
    pub deployments: Vec<DeploymentEntry>,
    #[serde(default)]
    pub baseline_model: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelEntry {
    pub name: String,
    pub context_window: u64,
    #[serde(default)]
    pub max_output_tokens: Option<u64>,
    #[serde(default)]
    pub capabilities: Vec<super::Capability>,
    pub quality: BTreeMap<String, f64>,
    #[serde(default)]
    pub quality_source: QualitySource,
    #[serde(default)]
    pub tokenizer: Option<String>,
}

/// Where a model's quality prior comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QualitySource {
    /// Written by the user.
    #[default]
    Config,
    /// Guessed from the price.
    PriceHeuristic,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderEntry {
    pub name: String,
    #[serde(default)]
    pub data_collection: DataCollection,
    #[serde(default)]
    pub prompt_cache: PromptCache,
}

/// What a provider's prompt cache holds, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptCache {
    /// Seconds after its last use for which a prefix is held, >= 0; 0: nothing is cached.
    pub ttl_s: f64,
    /// Tokens of the shortest prefix that is cached, >= 1.
    pub min_tokens: u64,
}

impl Default for PromptCache {
    /// Five minutes and 1,024 tokens, as Anthropic and `OpenAI` document.
    fn default() -> Self {
        Self {
            ttl_s: 300.0,
            min_tokens: 1024,
        }
    }
}

impl PromptCache {
    /// The tokens, if a prefix of as many, last used `age_s` ago, is still held; else 0.
    pub(crate) fn held(&self, n_tokens: u64, age_s: f64) -> u64 {
        let is_held = n_tokens >= self.min_tokens && age_s < self.ttl_s;
        if is_held { n_tokens } else { 0 }
    }
}

/// Whether a provider may keep prompts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DataCollection {
    /// It may.
    #[default]
    Allow,
    /// It does not.
    Deny,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeploymentEntry {
    pub name: String,
    pub model: String,
    pub provider: String,
    #[serde(default)]
    pub tier: Tier,
    pub price_nano_usd_per_mtok: PriceEntry,
    pub latency: LatencyPrior,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub parameters: Option<Vec<String>>,
}

/// Service tier of a deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The ordinary one.
    #[default]
    Default,
    /// Cheaper and slower.
    Flex,
    /// Dearer and faster.
    Priority,
}

impl Tier {
    /// The tier's name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Default => "default",
            Tier::Flex => "flex",
            Tier::Priority => "priority",
        }
    }
}

/// What is expected of a deployment's speed before it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyPrior {
    /// Median time to first token.
    pub ttft_p50_ms: f64,
    /// 95th percentile of the time to first token.
    pub ttft_p95_ms: f64,
    /// Output tokens per second after the first.
    pub tokens_per_s: f64,
}

/// Rate limits of a deployment; `None`: none known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Requests per minute.
    #[serde(default)]
    pub requests_per_min: Option<u64>,
    /// Tokens per minute.
    #[serde(default)]
    pub tokens_per_min: Option<u64>,
}

/// Parses the document; the error names the path, and the nearest known word for an unknown one.
pub(super) fn parse(data: &[u8]) -> Result<Document, Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(data);
    let document = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        Error::catalog(path, with_suggestion(&error.into_inner().to_string()))
    })?;
    deserializer.end().map_err(|error| {
        Error::catalog("", format!("{error}: remove what follows the document"))
    })?;
    Ok(document)
}

/// Adds "did you mean" to serde's "unknown field `x`, expected one of `a`, `b`".
fn with_suggestion(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(seen) = quoted.next().filter(|_| message.starts_with("unknown ")) else {
        return message.to_owned();
    };
    match nearest(seen, quoted) {
        Some(known) => format!("{message}; did you mean `{known}`?"),
        None => message.to_owned(),
    }
}
