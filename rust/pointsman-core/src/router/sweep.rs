//! [`Sweep`]: one request decided at many prices of quality, to draw a policy's curve of cost and quality.

use std::sync::Arc;

use super::outlook::{Outlook, resolve};
use super::{Router, read};
use crate::error::Error;
use crate::policy::{Candidate, Dial};
use crate::request::Request;

/// What is predicted of every deployment, and whom the policy would choose at each price of quality.
#[derive(Clone, Debug)]
pub struct Sweep {
    candidates: Vec<Candidate>,
    chosen: Vec<Option<usize>>,
}

impl Sweep {
    /// Every deployment of the catalog, in its order.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// By price, the place of the deployment chosen; `None` where none is feasible.
    pub fn chosen(&self) -> &[Option<usize>] {
        &self.chosen
    }
}

impl Router {
    /// Decides a request as [`decide`](Self::decide) does, once for each value of a unit of quality in US dollars.
    ///
    /// The text is read and the predictions are made once; the request's own dial is not looked at.
    ///
    /// # Errors
    ///
    /// As [`decide`](Self::decide); a value outside `[0, 1e9]`.
    ///
    /// # Example
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use pointsman_core::{Catalog, Conversation, Request, Router};
    ///
    /// let catalog = Catalog::from_json(br#"{
    ///     "models": [{"name": "good", "context_window": 8000, "quality": {"default": 0.9}},
    ///                {"name": "cheap", "context_window": 8000, "quality": {"default": 0.6}}],
    ///     "providers": [{"name": "p"}],
    ///     "deployments": [{"name": "a", "model": "good", "provider": "p",
    ///         "price_nano_usd_per_mtok": {"input": 10000000000, "output": 30000000000},
    ///         "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}},
    ///         {"name": "b", "model": "cheap", "provider": "p",
    ///         "price_nano_usd_per_mtok": {"input": 100000000, "output": 300000000},
    ///         "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}}]}"#)?;
    /// let router = Router::new(Arc::new(catalog))?;
    /// let request = Request::new(Conversation::user("What is the capital of France?"));
    /// let sweep = router.sweep(&request, &[0.0, 1e6], 1_700_000_000.0, 7)?;
    /// assert_eq!(sweep.chosen(), [Some(1), Some(0)]);
    /// # Ok::<(), pointsman_core::Error>(())
    /// ```
    pub fn sweep<S: AsRef<str>>(
        &self,
        request: &Request<S>,
        quality_values_usd: &[f64],
        now_s: f64,
        seed: u64,
    ) -> Result<Sweep, Error> {
        let table = Arc::clone(&read(&self.table));
        for value in quality_values_usd {
            check(*value)?;
        }
        let limits = resolve(&table, request)?;
        let mut outlook = Outlook::new(&table, request, limits, &self.sessions, now_s)?;
        let choose = |value: &f64| {
            outlook.limits.dial = Dial::Value(*value);
            let choice = outlook.choose(&table, seed)?;
            Ok(choice.map(|choice| choice.ranking[0]))
        };
        let chosen = quality_values_usd.iter().map(choose);
        Ok(Sweep {
            chosen: chosen.collect::<Result<_, Error>>()?,
            candidates: outlook.candidates,
        })
    }

    /// [`sweep`](Self::sweep) of many; request `i` uses `seed + i` (wrapping).
    ///
    /// # Errors
    ///
    /// As [`sweep`](Self::sweep); the message names the request's index.
    pub fn sweep_many<S: AsRef<str>>(
        &self,
        requests: &[Request<S>],
        quality_values_usd: &[f64],
        now_s: f64,
        seed: u64,
    ) -> Result<Vec<Sweep>, Error> {
        let one = |(index, request): (usize, &Request<S>)| {
            self.sweep(
                request,
                quality_values_usd,
                now_s,
                seed.wrapping_add(index as u64),
            )
            .map_err(|error| error.within(&format!("requests[{index}].")))
        };
        requests.iter().enumerate().map(one).collect()
    }
}

fn check(value: f64) -> Result<(), Error> {
    if (0.0..=1e9).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(
        "quality_values_usd",
        value,
        "give numbers in [0, 1e9]",
    ))
}
