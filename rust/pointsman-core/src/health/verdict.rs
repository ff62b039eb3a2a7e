//! What calls and headers mean for a deployment: its breaker opens or closes, its limits are known.

use super::breaker::Phase;
use super::bucket::Bucket;
use super::call::CallEnd;
use super::limits::LimitNews;
use super::member::Member;
use super::settings::HealthSettings;

impl Member {
    /// Whether the breaker has reason to open.
    pub(super) fn is_unwell(&self, settings: &HealthSettings, now_s: f64) -> bool {
        let failures = &self.failures;
        failures.n_consecutive >= settings.max_consecutive_failures
            || failures.n_calls(now_s) >= settings.min_calls
                && failures.rate_lcb() > settings.max_failure_rate
    }

    /// What a probe's end means: an answer (or a refusal that is not the deployment's fault) closes the breaker.
    pub(super) fn judge_probe(
        &mut self,
        end: &CallEnd,
        settings: &HealthSettings,
        now_s: f64,
    ) -> Option<Phase> {
        match end {
            CallEnd::Failed { .. } => {
                self.breaker.open(settings, self.key, now_s);
                Some(Phase::Open)
            }
            CallEnd::Abandoned => {
                self.breaker.leave_probe();
                None
            }
            _ => {
                self.breaker.close(now_s);
                self.failures.forgive();
                Some(Phase::Closed)
            }
        }
    }

    pub(super) fn learn_limits(&mut self, requests: &LimitNews, tokens: &LimitNews, now_s: f64) {
        for (bucket, news) in [(&mut self.requests, requests), (&mut self.tokens, tokens)] {
            if news.is_none() {
                continue;
            }
            match bucket {
                Some(bucket) => bucket.learn(news, now_s),
                None => *bucket = Bucket::learned(news, now_s),
            }
        }
    }

    pub(super) fn configure(&mut self, settings: &HealthSettings) {
        self.concurrency.configure(settings);
    }
}
