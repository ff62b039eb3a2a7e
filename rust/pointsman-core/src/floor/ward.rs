//! [`Ward`]: the floors of one deployment in one slice: audits that come in, certificates, alarms.

use super::certify::{Audit, certify, grid, least_diverted};
use super::grader::{Grader, Verdict};
use super::level::{Certificate, DELTA, Level, Standing};
use super::monitor::{Alarm, Monitor};
use crate::codec::{Reader, Writer};
use crate::learn_error::{LearnError, within};

/// Floors that are certified: a request's floor is held by the certificate of the nearest one above it.
pub const LEVELS: [f64; 9] = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99];
/// Audits of the first, second, ... test; further ones are as large as the last. None is used twice.
const BATCHES: [usize; 4] = [250, 500, 1_000, 2_000];
/// Scores that the first grid is made of, before the first batch.
const N_FIRST_SCORES: usize = 100;

/// The floors of one deployment in one slice.
///
/// # Example
///
/// ```
/// use pointsman_core::floor::{Standing, Verdict, Ward};
///
/// let mut ward = Ward::new().unwrap();
/// for step in 0..400 {
///     let fine = Verdict::exact(0.8, 0.0, Some(0.25));
///     ward.observe(fine, f64::from(step)).unwrap();
/// }
/// assert!(matches!(ward.standing(0.9), Standing::Certified(one) if one.min_quality == 0.9));
/// assert_eq!(ward.standing(0.999), Standing::Uncertified);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Ward {
    grid: Vec<f64>,
    /// Audits of the batch that is being gathered; while there is no grid, those it is made of.
    audits: Vec<Audit>,
    n_tests: usize,
    n_graded: u64,
    n_unanswered: u64,
    /// Sum of the weights of what was graded, and of its weighted losses, corrected for the grader's errors.
    weight_sum: f64,
    loss_sum: f64,
    /// Least probability of being graded so far: what weighs 1 to the monitors.
    least_share: f64,
    levels: Vec<Level>,
}

impl Ward {
    /// Nothing seen.
    ///
    /// # Errors
    ///
    /// None, with these levels.
    pub fn new() -> Result<Self, LearnError> {
        let level = |min_quality: &f64| {
            Ok(Level {
                certificate: None,
                alarm: None,
                monitor: Monitor::new(1.0 - min_quality, DELTA)?,
            })
        };
        Ok(Self {
            grid: Vec::new(),
            audits: Vec::new(),
            n_tests: 0,
            n_graded: 0,
            n_unanswered: 0,
            weight_sum: 0.0,
            loss_sum: 0.0,
            least_share: 1.0,
            levels: LEVELS
                .iter()
                .map(level)
                .collect::<Result<_, LearnError>>()?,
        })
    }

    /// Takes a verdict. With an `audit_share` it is evidence for certificates, weighted by one over it; without, it is
    /// watched and no more. An audit that brought no verdict counts as failed for certificates, and is not watched: who
    /// stays silent may be whoever has nothing good to say, and a grader that is away is no reason for an alarm.
    ///
    /// # Errors
    ///
    /// A score or loss outside `[0, 1]`, a share outside `[1e-6, 1]`; nothing changes then.
    pub fn observe(&mut self, verdict: Verdict, now_s: f64) -> Result<(), LearnError> {
        verdict.check()?;
        let Verdict {
            score,
            loss,
            audit_share,
            grader,
        } = verdict;
        let share = audit_share.unwrap_or(1.0);
        if let Some(loss) = loss {
            self.least_share = self.least_share.min(share);
            let weight = self.least_share / share;
            self.n_graded += 1;
            self.weight_sum += 1.0 / share;
            self.loss_sum += grader.corrected(loss) / share;
            self.watch(score, (loss, weight, grader), now_s)?;
        } else {
            self.n_unanswered += u64::from(audit_share.is_some());
        }
        if audit_share.is_some() {
            self.audits.push(Audit {
                score,
                loss: loss.unwrap_or(1.0),
                weight: 1.0 / share,
                grader,
            });
            self.test(now_s)?;
        }
        Ok(())
    }

    /// What is known of the floor `min_quality`: the most lenient certificate of a level at or above it, or the alarm
    /// of a level at or below it. That a higher level is broken says nothing of it.
    pub fn standing(&self, min_quality: f64) -> Standing {
        let levels = || LEVELS.iter().zip(&self.levels);
        let above = levels().filter(|(level, _)| **level >= min_quality - 1e-9);
        let certificates = above.filter_map(|(_, level)| level.certificate);
        if let Some(best) = certificates.min_by(|a, b| a.threshold.total_cmp(&b.threshold)) {
            return Standing::Certified(best);
        }
        let below = levels().filter(|(level, _)| **level <= min_quality + 1e-9);
        let alarm = below.filter_map(|(_, level)| level.alarm).next_back();
        alarm.map_or(Standing::Uncertified, |(alarm, _)| Standing::Alarmed(alarm))
    }

    /// The certificates that hold, by floor.
    pub fn certificates(&self) -> impl Iterator<Item = Certificate> {
        self.levels.iter().filter_map(|level| level.certificate)
    }

    /// The floors found broken since their last certificate, with the alarm and its time in Unix seconds.
    pub fn alarms(&self) -> impl Iterator<Item = (f64, Alarm, f64)> {
        let levels = LEVELS.iter().zip(&self.levels);
        levels.filter_map(|(min_quality, level)| {
            let (alarm, at_s) = level.alarm?;
            Some((*min_quality, alarm, at_s))
        })
    }

    /// Graded answers, all of them.
    pub fn n_graded(&self) -> u64 {
        self.n_graded
    }

    /// Audits that brought no verdict.
    pub fn n_unanswered(&self) -> u64 {
        self.n_unanswered
    }

    /// Mean loss of what is served, as the graded answers have it: weighted, and corrected for the grader's errors, in
    /// `[0, 1]`; 0 of none.
    pub fn risk(&self) -> f64 {
        (self.loss_sum / self.weight_sum.max(1.0)).clamp(0.0, 1.0)
    }

    /// Share of the traffic that has to go elsewhere for a floor to hold, whatever the threshold.
    pub fn least_diverted(&self, min_quality: f64) -> f64 {
        least_diverted(self.risk(), (1.0 - min_quality).min(1.0 - 1e-9))
    }

    /// Audits still to come before the next test.
    pub fn n_until_test(&self) -> usize {
        let first = if self.grid.is_empty() {
            N_FIRST_SCORES
        } else {
            0
        };
        (first + self.batch()).saturating_sub(self.audits.len())
    }

    /// Forgets what was found broken where nothing is certified: things have become better since.
    ///
    /// # Errors
    ///
    /// None, with these levels.
    pub fn forgive(&mut self) -> Result<(), LearnError> {
        for (level, min_quality) in self.levels.iter_mut().zip(LEVELS) {
            if level.certificate.is_none() {
                level.alarm = None;
                level.monitor = Monitor::new(1.0 - min_quality, DELTA)?;
            }
        }
        Ok(())
    }

    /// Shows the answer to the monitor of every floor that would have served it.
    fn watch(
        &mut self,
        score: f64,
        (loss, weight, grader): (f64, f64, Grader),
        now_s: f64,
    ) -> Result<(), LearnError> {
        let mut is_revoked = false;
        for level in &mut self.levels {
            let certificate = level.certificate;
            if level.alarm.is_some() || certificate.is_some_and(|one| score < one.threshold) {
                continue;
            }
            if let Some(alarm) = level.monitor.weigh(loss, weight, grader)? {
                is_revoked |= level.certificate.take().is_some();
                level.alarm = Some((alarm, now_s));
            }
        }
        if is_revoked && !self.grid.is_empty() {
            self.audits.clear(); // What came before the alarm says nothing of what comes now.
        }
        Ok(())
    }

    fn batch(&self) -> usize {
        BATCHES[self.n_tests.min(BATCHES.len() - 1)]
    }

    /// Tests every floor once the batch is whole; test `k` spends `delta / (k (k + 1))`, so that all of them together
    /// spend `delta`.
    fn test(&mut self, now_s: f64) -> Result<(), LearnError> {
        let scores = |audits: &[Audit]| audits.iter().map(|one| one.score).collect::<Vec<_>>();
        if self.grid.is_empty() {
            if self.audits.len() >= N_FIRST_SCORES {
                self.grid = grid(&scores(&self.audits));
                self.audits.clear();
            }
            return Ok(());
        }
        if self.audits.len() < self.batch() {
            return Ok(());
        }
        self.n_tests += 1;
        let k = self.n_tests as f64;
        let delta = (DELTA / (k * (k + 1.0))).max(1e-12);
        for (level, min_quality) in self.levels.iter_mut().zip(LEVELS) {
            let passed = certify(&self.grid, &self.audits, 1.0 - min_quality, delta)?;
            let Some(passed) = passed else { continue };
            let held = level.certificate.map(|one| one.threshold);
            if held.is_some_and(|threshold| threshold <= passed.threshold) {
                continue;
            }
            level.certificate = Some(Certificate {
                min_quality,
                delta: DELTA,
                threshold: passed.threshold,
                n: passed.n,
                n_failed: passed.n_failed,
                at_s: now_s,
            });
            level.alarm = None;
            level.monitor = Monitor::new(1.0 - min_quality, DELTA)?;
        }
        self.grid = grid(&scores(&self.audits));
        self.audits.clear();
        Ok(())
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.f64s(&self.grid);
        writer.len(self.audits.len());
        for audit in &self.audits {
            writer.f64(audit.score);
            writer.f64(audit.loss);
            writer.f64(audit.weight);
            writer.f64(audit.grader.rates().0);
            writer.f64(audit.grader.rates().1);
        }
        writer.len(self.n_tests);
        writer.u64(self.n_graded);
        writer.u64(self.n_unanswered);
        writer.f64(self.weight_sum);
        writer.f64(self.loss_sum);
        writer.f64(self.least_share);
        self.levels.iter().for_each(|level| level.save(writer));
    }

    pub(crate) fn load(reader: &mut Reader) -> Result<Self, LearnError> {
        let mut ward = Self::new()?;
        ward.grid = reader.amounts(super::N_GRID)?;
        let remedy = "restore a backup";
        let n_audits = reader.len(40)?;
        let audit = |_| {
            Ok(Audit {
                score: within("score", reader.f64()?, 0.0, 1.0, remedy)?,
                loss: within("loss", reader.f64()?, 0.0, 1.0, remedy)?,
                weight: within("weight", reader.f64()?, 1.0, 1e6, remedy)?,
                grader: Grader::new(reader.f64()?, reader.f64()?)?,
            })
        };
        ward.audits = (0..n_audits)
            .map(audit)
            .collect::<Result<_, LearnError>>()?;
        ward.n_tests = reader.number()?.min(1_000_000);
        ward.n_graded = reader.u64()?.min(1 << 50);
        ward.n_unanswered = reader.u64()?.min(1 << 50);
        ward.weight_sum = reader.amount()?;
        ward.loss_sum = reader.f64()?;
        ward.least_share = within("audit_share", reader.f64()?, 1e-6, 1.0, remedy)?;
        for (level, min_quality) in ward.levels.iter_mut().zip(LEVELS) {
            level.load(min_quality, reader)?;
        }
        Ok(ward)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::explore::uniform;

    /// Feeds `n` answers that fail with probability `risk`.
    fn feed(ward: &mut Ward, n: u64, risk: f64, seed: u64, share: Option<f64>) {
        for i in 0..n {
            let loss = f64::from(u8::from(uniform(seed, i) < risk));
            let score = 0.5 + 0.4 * uniform(seed ^ 1, i);
            ward.observe(Verdict::exact(score, loss, share), i as f64)
                .unwrap();
        }
    }

    fn holds(ward: &Ward, min_quality: f64) -> bool {
        matches!(ward.standing(min_quality), Standing::Certified(_))
    }

    #[test]
    fn a_good_deployment_is_certified_and_a_certificate_holds_for_lower_floors() {
        let mut ward = Ward::new().unwrap();
        feed(&mut ward, 350, 0.02, 3, Some(1.0));
        assert!(holds(&ward, 0.9) && holds(&ward, 0.87) && holds(&ward, 0.1));
        assert!(!holds(&ward, 0.99) && !holds(&ward, 1.0));
        assert_eq!(ward.n_until_test(), 500);
    }

    #[test]
    fn grades_of_unknown_origin_certify_nothing_but_are_watched() {
        let mut ward = Ward::new().unwrap();
        feed(&mut ward, 3_000, 0.02, 3, None);
        assert!(ward.certificates().next().is_none());
        feed(&mut ward, 1_000, 0.3, 4, None);
        assert!(matches!(ward.standing(0.9), Standing::Alarmed(_)));
    }

    #[test]
    fn a_deployment_that_degrades_loses_its_certificate_until_fresh_audits_restore_it() {
        let mut ward = Ward::new().unwrap();
        feed(&mut ward, 1_000, 0.02, 3, Some(1.0));
        assert!(holds(&ward, 0.9));
        feed(&mut ward, 400, 0.25, 5, Some(1.0));
        assert_eq!(ward.standing(0.9), Standing::Alarmed(Alarm::Change));
        assert!(ward.alarms().any(|(min_quality, ..)| min_quality == 0.9));
        feed(&mut ward, 4_000, 0.02, 6, Some(1.0));
        assert!(holds(&ward, 0.9));
    }

    #[test]
    fn a_floor_is_broken_by_a_level_at_or_below_it_and_by_no_higher_one() {
        let mut ward = Ward::new().unwrap();
        feed(&mut ward, 3_000, 0.125, 8, None);
        assert!(matches!(ward.standing(0.9), Standing::Alarmed(_)));
        assert!(matches!(ward.standing(0.92), Standing::Alarmed(_)));
        // Of 0.86 at most 14 % may fail.
        assert_eq!(ward.standing(0.86), Standing::Uncertified);
    }

    #[test]
    fn audits_without_a_verdict_are_held_against_a_certificate_and_raise_no_alarm() {
        let mut ward = Ward::new().unwrap();
        let silent = Verdict {
            loss: None,
            ..Verdict::exact(0.7, 0.0, Some(0.5))
        };
        for i in 0..700 {
            let verdict = Verdict::exact(0.7, 0.0, Some(0.5));
            let verdict = if i % 5 == 0 { silent } else { verdict };
            ward.observe(verdict, 0.0).unwrap();
        }
        assert!(holds(&ward, 0.7) && !holds(&ward, 0.8));
        assert_eq!((ward.n_graded(), ward.n_unanswered()), (560, 140));
        assert!(ward.alarms().next().is_none() && ward.risk() == 0.0);
    }

    #[test]
    fn what_was_saved_goes_on_as_before() {
        let mut ward = Ward::new().unwrap();
        feed(&mut ward, 600, 0.05, 3, Some(0.5));
        let mut writer = Writer::default();
        ward.save(&mut writer);
        let bytes = writer.into_bytes();
        let mut reader = Reader::over(&bytes);
        let mut loaded = Ward::load(&mut reader).unwrap();
        assert!(reader.end().is_ok());
        assert_eq!(loaded, ward);
        feed(&mut loaded, 500, 0.2, 9, Some(0.5));
        feed(&mut ward, 500, 0.2, 9, Some(0.5));
        assert_eq!(loaded, ward);
    }

    /// Of many deployments that are just not good enough hardly any is ever certified, however often it is tested.
    #[test]
    fn all_tests_together_are_wrong_at_most_as_often_as_delta() {
        let is_wrong = |seed: u64| {
            let mut ward = Ward::new().unwrap();
            (0..100 + 250 + 500 + 1_000).any(|i| {
                let loss = f64::from(u8::from(uniform(seed, i) < 0.101));
                let verdict = Verdict::exact(uniform(seed ^ 1, i), loss, Some(1.0));
                ward.observe(verdict, 0.0).unwrap();
                ward.levels[5].certificate.is_some()
            })
        };
        let n_wrong = (0..400).filter(|seed| is_wrong(*seed * 2)).count();
        assert!(n_wrong as f64 <= 0.072 * 400.0, "{n_wrong} of 400");
    }
}
