//! [`Concurrency`]: how many calls a deployment takes at once before they queue, by their time to first token.
//!
//! The gradient idea of Netflix's `concurrency-limits` (`Gradient2`, science.md 1.7 and 2.11), with what its users had to
//! mend: the queue is counted in calls, as Vegas does; what is usual is only learned with at most half the limit under
//! way, and now and then the limit is halved to see it, as BBR does, so that it cannot follow the congestion; and sets of
//! calls are compared ([`Evidence`]), never single values. Time to first token and not the whole latency, so that long
//! answers do not look like a queue.

use super::evidence::{Evidence, Excess};
use super::settings::HealthSettings;
use super::usual::TOLERANCE;
use super::window::Window;

/// Share of the limit, and calls besides, that may queue at the deployment (Vegas' alpha; chosen).
const QUEUE_SHARE: f64 = 0.1;
const QUEUE_CALLS: f64 = 1.0;
/// Share of the limit by which it falls at least.
const LEAST_FALL: f64 = 0.1;
/// Share of the limit from which a queue, beyond doubt, may have been one too with half as many under way.
const DEEP: f64 = 0.35;
/// Standard errors by which a queue must be beyond doubt before the limit falls.
const DOUBT: f64 = 2.0;
/// Share of the limit from which calls under way say what it does.
const BUSY: f64 = 0.8;
/// Least calls by which the limit is judged; as many as the limit if that is more, and up to eight times as many while
/// in doubt.
const WINDOW: u32 = 32;
const LONGEST: u32 = 8;
/// Calls of a probe, and the weight of evidence that is enough to judge by.
const PROBE: u32 = 64;
const ENOUGH: f64 = 8.0;
/// Calls that are remembered of what is usual, and busy ones in which it is forgotten to 1/e.
const REMEMBERED: f64 = 256.0;
const FORGOTTEN: f64 = 1000.0;
/// Seconds without a call after which what was begun to be looked at is given up.
const IDLE_S: f64 = 300.0;
/// The limit's least growth, which doubles with each in a row up to the largest.
const GROWTH: f64 = 0.05;
const MAX_GROWTH: f64 = 0.5;

/// A time to first token.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstToken {
    pub(super) ttft_ms: f64,
    pub(super) n_tokens: u64,
    pub(super) place: Place,
}

/// Where a call stands in what is learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    /// Calls under way when it began, itself among them.
    n_pending: u32,
    /// Whether those were few. Were it asked when the first token is there, with a limit that has grown, the slow ones
    /// would speak for all.
    is_calm: bool,
    /// Number of the window it is counted in; 0: in none.
    window: u32,
    /// What had been forgotten when it began.
    forgotten: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Concurrency {
    limit: f64,
    /// Whether the limit is halved for now, to see what is usual.
    is_probing: bool,
    /// Growths since the limit last fell.
    n_growths: u32,
    /// Whether it fell by what may have been usual long ago.
    is_suspect: bool,
    usual: Evidence,
    /// Negative logarithm of what is left of the first that was usual. What a slow call has to say comes late, and
    /// weighs no more than what its contemporaries said.
    forgotten: f64,
    busy: Evidence,
    window: Window,
}

impl Concurrency {
    pub(super) fn new(settings: &HealthSettings) -> Self {
        let limit = settings.initial_concurrency;
        Self {
            limit,
            is_probing: false,
            n_growths: 2,
            is_suspect: false,
            usual: Evidence::NONE,
            forgotten: 0.0,
            busy: Evidence::NONE,
            window: Window::new(1, n_wanted(limit)),
        }
    }

    /// Takes other settings: the limit starts anew if nothing was learned, and is kept within the new bounds.
    pub(super) fn configure(&mut self, settings: &HealthSettings) {
        if self.window.number == 1 {
            self.limit = settings.initial_concurrency;
        }
        self.limit = bounded(self.limit, settings);
    }

    /// Calls that may be under way now.
    pub(super) fn limit(&self, settings: &HealthSettings) -> f64 {
        if self.is_probing && !self.window.is_full() {
            self.calm(settings)
        } else {
            self.limit.floor()
        }
    }

    /// Calls under way up to which a time to first token counts as usual.
    fn calm(&self, settings: &HealthSettings) -> f64 {
        (self.limit / 2.0).max(settings.min_concurrency).floor()
    }

    /// A call begins, with so many under way, itself among them.
    pub(super) fn begin(&mut self, n_pending: u32, now_s: f64, settings: &HealthSettings) -> Place {
        if self.window.is_idle(now_s - IDLE_S) {
            self.is_probing = false;
            self.start_window();
        }
        self.window.pass();
        let is_busy = f64::from(n_pending) >= BUSY * self.limit.floor();
        let is_in = is_busy || self.is_probing;
        Place {
            n_pending,
            is_calm: f64::from(n_pending) <= self.calm(settings),
            window: if is_in { self.window.begin(now_s) } else { 0 },
            forgotten: self.forgotten,
        }
    }

    /// Learns a time to first token.
    pub(super) fn observe(&mut self, seen: &FirstToken, settings: &HealthSettings) {
        if seen.place.is_calm {
            self.learn_usual(seen);
        }
        if seen.place.window == self.window.number && !self.is_probing {
            self.forget(1.0 / FORGOTTEN);
            self.busy.add(seen.ttft_ms, seen.n_tokens, 1.0);
        }
        self.ended(seen.place, settings);
    }

    /// A call has its first token, or ended without one.
    pub(super) fn ended(&mut self, place: Place, settings: &HealthSettings) {
        if place.window == self.window.number {
            self.window.end();
        }
        if !self.window.is_heard() {
            return;
        }
        if self.is_probing {
            self.is_probing = false;
            self.start_window();
        } else {
            self.judge(settings);
        }
    }

    /// The provider refused a call: it takes fewer than were under way, if those were nearly as many as it may have.
    pub(super) fn refused(&mut self, place: Place, settings: &HealthSettings) {
        if place.window == self.window.number && !self.is_probing {
            self.fall_to(0.9 * f64::from(place.n_pending), settings);
        }
    }

    fn learn_usual(&mut self, seen: &FirstToken) {
        if self.usual.n() >= REMEMBERED {
            self.forget(1.0 / REMEMBERED);
        }
        let weight = (seen.place.forgotten - self.forgotten).exp();
        self.usual.add(seen.ttft_ms, seen.n_tokens, weight);
    }

    fn forget(&mut self, share: f64) {
        self.forgotten += share;
        self.usual.fade((-share).exp());
    }

    /// Forgets what was usual, and what is still to come of it.
    fn forget_all(&mut self) {
        self.forgotten += 1e3;
        self.usual = Evidence::NONE;
    }

    fn judge(&mut self, settings: &HealthSettings) {
        let excess = self.busy.excess_over(&self.usual);
        let Some(excess) = excess.filter(|excess| excess.weight >= ENOUGH) else {
            return self.look(settings);
        };
        let surely = excess.ln_ratio - DOUBT * excess.error;
        if self.is_much(&excess, surely) {
            self.shrink(&excess, settings);
        } else if !self.is_much(&excess, excess.ln_ratio) {
            self.grow(settings);
        } else if self.window.n_wanted() < LONGEST * n_wanted(self.limit) {
            self.window.widen();
        } else {
            self.start_window();
        }
    }

    /// Whether first tokens so much slower than usual mean that the limit is too high: that calls queue, or, where a
    /// server takes all at once and each the slower for it, that they are slowed.
    fn is_much(&self, excess: &Excess, ln_ratio: f64) -> bool {
        let may_queue = QUEUE_SHARE * self.limit + QUEUE_CALLS;
        ln_ratio > TOLERANCE.ln() || self.n_queued(excess, ln_ratio) > may_queue
    }

    /// Calls that wait, by Little's law: those that come a second, times what they wait.
    fn n_queued(&self, excess: &Excess, ln_ratio: f64) -> f64 {
        let usual_s = 1e-3 * excess.usual_ms;
        let busy_s = usual_s * ln_ratio.exp();
        self.window.per_s().min(self.limit / busy_s) * (busy_s - usual_s)
    }

    fn grow(&mut self, settings: &HealthSettings) {
        let share = (GROWTH * f64::from(self.n_growths.min(8)).exp2()).min(MAX_GROWTH);
        self.n_growths = self.n_growths.saturating_add(1);
        self.is_suspect = false;
        self.set(self.limit + (share * self.limit).max(1.0), settings);
    }

    fn shrink(&mut self, excess: &Excess, settings: &HealthSettings) {
        if self.is_suspect {
            return self.probe();
        }
        let n_queued = self.n_queued(excess, excess.ln_ratio);
        let n_surely = self.n_queued(excess, excess.ln_ratio - DOUBT * excess.error);
        let n_less = n_queued.max(LEAST_FALL * self.limit);
        let is_usual_doubtful = n_surely > DEEP * self.limit || n_less >= self.limit / 2.0;
        self.fall_to((self.limit - n_less).max(self.limit / 2.0), settings);
        if is_usual_doubtful {
            self.forget_all();
            self.look(settings);
        }
    }

    fn fall_to(&mut self, limit: f64, settings: &HealthSettings) {
        self.is_suspect = true;
        self.n_growths = 0;
        self.set(limit, settings);
    }

    fn set(&mut self, limit: f64, settings: &HealthSettings) {
        self.limit = bounded(limit, settings);
        self.start_window();
    }

    fn start_window(&mut self) {
        let n_wanted = if self.is_probing {
            PROBE
        } else {
            n_wanted(self.limit)
        };
        self.busy = Evidence::NONE;
        self.window = Window::new(self.window.number.wrapping_add(1).max(1), n_wanted);
    }

    /// Too little is known of what is usual: looks, or at the least limit grows to be able to.
    fn look(&mut self, settings: &HealthSettings) {
        if self.limit < settings.min_concurrency + 1.0 {
            self.grow(settings);
        } else {
            self.probe();
        }
    }

    /// Halves the limit until enough calls have begun to tell what is usual.
    fn probe(&mut self) {
        self.is_probing = true;
        self.is_suspect = false;
        self.forget_all();
        self.start_window();
    }
}

fn n_wanted(limit: f64) -> u32 {
    WINDOW.max(limit as u32)
}

fn bounded(limit: f64, settings: &HealthSettings) -> f64 {
    limit.clamp(settings.min_concurrency, settings.max_concurrency)
}
