//! What a call costs, in integer nano-dollars.

use crate::catalog::{Deployment, Price, Rates};
use crate::error::Error;

/// Nano-dollars in a dollar.
pub const NANO_USD_PER_USD: f64 = 1e9;
/// Prices are per this many tokens.
const TOKENS_PER_PRICE: u128 = 1_000_000;

/// Tokens of one call, as counted or as expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// All input tokens, cached and cache-written ones included.
    pub n_input: u64,
    /// Those of them read from the provider's prompt cache.
    pub n_cached_input: u64,
    /// Those of them written to it, where the provider bills that.
    pub n_cache_write: u64,
    /// All output tokens, reasoning included.
    pub n_output: u64,
    /// Those of them spent on reasoning.
    pub n_reasoning: u64,
}

/// Cost of a call in nano-dollars, exact up to the rounding of the whole (half up).
///
/// Nothing is lost on the way: integer prices times integer tokens in 128 bits, divided once. An input longer than
/// a threshold of the price puts every token of the call at the prices above it. In a batch, cached tokens cost the
/// lesser of the cached and the batch price where no batch price of cached tokens is known.
///
/// # Errors
///
/// More cached and cache-written than input tokens, more reasoning than output tokens (a provider's report is
/// clamped before, where it is read); a batch price asked of a deployment without batch tier.
///
/// # Example
///
/// ```
/// # let catalog = pointsman_core::Catalog::from_json(br#"{
/// #     "models": [{"name": "m", "context_window": 8000, "quality": {"default": 0.7}}],
/// #     "providers": [{"name": "p"}],
/// #     "deployments": [{"name": "p/m", "model": "m", "provider": "p",
/// #         "price_nano_usd_per_mtok": {"input": 150000000, "output": 600000000},
/// #         "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}}]}"#)?;
/// use pointsman_core::{Tokens, cost_nano_usd};
///
/// // $0.15 and $0.60 per 1M tokens.
/// let tokens = Tokens { n_input: 1_000, n_output: 500, ..Tokens::default() };
/// assert_eq!(cost_nano_usd(catalog.deployment("p/m")?, tokens, false)?, 450_000);
/// # Ok::<(), pointsman_core::Error>(())
/// ```
pub fn cost_nano_usd(
    deployment: &Deployment,
    tokens: Tokens,
    is_batch: bool,
) -> Result<u128, Error> {
    tokens.check()?;
    if !is_batch {
        return Ok(interactive_cost_nano_usd(&deployment.price, tokens));
    }
    let Some(rates) = deployment.price.batch_rates_for(tokens.n_input) else {
        let remedy = format!(
            "deployment {:?} has no batch price: give false",
            deployment.name
        );
        return Err(Error::invalid("batch", true, remedy));
    };
    Ok(total(rates, tokens))
}

impl Tokens {
    fn check(&self) -> Result<(), Error> {
        let rest = self.n_input.saturating_sub(self.n_cached_input);
        let parts = [
            (
                "n_cached_input_tokens",
                self.n_cached_input,
                "n_input_tokens",
                self.n_input,
            ),
            (
                "n_cache_write_tokens",
                self.n_cache_write,
                "n_input_tokens - n_cached_input_tokens",
                rest,
            ),
            (
                "n_reasoning_tokens",
                self.n_reasoning,
                "n_output_tokens",
                self.n_output,
            ),
        ];
        for (field, value, whole, most) in parts {
            if value > most {
                return Err(Error::invalid(
                    field,
                    value,
                    format!("give at most {whole} {most}"),
                ));
            }
        }
        Ok(())
    }
}

/// Cost at the ordinary prices; the parts of `tokens` must not exceed their wholes.
pub(crate) fn interactive_cost_nano_usd(price: &Price, tokens: Tokens) -> u128 {
    total(price.rates_for(tokens.n_input), tokens)
}

fn total(rates: &Rates, tokens: Tokens) -> u128 {
    let n_special = tokens.n_cached_input.saturating_add(tokens.n_cache_write);
    let product = |price: u64, n: u64| u128::from(price) * u128::from(n);
    let sum = product(rates.input, tokens.n_input.saturating_sub(n_special))
        + product(rates.cached_input, tokens.n_cached_input)
        + product(rates.cache_write, tokens.n_cache_write)
        + product(
            rates.output,
            tokens.n_output.saturating_sub(tokens.n_reasoning),
        )
        + product(rates.reasoning, tokens.n_reasoning);
    let sum = sum + TOKENS_PER_PRICE / 2;
    // Division of 128 bits is a call of 30 ns; nearly every sum fits 64.
    u64::try_from(sum).map_or_else(
        |_| sum / TOKENS_PER_PRICE,
        |small| u128::from(small / 1_000_000),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(price: u64) -> Price {
        let rates = Rates {
            input: price,
            cached_input: price,
            cache_write: price,
            output: price,
            reasoning: price,
        };
        Price {
            rates,
            batch: None,
            long_context: Vec::new(),
        }
    }

    #[test]
    fn a_cost_is_rounded_once_and_half_up() {
        let cost = |n_input, n_output| {
            let tokens = Tokens {
                n_input,
                n_output,
                ..Tokens::default()
            };
            interactive_cost_nano_usd(&flat(1), tokens)
        };
        assert_eq!(cost(250_000, 249_999), 0);
        assert_eq!(
            cost(250_000, 250_000),
            1,
            "two quarters are a half, which rounds up"
        );
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let tokens = Tokens {
            n_input: u64::MAX,
            n_output: u64::MAX,
            ..Tokens::default()
        };
        let cost = interactive_cost_nano_usd(&flat(1_000_000_000_000_000), tokens);
        assert_eq!(cost, u128::from(u64::MAX) * 2_000_000_000);
    }
}
