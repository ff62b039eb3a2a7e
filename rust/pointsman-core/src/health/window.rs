//! [`Window`]: calls that begin in a row, to be judged together.

/// Share of them that must have a first token: were it fewer, the fast ones would speak for all.
const HEARD: f64 = 0.95;
/// Times as many calls as wanted after which those that are not heard of are given up.
const OVERDUE: u32 = 8;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) number: u32,
    n_wanted: u32,
    n_begun: u32,
    n_ended: u32,
    /// Calls that began since its first, whether in it or not.
    n_passed: u32,
    since_s: f64,
    /// When its last began, and the calls until then.
    until_s: f64,
    n_until: u32,
}

impl Window {
    pub(super) fn new(number: u32, n_wanted: u32) -> Self {
        Self {
            number,
            n_wanted,
            n_begun: 0,
            n_ended: 0,
            n_passed: 0,
            since_s: 0.0,
            until_s: 0.0,
            n_until: 0,
        }
    }

    /// Counts a call that begins; gives the window's number, 0 if it has all it wants.
    pub(super) fn begin(&mut self, now_s: f64) -> u32 {
        self.n_begun = self.n_begun.saturating_add(1);
        if self.n_begun == 1 {
            (self.since_s, self.n_passed) = (now_s, 0);
        }
        if self.n_begun > self.n_wanted {
            return 0;
        }
        (self.until_s, self.n_until) = (now_s, self.n_passed);
        self.number
    }

    /// Counts a call that begins, whether in the window or not.
    pub(super) fn pass(&mut self) {
        self.n_passed = self.n_passed.saturating_add(1);
    }

    /// Counts a call of the window that has its first token or never will.
    pub(super) fn end(&mut self) {
        self.n_ended = self.n_ended.saturating_add(1);
    }

    pub(super) fn n_wanted(&self) -> u32 {
        self.n_wanted
    }

    /// Whether it waits for calls, and none began after that time.
    pub(super) fn is_idle(&self, since_s: f64) -> bool {
        self.n_begun > 0 && !self.is_full() && self.until_s < since_s
    }

    /// Wants as many calls again.
    pub(super) fn widen(&mut self) {
        self.n_begun = self.n_wanted;
        self.n_wanted *= 2;
    }

    pub(super) fn is_full(&self) -> bool {
        self.n_begun >= self.n_wanted
    }

    /// Whether nearly all have ended, or so many have begun since that the others never will.
    pub(super) fn is_heard(&self) -> bool {
        let is_overdue = self.n_begun / OVERDUE >= self.n_wanted;
        f64::from(self.n_ended) >= HEARD * f64::from(self.n_wanted) || is_overdue
    }

    /// Calls that began a second; infinite in no time.
    pub(super) fn per_s(&self) -> f64 {
        f64::from(self.n_until) / (self.until_s - self.since_s)
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn it_is_heard_when_nearly_all_have_ended_and_counts_all_that_came_meanwhile() {
        let mut window = Window::new(7, 20);
        for second in 0..20 {
            (0..3).for_each(|_| window.pass());
            assert_eq!(window.begin(f64::from(second)), 7);
        }
        assert_eq!((window.begin(99.0), window.per_s()), (0, 3.0));
        (0..18).for_each(|_| window.end());
        assert!(window.is_full() && !window.is_heard());
        window.end();
        assert!(window.is_heard());
        window.widen();
        assert!(!window.is_full() && !window.is_heard() && window.begin(100.0) == 7);
    }

    #[test]
    fn calls_that_never_end_are_given_up() {
        let mut window = Window::new(1, 10);
        (0..79).for_each(|_| {
            window.begin(0.0);
        });
        assert!(!window.is_heard());
        window.begin(0.0);
        assert!(window.is_heard());
    }
}
