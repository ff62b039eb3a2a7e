//! What a call costs, in integer nano-dollars.

use crate::catalog::{Deployment, Price};
use crate::error::Error;

/// Nano-dollars in a dollar.
pub const NANO_USD_PER_USD: f64 = 1e9;
/// Prices are per this many tokens.
const TOKENS_PER_PRICE: u128 = 1_000_000;

/// Tokens of one call, as counted or as expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// All input tokens, cached ones included.
    pub n_input: u64,
    /// Those of them read from the provider's prompt cache.
    pub n_cached_input: u64,
    /// All output tokens, reasoning included.
    pub n_output: u64,
}

/// Cost of a call in nano-dollars, exact up to the rounding of the whole (half up).
///
/// Nothing is lost on the way: integer prices times integer tokens in 128 bits, divided once. In a batch,
/// cached tokens cost the lesser of the cached and the batch price.
///
/// # Errors
///
/// More cached than input tokens; a batch price asked of a deployment without batch tier.
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
/// let tokens = Tokens { n_input: 1_000, n_cached_input: 0, n_output: 500 };
/// assert_eq!(cost_nano_usd(catalog.deployment("p/m")?, tokens, false)?, 450_000);
/// # Ok::<(), pointsman_core::Error>(())
/// ```
pub fn cost_nano_usd(
    deployment: &Deployment,
    tokens: Tokens,
    is_batch: bool,
) -> Result<u128, Error> {
    if tokens.n_cached_input > tokens.n_input {
        let remedy = format!("give at most n_input_tokens {}", tokens.n_input);
        return Err(Error::invalid(
            "n_cached_input_tokens",
            tokens.n_cached_input,
            remedy,
        ));
    }
    if !is_batch {
        return Ok(interactive_cost_nano_usd(&deployment.price, tokens));
    }
    let Price {
        input,
        cached_input,
        batch_input,
        batch_output,
        ..
    } = deployment.price;
    let (Some(batch_input), Some(batch_output)) = (batch_input, batch_output) else {
        let remedy = format!(
            "deployment {:?} has no batch price: give false",
            deployment.name
        );
        return Err(Error::invalid("batch", true, remedy));
    };
    let cached = cached_input.unwrap_or(input).min(batch_input);
    Ok(total(batch_input, cached, batch_output, tokens))
}

/// Cost at the ordinary prices; `n_cached_input` must not exceed `n_input`.
pub(crate) fn interactive_cost_nano_usd(price: &Price, tokens: Tokens) -> u128 {
    total(
        price.input,
        price.cached_input.unwrap_or(price.input),
        price.output,
        tokens,
    )
}

fn total(input: u64, cached: u64, output: u64, tokens: Tokens) -> u128 {
    let n_fresh = tokens.n_input.saturating_sub(tokens.n_cached_input);
    let product = |price: u64, n: u64| u128::from(price) * u128::from(n);
    let sum = product(input, n_fresh)
        + product(cached, tokens.n_cached_input)
        + product(output, tokens.n_output);
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

    #[test]
    fn a_cost_is_rounded_once_and_half_up() {
        let price = Price {
            input: 1,
            cached_input: None,
            output: 1,
            batch_input: None,
            batch_output: None,
        };
        let cost = |n_input, n_output| {
            interactive_cost_nano_usd(
                &price,
                Tokens {
                    n_input,
                    n_cached_input: 0,
                    n_output,
                },
            )
        };
        assert_eq!(cost(250_000, 249_999), 0);
        assert_eq!(
            cost(250_000, 250_000),
            1,
            "two quarters are a half, which rounds up"
        );
    }
}
