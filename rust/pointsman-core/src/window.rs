//! [`RotatingSketch`]: the quantiles of the last five minutes, and a fading memory of what came before.

use crate::codec::{Reader, Writer};
use crate::learn_error::{LearnError, within};
use crate::sketch::{Sketch, quantile};

/// Windows, and seconds per window (science.md 2.5).
pub const N_WINDOWS: usize = 5;
const SPAN: i64 = 5;
/// Number of the window at 1e12 s, the last time that is accepted.
const LAST_WINDOW: i64 = 20_000_000_000;
/// Seconds per window.
pub const WINDOW_S: f64 = 60.0;
/// Values the long memory holds before it forgets half (chosen: a day of a quiet deployment).
const N_REMEMBERED: f64 = 5000.0;

/// Five sketches of a minute each.
///
/// # Example
///
/// ```
/// use pointsman_core::window::RotatingSketch;
///
/// let mut window = RotatingSketch::default();
/// window.add(2.0, 0.0).unwrap();
/// window.add(9.0, 250.0).unwrap();
/// assert_eq!(window.n_recent(250.0), 2.0);
/// assert_eq!(window.n_recent(310.0), 1.0);
/// assert!((window.recent(0.5, 310.0).unwrap() / 9.0 - 1.0).abs() < 0.011);
/// assert_eq!(window.recent(0.5, 10_000.0), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RotatingSketch {
    windows: [Sketch; N_WINDOWS],
    /// Number of the newest window since time 0.
    newest: i64,
    past: Sketch,
}

impl RotatingSketch {
    /// Adds a value >= 0; one older than five minutes goes to the long memory.
    ///
    /// # Errors
    ///
    /// A value that is negative or not finite; a time beyond ±1e12.
    pub fn add(&mut self, value: f64, now_s: f64) -> Result<(), LearnError> {
        within("now_s", now_s, -1e12, 1e12, "give seconds")?;
        within("value", value, 0.0, f64::MAX, "give a finite value >= 0")?;
        let number = number(now_s);
        self.rotate(number);
        if self.newest - number >= SPAN {
            return self.past.add(value);
        }
        self.windows[place(number)].add(value)
    }

    /// Quantile of the last five minutes; `None` without values.
    pub fn recent(&self, q: f64, now_s: f64) -> Option<f64> {
        const EMPTY: &Sketch = &Sketch::EMPTY;
        let live: [&Sketch; N_WINDOWS] = std::array::from_fn(|index| {
            let window = &self.windows[index];
            if self.is_live(index, now_s) {
                window
            } else {
                EMPTY
            }
        });
        quantile(live, q)
    }

    /// Number of values in the last five minutes.
    pub fn n_recent(&self, now_s: f64) -> f64 {
        let live = (0..N_WINDOWS).filter(|index| self.is_live(*index, now_s));
        live.map(|index| self.windows[index].n()).sum()
    }

    /// Values older than five minutes, the oldest fading.
    pub fn past(&self) -> &Sketch {
        &self.past
    }

    /// The time at which the oldest live window ends; infinite without values.
    pub fn valid_until_s(&self, now_s: f64) -> f64 {
        let live = (0..N_WINDOWS).filter(|index| self.is_live(*index, now_s));
        let filled = live.filter(|index| self.windows[*index].n() > 0.0);
        let end = |index| (self.number_of(index) + SPAN) as f64 * WINDOW_S;
        filled.map(end).fold(f64::INFINITY, f64::min)
    }

    /// Whether no value was ever added.
    pub(crate) fn is_empty(&self) -> bool {
        self.windows.iter().all(|window| window.n() == 0.0) && self.past.n() == 0.0
    }

    /// Beginning of the newest window.
    pub(crate) fn newest_start_s(&self) -> f64 {
        self.newest as f64 * WINDOW_S
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.f64(self.newest as f64);
        self.windows.iter().for_each(|window| window.save(writer));
        self.past.save(writer);
    }

    pub(crate) fn load(reader: &mut Reader) -> Result<Self, LearnError> {
        let newest = reader.whole(LAST_WINDOW)?;
        let mut windows: [Sketch; N_WINDOWS] = Default::default();
        for window in &mut windows {
            *window = Sketch::load(reader)?;
        }
        let past = Sketch::load(reader)?;
        Ok(Self {
            windows,
            newest,
            past,
        })
    }

    fn rotate(&mut self, number: i64) {
        if self.is_empty() {
            self.newest = number;
        }
        let n_steps = (number - self.newest).clamp(0, SPAN);
        self.newest = self.newest.max(number);
        for step in 0..n_steps {
            let window = &mut self.windows[place(self.newest - step)];
            self.past.merge(window);
            window.clear();
        }
        if self.past.n() > N_REMEMBERED {
            self.past.scale(0.5);
        }
    }

    /// The window number held at a place.
    fn number_of(&self, index: usize) -> i64 {
        let number = i64::try_from(index).unwrap_or(0);
        self.newest - (self.newest - number).rem_euclid(SPAN)
    }

    fn is_live(&self, index: usize, now_s: f64) -> bool {
        number(now_s) - self.number_of(index) < SPAN
    }
}

/// Beginning of the window that `now_s` lies in.
pub(crate) fn window_start_s(now_s: f64) -> f64 {
    number(now_s) as f64 * WINDOW_S
}

fn number(now_s: f64) -> i64 {
    (now_s / WINDOW_S).floor() as i64
}

fn place(number: i64) -> usize {
    number.rem_euclid(SPAN) as usize
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_window_is_remembered() {
        let mut window = RotatingSketch::default();
        (0..10).for_each(|second| window.add(5.0, f64::from(second)).unwrap());
        assert_eq!(window.past().n(), 0.0);
        window.add(7.0, 3600.0).unwrap();
        assert_eq!(window.past().n(), 10.0);
        assert_eq!(window.n_recent(3600.0), 1.0);
        window.add(5.0, 0.0).unwrap();
        assert_eq!(window.past().n(), 11.0);
    }

    #[test]
    fn a_late_value_joins_its_own_minute() {
        let mut window = RotatingSketch::default();
        window.add(1.0, 1000.0).unwrap();
        window.add(1.0, 880.0).unwrap();
        assert_eq!(window.n_recent(1000.0), 2.0);
        assert_eq!(window.n_recent(1150.0), 1.0);
        assert_eq!(window.valid_until_s(1000.0), 1140.0);
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut window = RotatingSketch::default();
        for minute in 0..2000 {
            (0..10).for_each(|_| window.add(1.0, f64::from(minute) * 60.0).unwrap());
        }
        assert!(window.past().n() <= N_REMEMBERED);
    }
}
