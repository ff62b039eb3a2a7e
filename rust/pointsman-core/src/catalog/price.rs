//! [`Price`]: what tokens cost, by how they are used, how the call is served and how long its input is.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// $1,000,000 per 1M tokens in nano-dollars: beyond it a unit was mistaken.
const MAX_PRICE_NANO_USD_PER_MTOK: u64 = 1_000_000_000_000_000;

/// Prices of one kind of call in nano-dollars (1e-9 USD) per 1,000,000 tokens: $0.15 per 1M is 150,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Input tokens.
    pub input: u64,
    /// Input tokens read from the provider's prompt cache; at most `input`.
    pub cached_input: u64,
    /// Input tokens written to it, where the provider bills that (Anthropic); elsewhere as `input`.
    pub cache_write: u64,
    /// Output tokens.
    pub output: u64,
    /// Output tokens spent on reasoning; nearly everywhere as `output`.
    pub reasoning: u64,
}

/// Prices of a call whose input is longer than `above_tokens`; all its tokens are billed at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongContext {
    /// Input tokens, cached ones included, above which these prices hold.
    pub above_tokens: u64,
    /// Prices of an ordinary call.
    pub rates: Rates,
    /// Prices of a batch job; `None`: no batch tier.
    pub batch: Option<Rates>,
}

/// What a deployment's tokens cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// Prices of an ordinary call.
    pub rates: Rates,
    /// Prices of a batch job; `None`: no batch tier.
    pub batch: Option<Rates>,
    /// Prices of long inputs, in ascending order of their thresholds.
    pub long_context: Vec<LongContext>,
}

impl Price {
    /// Prices of an ordinary call with that many input tokens; those of the highest threshold it passes.
    ///
    /// # Example
    ///
    /// ```
    /// # let catalog = pointsman_core::Catalog::from_json(br#"{
    /// #     "models": [{"name": "m", "context_window": 1000000, "quality": {"default": 0.7}}],
    /// #     "providers": [{"name": "p"}],
    /// #     "deployments": [{"name": "p/m", "model": "m", "provider": "p",
    /// #         "price_nano_usd_per_mtok": {"input": 1250000000, "output": 10000000000,
    /// #             "long_context": [{"above_tokens": 200000, "input": 2500000000, "output": 15000000000}]},
    /// #         "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}}]}"#)?;
    /// let price = &catalog.deployment("p/m")?.price; // $1.25 per 1M tokens, $2.50 above 200,000
    /// assert_eq!(price.rates_for(200_000).input, 1_250_000_000);
    /// assert_eq!(price.rates_for(200_001).input, 2_500_000_000);
    /// # Ok::<(), pointsman_core::Error>(())
    /// ```
    pub fn rates_for(&self, n_input_tokens: u64) -> &Rates {
        self.long_for(n_input_tokens)
            .map_or(&self.rates, |long| &long.rates)
    }

    /// The same of a batch job; `None`: no batch tier.
    pub fn batch_rates_for(&self, n_input_tokens: u64) -> Option<&Rates> {
        self.long_for(n_input_tokens)
            .map_or(self.batch.as_ref(), |long| long.batch.as_ref())
    }

    fn long_for(&self, n_input_tokens: u64) -> Option<&LongContext> {
        let passed = |long: &&LongContext| n_input_tokens > long.above_tokens;
        self.long_context.iter().rev().find(passed)
    }
}

/// Prices as they are written, one list for the base and one for each threshold; what is absent has a default.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceEntry {
    /// Of the base: 0.
    #[serde(default)]
    above_tokens: u64,
    input: u64,
    #[serde(default)]
    cached_input: Option<u64>,
    #[serde(default)]
    cache_write: Option<u64>,
    output: u64,
    #[serde(default)]
    reasoning: Option<u64>,
    #[serde(default)]
    batch_input: Option<u64>,
    #[serde(default)]
    batch_cached_input: Option<u64>,
    #[serde(default)]
    batch_cache_write: Option<u64>,
    #[serde(default)]
    batch_output: Option<u64>,
    #[serde(default)]
    long_context: Vec<PriceEntry>,
}

/// Checks prices; the error names the path below `path`.
pub(super) fn compile(path: &str, entry: &PriceEntry) -> Result<Price, Error> {
    if entry.above_tokens != 0 {
        let problem = format!("is {}: give it in long_context only", entry.above_tokens);
        return Err(Error::catalog(format!("{path}.above_tokens"), problem));
    }
    let mut above_tokens = 0;
    let mut long_context = Vec::with_capacity(entry.long_context.len());
    for (index, long) in entry.long_context.iter().enumerate() {
        let path = format!("{path}.long_context[{index}]");
        long.check(&path)?;
        if long.above_tokens <= above_tokens || !long.long_context.is_empty() {
            return Err(long.misplaced(&path, above_tokens));
        }
        above_tokens = long.above_tokens;
        long_context.push(LongContext {
            above_tokens,
            rates: long.rates(),
            batch: long.batch(),
        });
    }
    entry.check(path)?;
    let batch = entry.batch();
    if let Some(index) = long_context
        .iter()
        .position(|long| long.batch.is_some() != batch.is_some())
    {
        let problem = "has a batch price and the rest has not, or the other way round: give it for all or none";
        return Err(Error::catalog(
            format!("{path}.long_context[{index}]"),
            problem,
        ));
    }
    Ok(Price {
        rates: entry.rates(),
        batch,
        long_context,
    })
}

impl PriceEntry {
    fn misplaced(&self, path: &str, previous: u64) -> Error {
        if !self.long_context.is_empty() {
            let problem = "has a list of its own: give one list, by ascending above_tokens";
            return Error::catalog(format!("{path}.long_context"), problem);
        }
        let problem = format!(
            "is {}: give a number of input tokens above {previous}, in ascending order",
            self.above_tokens
        );
        Error::catalog(format!("{path}.above_tokens"), problem)
    }

    fn check(&self, path: &str) -> Result<(), Error> {
        let fields = [
            ("input", Some(self.input)),
            ("cached_input", self.cached_input),
            ("cache_write", self.cache_write),
            ("output", Some(self.output)),
            ("reasoning", self.reasoning),
            ("batch_input", self.batch_input),
            ("batch_cached_input", self.batch_cached_input),
            ("batch_cache_write", self.batch_cache_write),
            ("batch_output", self.batch_output),
        ];
        for (field, value) in fields {
            if let Some(value) = value.filter(|value| *value > MAX_PRICE_NANO_USD_PER_MTOK) {
                let problem = format!(
                    "is {value}: give nano-dollars per 1M tokens, at most {MAX_PRICE_NANO_USD_PER_MTOK} ($1M per 1M tokens)"
                );
                return Err(Error::catalog(format!("{path}.{field}"), problem));
            }
        }
        self.check_batch(path)?;
        below("cached_input", self.cached_input, self.input, path)?;
        let batch_input = self.batch_input.unwrap_or(u64::MAX);
        below(
            "batch_cached_input",
            self.batch_cached_input,
            batch_input,
            path,
        )
    }

    fn check_batch(&self, path: &str) -> Result<(), Error> {
        if self.batch_input.is_some() != self.batch_output.is_some() {
            let problem = "has only one of batch_input and batch_output: give both or none";
            return Err(Error::catalog(path, problem));
        }
        let has_cache = self.batch_cached_input.is_some() || self.batch_cache_write.is_some();
        if has_cache && self.batch_input.is_none() {
            let problem =
                "has a batch price of the cache only: give batch_input and batch_output too";
            return Err(Error::catalog(path, problem));
        }
        Ok(())
    }

    fn rates(&self) -> Rates {
        Rates {
            input: self.input,
            cached_input: self.cached_input.unwrap_or(self.input),
            cache_write: self.cache_write.unwrap_or(self.input),
            output: self.output,
            reasoning: self.reasoning.unwrap_or(self.output),
        }
    }

    /// Where no batch price of cached tokens is known they cost the lesser of the cached and the batch price.
    fn batch(&self) -> Option<Rates> {
        let (input, output) = (self.batch_input?, self.batch_output?);
        let cached_input = self.rates().cached_input.min(input);
        Some(Rates {
            input,
            cached_input: self.batch_cached_input.unwrap_or(cached_input),
            cache_write: self.batch_cache_write.unwrap_or(input),
            output,
            reasoning: output,
        })
    }
}

/// A cache that costs more than it saves is a typing error, and would let a warm prefix raise a cost.
fn below(field: &str, value: Option<u64>, most: u64, path: &str) -> Result<(), Error> {
    match value {
        Some(value) if value > most => {
            let problem = format!("is {value}: give at most the price of input, {most}");
            Err(Error::catalog(format!("{path}.{field}"), problem))
        }
        _ => Ok(()),
    }
}
