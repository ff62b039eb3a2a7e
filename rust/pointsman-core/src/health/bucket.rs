//! [`Bucket`]: what is left of a rate limit: requests or tokens, flowing back all the time.

use super::limits::LimitNews;

/// Share of a limit that may be used before it weighs on the choice (chosen).
const EASY_SHARE: f64 = 0.8;
/// Times its price that a call costs more at an empty bucket.
const EMPTY_PRESSURE: f64 = 2.0;
/// Longest time in which a limit flows back, in seconds: a day, as limits per day are said in the same headers.
const MAX_RESET_S: f64 = 86_400.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    pub(super) limit: f64,
    /// What the operator allows at most; infinite if only the provider has told a limit.
    most: f64,
    level: f64,
    per_s: f64,
    at_s: f64,
    learned_at_s: f64,
}

impl Bucket {
    /// Full, with the operator's limit a minute.
    pub(super) fn per_minute(limit: f64) -> Self {
        Self {
            limit,
            most: limit,
            level: limit,
            per_s: limit / 60.0,
            at_s: f64::NEG_INFINITY,
            learned_at_s: f64::NEG_INFINITY,
        }
    }

    /// Of a limit that only the provider has told; `None` if it told none.
    pub(super) fn learned(news: &LimitNews, now_s: f64) -> Option<Self> {
        let limit = news.limit.filter(|limit| *limit > 0.0)?;
        let mut bucket = Self {
            most: f64::INFINITY,
            ..Self::per_minute(limit)
        };
        bucket.learn(news, now_s);
        Some(bucket)
    }

    /// What is left now; below 0 if more was used than reserved.
    pub(super) fn level(&self, now_s: f64) -> f64 {
        let elapsed_s = (now_s - self.at_s).max(0.0);
        (self.level + elapsed_s * self.per_s).min(self.limit)
    }

    /// Seconds until so much is left, or until it is full if that is never; 0: it is.
    pub(super) fn ends_in_s(&self, n: f64, now_s: f64) -> f64 {
        // More than the whole limit is let through by a full bucket: the provider may refuse it, nobody else can.
        let missing = n.min(self.limit) - self.level(now_s);
        if missing <= 1e-9 {
            0.0
        } else {
            missing / self.per_s
        }
    }

    pub(super) fn take(&mut self, n: f64, now_s: f64) {
        self.level = self.level(now_s) - n;
        self.at_s = self.at_s.max(now_s);
    }

    /// Puts right what was reserved at `began_s`, unless the provider has told the level since.
    pub(super) fn settle(&mut self, n_reserved: f64, n_used: f64, began_s: f64, now_s: f64) {
        if self.learned_at_s < began_s {
            self.take(n_used - n_reserved, now_s);
        }
    }

    /// Takes over what the provider says, but for more than the operator allows.
    pub(super) fn learn(&mut self, news: &LimitNews, now_s: f64) {
        let ours = self.level(now_s);
        if let Some(limit) = news.limit.filter(|limit| *limit > 0.0) {
            self.limit = limit.min(self.most);
            self.per_s = self.limit / 60.0;
        }
        let Some(remaining) = news.remaining else {
            return;
        };
        if self.most.is_finite() && remaining > ours {
            (self.level, self.at_s) = (ours.min(self.limit), self.at_s.max(now_s));
            return;
        }
        self.level = remaining.clamp(0.0, self.limit);
        self.at_s = now_s;
        self.learned_at_s = now_s;
        let missing = self.limit - self.level;
        if let Some(reset_s) = news.reset_s.filter(|_| missing > 0.0) {
            self.per_s = (missing / reset_s.clamp(1e-3, MAX_RESET_S)).min(self.most / 60.0);
        }
    }

    /// How much dearer a call is for what little is left, >= 0.
    pub(super) fn pressure(&self, now_s: f64) -> f64 {
        scarcity(1.0 - self.level(now_s) / self.limit)
    }
}

/// How much dearer a call is where so much of a limit is used: nothing up to 0.8, twice its price at the limit.
pub(super) fn scarcity(used: f64) -> f64 {
    EMPTY_PRESSURE * ((used - EASY_SHARE) / (1.0 - EASY_SHARE)).clamp(0.0, 1.0)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_flows_back_and_never_beyond_the_limit() {
        let mut bucket = Bucket::per_minute(60.0);
        bucket.take(60.0, 0.0);
        assert_eq!((bucket.level(0.0), bucket.ends_in_s(5.0, 0.0)), (0.0, 5.0));
        assert_eq!((bucket.level(30.0), bucket.level(1e6)), (30.0, 60.0));
        assert_eq!(bucket.ends_in_s(1e9, 0.0), 60.0);
        assert_eq!(bucket.ends_in_s(1e9, 60.0), 0.0);
    }

    #[test]
    fn the_provider_is_believed_and_a_settlement_from_before_is_not_counted_twice() {
        let news = LimitNews {
            limit: Some(600.0),
            remaining: Some(0.0),
            reset_s: Some(6.0),
        };
        let mut bucket = Bucket::learned(&news, 1.0).unwrap();
        assert_eq!(
            (bucket.level(1.0), bucket.ends_in_s(100.0, 1.0)),
            (0.0, 1.0)
        );
        bucket.settle(10.0, 500.0, 0.0, 1.0);
        assert_eq!(bucket.level(1.0), 0.0);
        bucket.take(100.0, 3.0);
        bucket.settle(100.0, 50.0, 3.0, 3.0);
        assert_eq!(bucket.level(3.0), 150.0);
    }

    #[test]
    fn the_provider_may_allow_less_than_the_operator_but_not_more() {
        let mut bucket = Bucket::per_minute(60.0);
        bucket.take(40.0, 0.0);
        let news = |remaining| LimitNews {
            limit: Some(600.0),
            remaining: Some(remaining),
            reset_s: Some(6.0),
        };
        bucket.learn(&news(500.0), 0.0);
        assert_eq!((bucket.limit, bucket.level(0.0)), (60.0, 20.0));
        assert_eq!(bucket.level(10.0), 30.0);
        bucket.learn(&news(5.0), 10.0);
        assert_eq!((bucket.level(10.0), bucket.level(20.0)), (5.0, 15.0));
    }

    #[test]
    fn only_the_last_fifth_weighs() {
        let mut bucket = Bucket::per_minute(100.0);
        bucket.take(80.0, 0.0);
        assert!(bucket.pressure(0.0) < 1e-9);
        bucket.take(10.0, 0.0);
        assert!((bucket.pressure(0.0) - 1.0).abs() < 1e-9);
        bucket.take(50.0, 0.0);
        assert_eq!(bucket.pressure(0.0), 2.0);
    }
}
