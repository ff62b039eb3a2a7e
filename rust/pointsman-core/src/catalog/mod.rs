//! [`Catalog`]: an immutable snapshot of models, providers and deployments, validated once.
//!
//! A document looks like this (the integers are nano-dollars per 1M tokens):
//!
//! ```json
//! {"models": [{"name": "m", "context_window": 128000, "max_output_tokens": 16384,
//!              "capabilities": ["tools", "json_schema"], "quality": {"default": 0.7, "code/reasoning": 0.6}}],
//!  "providers": [{"name": "p", "data_collection": "deny"}],
//!  "deployments": [{"name": "p/m", "model": "m", "provider": "p", "tier": "default",
//!                   "price_nano_usd_per_mtok": {"input": 150000000, "output": 600000000},
//!                   "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}}],
//!  "baseline_model": null}
//! ```

mod capability;
mod document;
mod price;
mod tokenizer;
mod validate;

pub use capability::{Capabilities, Capability};
pub use document::{DataCollection, LatencyPrior, Limits, PromptCache, QualitySource, Tier};
pub use price::{LongContext, Price, Rates};

use crate::error::Error;
use crate::quality::QualityPrior;
use crate::tokens::TokenFamily;

/// The weights behind a name: what may be asked of it and how well it does.
#[derive(Clone, Debug)]
pub struct Model {
    /// Unique name.
    pub name: String,
    /// Tokens of input and output together.
    pub context_window: u64,
    /// Tokens of output, if limited.
    pub max_output_tokens: Option<u64>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// How well it does, before anything was measured.
    pub quality: QualityPrior,
    /// Where that prior comes from.
    pub quality_source: QualitySource,
    /// Whose tokens it counts: as given, or guessed from its name.
    pub tokenizer: TokenFamily,
}

/// Who serves.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Unique name.
    pub name: String,
    /// Whether it may keep prompts.
    pub data_collection: DataCollection,
    /// What its prompt cache holds.
    pub prompt_cache: PromptCache,
}

/// Model x provider x tier: the arm that is chosen.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Unique name.
    pub name: String,
    /// Hash of the names of deployment, model and provider: the same in every catalog that holds them.
    pub(crate) key: u64,
    /// Index into [`Catalog::models`].
    pub model: usize,
    /// Index into [`Catalog::providers`].
    pub provider: usize,
    /// Service tier.
    pub tier: Tier,
    /// What tokens cost.
    pub price: Price,
    /// How fast it is expected to be.
    pub latency: LatencyPrior,
    /// Rate limits.
    pub limits: Limits,
    /// Request parameters it supports; `None`: all.
    pub parameters: Option<Vec<String>>,
}

/// Immutable snapshot of what can be chosen from.
///
/// # Example
///
/// ```
/// use pointsman_core::Catalog;
///
/// let catalog = Catalog::from_json(br#"{
///     "models": [{"name": "m", "context_window": 8000, "quality": {"default": 0.7}}],
///     "providers": [{"name": "p"}],
///     "deployments": [{"name": "p/m", "model": "m", "provider": "p",
///         "price_nano_usd_per_mtok": {"input": 150000000, "output": 600000000},
///         "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}}]}"#)?;
/// assert_eq!(catalog.deployments().len(), 1);
/// assert_eq!(catalog.version().len(), 16);
/// # Ok::<(), pointsman_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Catalog {
    version: String,
    models: Vec<Model>,
    providers: Vec<Provider>,
    deployments: Vec<Deployment>,
    baseline_model: usize,
}

impl Catalog {
    /// Parses and validates a document.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Catalog`](crate::ErrorKind::Catalog) with the path inside the document: malformed JSON,
    /// an unknown field, a reference to nothing, a name used twice, a price, quality or latency out of range.
    pub fn from_json(data: &[u8]) -> Result<Self, Error> {
        validate::compile(document::parse(data)?)
    }

    /// Hash of the content, 16 hex digits: equal catalogs have equal versions, however they were written.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The models, in the document's order.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// The providers, in the document's order.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// The deployments, in the document's order; never empty.
    pub fn deployments(&self) -> &[Deployment] {
        &self.deployments
    }

    /// The model that costs are compared with.
    pub fn baseline_model(&self) -> &Model {
        &self.models[self.baseline_model]
    }

    pub(crate) fn baseline_index(&self) -> usize {
        self.baseline_model
    }

    /// The model a deployment serves.
    pub fn model_of(&self, deployment: &Deployment) -> &Model {
        &self.models[deployment.model]
    }

    /// The provider a deployment runs at.
    pub fn provider_of(&self, deployment: &Deployment) -> &Provider {
        &self.providers[deployment.provider]
    }

    /// The deployment of that name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownName`](crate::ErrorKind::UnknownName), with the nearest known name.
    pub fn deployment(&self, name: &str) -> Result<&Deployment, Error> {
        Ok(&self.deployments[self.deployment_index(name)?])
    }

    /// Index of the deployment of that name.
    pub(crate) fn deployment_index(&self, name: &str) -> Result<usize, Error> {
        let names = || {
            self.deployments
                .iter()
                .map(|deployment| deployment.name.as_str())
        };
        names()
            .position(|known| known == name)
            .ok_or_else(|| Error::unknown("deployment", "deployment", name, names()))
    }

    /// Index of the model of that name; `field` is what the error blames.
    pub(crate) fn model_index(&self, field: &str, name: &str) -> Result<usize, Error> {
        let names = || self.models.iter().map(|model| model.name.as_str());
        names()
            .position(|known| known == name)
            .ok_or_else(|| Error::unknown(field, "model", name, names()))
    }

    /// Index of the provider of that name, ignoring ASCII case (OpenRouter's clients write `OpenAI`).
    pub(crate) fn provider_index(&self, field: &str, name: &str) -> Result<usize, Error> {
        let names = || self.providers.iter().map(|provider| provider.name.as_str());
        names()
            .position(|known| known == name)
            .or_else(|| names().position(|known| known.eq_ignore_ascii_case(name)))
            .ok_or_else(|| Error::unknown(field, "provider", name, names()))
    }
}
