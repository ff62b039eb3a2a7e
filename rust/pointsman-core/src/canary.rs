//! [`CanaryTest`]: whether a canary does worse than what is served, answer by answer (science.md 2.7, 2.12).
//!
//! Who comes to the canary is drawn with a known probability. So `Y = (u - m) / share` of a canary's answer and
//! `Y = -(u - m) / (1 - share)` of another's have the mean difference of utilities for expectation, whatever number
//! `m` was fixed before, and however traffic changes meanwhile; wealth that is bet on `Y` grows only against a
//! hypothesis that is wrong. The test is valid at any time it is looked at.

use crate::codec::{Reader, Writer};
use crate::learn_error::{LearnError, within};

/// Shares of the largest bet that cannot be ruined; their wealths are averaged.
const BETS: [f64; 6] = [0.03125, 0.0625, 0.125, 0.25, 0.5, 0.9];
/// Differences that the interval is made of: from -0.5 to 0.5, so far apart; beyond them it ends at -1 or 1.
const STEP: f64 = 0.02;
const N_STEPS: usize = 51;
/// Beyond every alarm, so that no product overflows and saved numbers stay small.
const MAX_WEALTH: f64 = 1e12;
/// Least range that a bet is sized by.
const MIN_RANGE: f64 = 1e-3;
const MAGIC: [u8; 4] = *b"PMCT";
const VERSION: u32 = 1;

type Wealth = [f64; BETS.len()];

/// A test whether the canary's mean utility is more than `margin` below that of what is served.
///
/// # Example
///
/// ```
/// use pointsman_core::canary::CanaryTest;
///
/// let mut test = CanaryTest::new(0.5, 0.0, 0.05).unwrap();
/// let alarm = (0..400).position(|i| test.observe(f64::from(i % 2), i % 2 == 0).unwrap());
/// assert!(alarm.unwrap() < 20); // each answer of the canary was worth 0, each other 1
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CanaryTest {
    share: f64,
    margin: f64,
    delta: f64,
    worse: Wealth,
    /// Against "at least" and "at most" each difference of the grid.
    bounds: Vec<[Wealth; 2]>,
    n: [u64; 2],
    sums: [f64; 2],
    is_alarmed: bool,
}

/// What one answer was worth, weighed by how likely its arm was, and the range that could have been.
#[derive(Clone, Copy)]
struct Draw {
    value: f64,
    low: f64,
    high: f64,
}

impl CanaryTest {
    /// A test that has seen nothing.
    ///
    /// # Errors
    ///
    /// `share` or `delta` outside `(0, 1)`, a `margin` outside `[0, 1)`.
    pub fn new(share: f64, margin: f64, delta: f64) -> Result<Self, LearnError> {
        let remedy = "give a share above 0 and below 1";
        within("share", share, 1e-6, 1.0 - 1e-6, remedy)?;
        within("delta", delta, 1e-9, 1.0 - 1e-9, remedy)?;
        within("margin", margin, 0.0, 0.999, "give a number in [0, 1)")?;
        Ok(Self {
            share,
            margin,
            delta,
            worse: [1.0; BETS.len()],
            bounds: vec![[[1.0; BETS.len()]; 2]; N_STEPS],
            n: [0; 2],
            sums: [0.0; 2],
            is_alarmed: false,
        })
    }

    /// Takes what one answer was worth, in `[0, 1]`; whether the canary is found worse by now. About 5 us.
    ///
    /// An alarm stays: the chance that there is ever one of a canary that is not worse is at most `delta`.
    ///
    /// # Errors
    ///
    /// A utility outside `[0, 1]`; nothing changes then.
    pub fn observe(&mut self, utility: f64, is_canary: bool) -> Result<bool, LearnError> {
        within("utility", utility, 0.0, 1.0, "give a number in [0, 1]")?;
        let draw = self.draw(utility, is_canary);
        bet_below(&mut self.worse, draw, -self.margin);
        for (index, [below, above]) in self.bounds.iter_mut().enumerate() {
            bet_below(below, draw, difference_at(index));
            bet_above(above, draw, difference_at(index));
        }
        let arm = usize::from(is_canary);
        self.n[arm] += 1;
        self.sums[arm] += utility;
        self.is_alarmed |= self.e_value() >= 1.0 / self.delta;
        Ok(self.is_alarmed)
    }

    fn draw(&self, utility: f64, is_canary: bool) -> Draw {
        // Of earlier answers only: what is known of this one must not move it.
        let n = (self.n[0] + self.n[1]) as f64;
        let center = (1.0 + self.sums[0] + self.sums[1]) / (2.0 + n);
        let (canary, other) = (1.0 / self.share, 1.0 / (1.0 - self.share));
        Draw {
            value: (utility - center) * if is_canary { canary } else { -other },
            low: -(center * canary).max((1.0 - center) * other),
            high: ((1.0 - center) * canary).max(center * other),
        }
    }

    /// The e-value against "at most `margin` worse": the larger, the worse the canary.
    pub fn e_value(&self) -> f64 {
        mean(&self.worse)
    }

    /// Whether the canary was found worse.
    pub fn is_alarmed(&self) -> bool {
        self.is_alarmed
    }

    /// Answers seen: of what is served, of the canary.
    pub fn n(&self) -> [u64; 2] {
        self.n
    }

    /// Mean utility of each; `NaN` of one without answers.
    pub fn means(&self) -> [f64; 2] {
        [0, 1].map(|arm| self.sums[arm] / self.n[arm] as f64)
    }

    /// Where the difference lies, canary less served: right at all times at once with probability `1 - delta`.
    pub fn interval(&self) -> (f64, f64) {
        let least = 2.0 / self.delta;
        let is_refuted =
            |side: usize| move |index: &usize| mean(&self.bounds[*index][side]) >= least;
        let high = (0..N_STEPS).find(is_refuted(0));
        let low = (0..N_STEPS).rev().find(is_refuted(1));
        (
            low.map_or(-1.0, difference_at),
            high.map_or(1.0, difference_at),
        )
    }

    /// The test as bytes.
    pub fn save(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.f64s(&[self.share, self.margin, self.delta]);
        self.n.iter().for_each(|n| writer.u64(*n));
        writer.f64s(&self.sums);
        writer.u32(u32::from(self.is_alarmed));
        writer.f64s(&self.worse);
        writer.f64s(self.bounds.as_flattened().as_flattened());
        writer.seal(MAGIC, VERSION)
    }

    /// The test that [`save`](Self::save) wrote.
    ///
    /// # Errors
    ///
    /// Bytes that are cut, changed, of another release, or not of a test.
    pub fn load(document: &[u8]) -> Result<Self, LearnError> {
        let mut reader = Reader::open(document, MAGIC, VERSION)?;
        let rules = reader.f64s(3)?;
        let mut test = Self::new(rules[0], rules[1], rules[2])?;
        test.n = [reader.u64()?, reader.u64()?];
        let sums = reader.f64s(2)?;
        for (arm, sum) in sums.into_iter().enumerate() {
            let most = test.n[arm] as f64;
            test.sums[arm] = within("sum", sum, 0.0, most, "restore a backup")?;
        }
        test.is_alarmed = reader.u32()? == 1;
        let saved = [
            reader.f64s(BETS.len())?,
            reader.f64s(N_STEPS * 2 * BETS.len())?,
        ];
        let places = [
            test.worse.as_mut_slice(),
            test.bounds.as_flattened_mut().as_flattened_mut(),
        ];
        for (places, saved) in places.into_iter().zip(saved) {
            for (place, value) in places.iter_mut().zip(saved) {
                *place = within("wealth", value, 0.0, MAX_WEALTH, "restore a backup")?;
            }
        }
        Ok(test)
    }
}

/// Bets against "the difference is at least `difference`".
fn bet_below(wealth: &mut Wealth, draw: Draw, difference: f64) {
    let range = (draw.high - difference).max(MIN_RANGE);
    grow(wealth, (difference - draw.value) / range);
}

/// Bets against "the difference is at most `difference`".
fn bet_above(wealth: &mut Wealth, draw: Draw, difference: f64) {
    let range = (difference - draw.low).max(MIN_RANGE);
    grow(wealth, (draw.value - difference) / range);
}

fn grow(wealth: &mut Wealth, won: f64) {
    for (wealth, bet) in wealth.iter_mut().zip(BETS) {
        *wealth = (*wealth * (1.0 + bet * won)).min(MAX_WEALTH);
    }
}

fn difference_at(index: usize) -> f64 {
    index as f64 * STEP - 0.5
}

fn mean(wealth: &Wealth) -> f64 {
    wealth.iter().sum::<f64>() / BETS.len() as f64
}
