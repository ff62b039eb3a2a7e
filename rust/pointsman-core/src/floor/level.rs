//! [`Level`]: one floor of a [`Ward`](super::Ward): its certificate, its alarm, and what watches it.

use super::monitor::{Alarm, Monitor};
use crate::codec::{Reader, Writer};
use crate::learn_error::{LearnError, within};

/// Chance that any of a floor's certificates of one deployment in one slice is wrong.
pub const DELTA: f64 = 0.05;

/// What is known of a floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    /// Nothing is proven: the lower credible bound has to do.
    Uncertified,
    /// Held, for requests whose predicted quality is at least the threshold.
    Certified(Certificate),
    /// Broken: more fails than it allows.
    Alarmed(Alarm),
}

/// What was certified of a deployment in a slice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certificate {
    /// The floor: mean quality of what is served is at least this; `1 - alpha`.
    pub min_quality: f64,
    /// With confidence `1 - delta`, over all tests of this floor.
    pub delta: f64,
    /// Least predicted quality that is served.
    pub threshold: f64,
    /// Audits it rests on.
    pub n: usize,
    /// Sum of their losses, as the grader gave them; an audit that brought no verdict counts as a failure.
    pub n_failed: f64,
    /// When it was issued, Unix seconds.
    pub at_s: f64,
}

impl Certificate {
    /// Largest share that fails.
    pub fn alpha(&self) -> f64 {
        1.0 - self.min_quality
    }
}

/// A floor as it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Level {
    pub(super) certificate: Option<Certificate>,
    pub(super) alarm: Option<(Alarm, f64)>,
    pub(super) monitor: Monitor,
}

impl Level {
    pub(super) fn save(&self, writer: &mut Writer) {
        self.monitor.save(writer);
        writer.u32(u32::from(self.certificate.is_some()));
        if let Some(one) = self.certificate {
            writer.f64(one.threshold);
            writer.len(one.n);
            writer.f64(one.n_failed);
            writer.f64(one.at_s);
        }
        let alarm = self
            .alarm
            .map(|(alarm, _)| if alarm == Alarm::Risk { 1 } else { 2 });
        writer.u32(alarm.unwrap_or(0));
        writer.f64(self.alarm.map_or(0.0, |(_, at_s)| at_s));
    }

    pub(super) fn load(&mut self, min_quality: f64, reader: &mut Reader) -> Result<(), LearnError> {
        self.monitor.load(reader)?;
        if reader.u32()? != 0 {
            self.certificate = Some(Certificate {
                min_quality,
                delta: DELTA,
                threshold: within("threshold", reader.f64()?, 0.0, 1.0, "restore a backup")?,
                n: reader.number()?.min(1 << 50),
                n_failed: reader.amount()?,
                at_s: reader.f64()?,
            });
        }
        let (alarm, at_s) = (reader.u32()?, reader.f64()?);
        self.alarm = match alarm {
            1 => Some((Alarm::Risk, at_s)),
            2 => Some((Alarm::Change, at_s)),
            _ => None,
        };
        Ok(())
    }
}
