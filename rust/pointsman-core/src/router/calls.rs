//! The router's view of calls under way: who may be called, what came of it, how all of them are.

use super::{Router, Table, lock, read};
use crate::error::{Error, ErrorKind};
use crate::health::{CallEnd, DeploymentHealth, HealthSettings, LimitNews, Phase, Refusal, Ticket};
use crate::learn_error::within;

impl Router {
    /// Asks leave to call a deployment now, and reserves a request and `n_tokens` under its rate limits.
    ///
    /// Every ticket must come back through [`end`](Self::end), whatever became of the call.
    ///
    /// # Errors
    ///
    /// A deployment the catalog does not hold, a time that is not finite. That it may not be called now is a
    /// [`Refusal`] and no error.
    pub fn begin(
        &self,
        deployment: &str,
        n_tokens: u64,
        now_s: f64,
    ) -> Result<Result<Ticket, Refusal>, Error> {
        check_time(now_s)?;
        let table = read(&self.table);
        let index = table.catalog.deployment_index(deployment)?;
        let begun = lock(&table.health).begin(index, n_tokens, now_s);
        Ok(begun)
    }

    /// Learns the time to first token of a stream that has just begun to answer, in milliseconds.
    ///
    /// # Errors
    ///
    /// A number that is negative or not finite.
    pub fn first_token(&self, ticket: &Ticket, ttft_ms: f64, now_s: f64) -> Result<(), Error> {
        check_time(now_s)?;
        within("ttft_ms", ttft_ms, 0.0, 1e9, "give a value in [0, 1e9]")?;
        lock(&read(&self.table).health).first_token(ticket, ttft_ms, now_s);
        Ok(())
    }

    /// Learns how a call ended; gives the breaker's new phase if that changed it.
    ///
    /// # Errors
    ///
    /// A number that is negative or not finite; the ticket counts as given back all the same.
    pub fn end(&self, ticket: &Ticket, end: &CallEnd, now_s: f64) -> Result<Option<Phase>, Error> {
        let checked = check_time(now_s).and_then(|()| check_end(end));
        let table = read(&self.table);
        let end = if checked.is_ok() {
            end
        } else {
            &CallEnd::Abandoned
        };
        let phase = lock(&table.health).end(ticket, end, now_s);
        checked.map(|()| phase)
    }

    /// What is estimated of the time to first token of an answer that came in one piece, milliseconds.
    ///
    /// As much longer than expected as the whole was: a long answer is not mistaken for a queue. `None`: its
    /// deployment was swapped away.
    pub fn estimated_ttft_ms(
        &self,
        ticket: &Ticket,
        latency_ms: f64,
        n_output_tokens: u64,
        now_s: f64,
    ) -> Option<f64> {
        let table = read(&self.table);
        let index = lock(&table.health).place(ticket)?;
        let speed = read(&table.learned).speed(index, now_s);
        let factor = latency_ms / speed.p50_ms(n_output_tokens as f64);
        Some((speed.ttft_p50_ms * factor).min(latency_ms))
    }

    /// Learns what an answer's headers say of the deployment's rate limits.
    ///
    /// # Errors
    ///
    /// A deployment the catalog does not hold, a number that is negative or not finite.
    pub fn learn_limits(
        &self,
        deployment: &str,
        requests: &LimitNews,
        tokens: &LimitNews,
        now_s: f64,
    ) -> Result<(), Error> {
        check_time(now_s)?;
        requests.check()?;
        tokens.check()?;
        let table = read(&self.table);
        let index = table.catalog.deployment_index(deployment)?;
        lock(&table.health).learn_limits(index, requests, tokens, now_s);
        Ok(())
    }

    /// The state of every deployment, in the catalog's order.
    pub fn health(&self, now_s: f64) -> Vec<DeploymentHealth> {
        lock(&read(&self.table).health).report(now_s)
    }

    /// The same as JSON: a list of objects that begin with the deployment's name.
    pub fn health_json(&self, now_s: f64) -> Vec<u8> {
        let table = read(&self.table);
        let report = lock(&table.health).report(now_s);
        table.health_json(&report)
    }

    /// Takes other settings of health; what was seen stays.
    ///
    /// # Errors
    ///
    /// A value outside its range.
    pub fn configure_health(&self, settings: HealthSettings) -> Result<(), Error> {
        settings.check()?;
        lock(&read(&self.table).health).configure(settings);
        Ok(())
    }

    /// The same, from JSON; what it leaves out is the default.
    ///
    /// # Errors
    ///
    /// As [`configure_health`](Self::configure_health); JSON that is malformed or has an unknown field.
    pub fn configure_health_json(&self, document: &[u8]) -> Result<(), Error> {
        let settings: HealthSettings = serde_json::from_slice(document)
            .map_err(|error| Error::invalid("health", error, "give an object of known settings"))?;
        self.configure_health(settings)
    }
}

impl Table {
    fn health_json(&self, report: &[DeploymentHealth]) -> Vec<u8> {
        let catalog = &self.catalog;
        let names = catalog.deployments().iter().map(|deployment| {
            let model = catalog.model_of(deployment).name.as_str();
            let provider = catalog.provider_of(deployment).name.as_str();
            (deployment.name.as_str(), model, provider)
        });
        let each: Vec<_> = names
            .zip(report)
            .map(|(names, one)| one.record(names))
            .collect();
        // Plain numbers and texts: it always serialises.
        serde_json::to_vec(&each).unwrap_or_default()
    }
}

fn check_time(now_s: f64) -> Result<(), Error> {
    if now_s.is_finite() {
        return Ok(());
    }
    Err(ErrorKind::InvalidValue {
        field: "now_s".to_owned(),
        got: now_s.to_string(),
        remedy: "give seconds since the epoch".to_owned(),
    }
    .into())
}

fn check_end(end: &CallEnd) -> Result<(), Error> {
    let (latency_ms, retry_after_s) = match *end {
        CallEnd::Answered { ttft_ms, .. } => (ttft_ms, None),
        CallEnd::Failed {
            latency_ms,
            retry_after_s,
        } => (Some(latency_ms), retry_after_s),
        CallEnd::RateLimited { retry_after_s } => (None, retry_after_s),
        CallEnd::Rejected | CallEnd::Abandoned => (None, None),
    };
    let remedy = "give a value in [0, 1e9]";
    within("latency_ms", latency_ms.unwrap_or(0.0), 0.0, 1e9, remedy)?;
    within(
        "retry_after_s",
        retry_after_s.unwrap_or(0.0),
        0.0,
        1e9,
        remedy,
    )?;
    Ok(())
}
