//! [`Floors`]: a [`Ward`] for every slice and deployment that was graded, and a watch over every deployment's residual.

use std::collections::BTreeMap;

use serde::Serialize;

use super::task::Task;
use crate::catalog::Catalog;
use crate::codec::{Reader, Writer};
use crate::floor::{Adwin, Certificate, Standing, Verdict, Ward};
use crate::learn_error::LearnError;
use crate::profile::{Complexity, Domain, Structure};

/// Wards kept, some tens of kilobytes each; of those without a certificate the one heard of least recently makes room.
const MAX_WARDS: usize = 512;
/// Chance of a cut where nothing changed (science.md 1.6).
const ADWIN_DELTA: f64 = 0.002;

/// A slice in words.
#[derive(Clone, Debug, PartialEq)]
struct Slice {
    task: Option<String>,
    domain: Domain,
    complexity: Complexity,
    structure: Structure,
}

#[derive(Clone, Debug)]
struct Place {
    slice: Slice,
    ward: Ward,
    /// Whose verdicts these are, if it has a name.
    grader: Option<String>,
    /// The last audit's.
    audit_share: Option<f64>,
    last_s: f64,
}

/// The floors of one catalog's deployments.
#[derive(Clone, Debug)]
pub(super) struct Floors {
    /// By slice and deployment.
    places: BTreeMap<(u64, usize), Place>,
    /// Residuals `reward - predicted` of every deployment.
    residuals: Vec<Adwin>,
}

#[derive(Serialize)]
struct FloorRecord<'a> {
    slice: SliceRecord<'a>,
    deployment: &'a str,
    grader: Option<&'a str>,
    audit_share: Option<f64>,
    n_graded: u64,
    n_unanswered: u64,
    /// Mean of `1 - verdict`, weighted, and corrected for the grader's errors.
    risk: f64,
    n_until_test: usize,
    certificates: Vec<CertificateRecord>,
    alarms: Vec<AlarmRecord>,
}

#[derive(Serialize)]
struct SliceRecord<'a> {
    task: Option<&'a str>,
    domain: &'static str,
    complexity: &'static str,
    structure: &'static str,
}

/// A certificate in JSON.
#[derive(Serialize)]
struct CertificateRecord {
    min_quality: f64,
    alpha: f64,
    delta: f64,
    n: usize,
    n_failed: f64,
    threshold: f64,
    certified_at_s: f64,
}

#[derive(Serialize)]
struct AlarmRecord {
    min_quality: f64,
    alarm: &'static str,
    alarmed_at_s: f64,
    least_diverted: f64,
}

impl Floors {
    pub(super) fn new(n_deployments: usize) -> Result<Self, LearnError> {
        Ok(Self {
            places: BTreeMap::new(),
            residuals: vec![Adwin::new(ADWIN_DELTA)?; n_deployments],
        })
    }

    /// Takes a verdict. Another grader than before says another thing of the slice: its floors start anew.
    pub(super) fn judge(
        &mut self,
        task: &Task<'_>,
        arm: usize,
        (verdict, grader): (Verdict, Option<&str>),
        now_s: f64,
    ) -> Result<(), LearnError> {
        let key = (task.slice(), arm);
        let is_other = |place: &Place| grader.is_some() && place.grader.as_deref() != grader;
        if self.places.get(&key).is_none_or(is_other) {
            self.make_room();
            self.places.insert(key, Place::new(task, grader)?);
        }
        if let Some(place) = self.places.get_mut(&key) {
            place.ward.observe(verdict, now_s)?;
            place.audit_share = verdict.audit_share.or(place.audit_share);
            place.last_s = place.last_s.max(now_s);
        }
        Ok(())
    }

    /// Takes a residual `reward - predicted`; the share of the deployment's past that still counts, if it has changed.
    pub(super) fn surprise(
        &mut self,
        arm: usize,
        residual: f64,
    ) -> Result<Option<f64>, LearnError> {
        let before = self.residuals[arm].mean();
        let kept = self.residuals[arm].observe(residual)?;
        if kept.is_some() && self.residuals[arm].mean() > before {
            let mut of_arm = self.places.iter_mut().filter(|((_, one), _)| *one == arm);
            of_arm.try_for_each(|(_, place)| place.ward.forgive())?;
        }
        Ok(kept)
    }

    /// What is known of a floor in a slice.
    pub(super) fn standing(&self, slice: u64, arm: usize, min_quality: f64) -> Standing {
        let place = self.places.get(&(slice, arm));
        place.map_or(Standing::Uncertified, |place| {
            place.ward.standing(min_quality)
        })
    }

    fn make_room(&mut self) {
        if self.places.len() < MAX_WARDS {
            return;
        }
        let rank = |place: &Place| (place.ward.certificates().next().is_some(), place.last_s);
        let oldest = self.places.iter().min_by(|(_, a), (_, b)| {
            let (a, b) = (rank(a), rank(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        if let Some(key) = oldest.map(|(key, _)| *key) {
            self.places.remove(&key);
        }
    }

    /// The same for other places of the deployments; `None`: gone.
    pub(super) fn rearranged(
        &self,
        n_deployments: usize,
        place_of: impl Fn(usize) -> Option<usize>,
    ) -> Result<Self, LearnError> {
        let mut floors = Self::new(n_deployments)?;
        for ((slice, arm), place) in &self.places {
            if let Some(arm) = place_of(*arm) {
                floors.places.insert((*slice, arm), place.clone());
            }
        }
        for (arm, residual) in self.residuals.iter().enumerate() {
            if let Some(arm) = place_of(arm) {
                floors.residuals[arm] = residual.clone();
            }
        }
        Ok(floors)
    }

    /// Every slice and deployment with what is certified and what was found broken, as JSON.
    pub(super) fn to_json(&self, catalog: &Catalog) -> Vec<u8> {
        let record = |((_, arm), place): (&(u64, usize), &'_ Place)| {
            let ward = &place.ward;
            serde_json::json!(FloorRecord {
                slice: place.slice.record(),
                deployment: &catalog.deployments()[*arm].name,
                grader: place.grader.as_deref(),
                audit_share: place.audit_share,
                n_graded: ward.n_graded(),
                n_unanswered: ward.n_unanswered(),
                risk: ward.risk(),
                n_until_test: ward.n_until_test(),
                certificates: ward.certificates().map(CertificateRecord::from).collect(),
                alarms: alarms(ward),
            })
        };
        let records: Vec<serde_json::Value> = self.places.iter().map(record).collect();
        // Strings and finite numbers, written to memory: it always serialises.
        serde_json::to_vec(&records).unwrap_or_default()
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        self.residuals.iter().for_each(|one| one.save(writer));
        writer.len(self.places.len());
        for ((slice, arm), place) in &self.places {
            writer.u64(*slice);
            writer.len(*arm);
            writer.f64(place.last_s);
            place.slice.save(writer);
            writer.u32(u32::from(place.grader.is_some()));
            writer.text(place.grader.as_deref().unwrap_or_default());
            writer.f64(place.audit_share.unwrap_or(0.0));
            place.ward.save(writer);
        }
    }

    /// What was saved, of that many deployments.
    pub(super) fn load(reader: &mut Reader, n_deployments: usize) -> Result<Self, LearnError> {
        let mut floors = Self::new(n_deployments)?;
        for residual in &mut floors.residuals {
            residual.load(reader)?;
        }
        for _ in 0..reader.len(64)? {
            let key = (reader.u64()?, reader.number()?);
            let last_s = reader.f64()?;
            let place = Place::load(reader, last_s)?;
            if key.1 >= n_deployments || floors.places.len() >= MAX_WARDS {
                return Err(LearnError::state(
                    "floors of more deployments or slices than there are",
                ));
            }
            floors.places.insert(key, place);
        }
        Ok(floors)
    }
}

fn alarms(ward: &Ward) -> Vec<AlarmRecord> {
    let record =
        |(min_quality, alarm, alarmed_at_s): (f64, crate::floor::Alarm, f64)| AlarmRecord {
            min_quality,
            alarm: alarm.name(),
            alarmed_at_s,
            least_diverted: ward.least_diverted(min_quality),
        };
    ward.alarms().map(record).collect()
}

impl From<Certificate> for CertificateRecord {
    fn from(one: Certificate) -> Self {
        Self {
            min_quality: one.min_quality,
            alpha: one.alpha(),
            delta: one.delta,
            n: one.n,
            n_failed: one.n_failed,
            threshold: one.threshold,
            certified_at_s: one.at_s,
        }
    }
}

impl Place {
    fn new(task: &Task<'_>, grader: Option<&str>) -> Result<Self, LearnError> {
        let slice = Slice {
            task: task.name.map(str::to_owned),
            domain: task.domain,
            complexity: task.complexity,
            structure: task.structure,
        };
        Ok(Self {
            slice,
            ward: Ward::new()?,
            grader: grader.map(str::to_owned),
            audit_share: None,
            last_s: 0.0,
        })
    }

    fn load(reader: &mut Reader, last_s: f64) -> Result<Self, LearnError> {
        let slice = Slice::load(reader)?;
        let has_grader = reader.u32()? != 0;
        let grader = Some(reader.text()?).filter(|_| has_grader);
        let audit_share = Some(reader.amount()?).filter(|share| *share > 0.0);
        Ok(Self {
            slice,
            grader,
            audit_share,
            ward: Ward::load(reader)?,
            last_s,
        })
    }
}

impl Slice {
    fn record(&self) -> SliceRecord<'_> {
        SliceRecord {
            task: self.task.as_deref(),
            domain: self.domain.name(),
            complexity: self.complexity.name(),
            structure: self.structure.name(),
        }
    }

    fn save(&self, writer: &mut Writer) {
        writer.u32(u32::from(self.task.is_some()));
        writer.text(self.task.as_deref().unwrap_or_default());
        for label in [
            self.domain as u32,
            self.complexity as u32,
            self.structure as u32,
        ] {
            writer.u32(label);
        }
    }

    fn load(reader: &mut Reader) -> Result<Self, LearnError> {
        let has_task = reader.u32()? != 0;
        let task = Some(reader.text()?).filter(|_| has_task);
        Ok(Self {
            task,
            domain: label(reader, &Domain::ALL)?,
            complexity: label(reader, &Complexity::ALL)?,
            structure: label(reader, &Structure::ALL)?,
        })
    }
}

fn label<L: Copy>(reader: &mut Reader, labels: &[L]) -> Result<L, LearnError> {
    let place = reader.u32()? as usize;
    let known = labels.get(place).copied();
    known.ok_or_else(|| LearnError::state(format!("no label has the number {place}")))
}
