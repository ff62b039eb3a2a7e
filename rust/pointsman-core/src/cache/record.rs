//! Records: what a frame's payload says.

use std::sync::Arc;

use super::entry::{Entry, Keys, NO_PLACE};
use super::index::{Code, DIM};
use super::posterior::Evidence;
use super::store::{New, Store};
use crate::codec::{Reader, Writer};
use crate::learn_error::LearnError;

/// Bytes of an entry's record besides its texts, at most; for those who make room.
pub(super) const ENTRY_BYTES: usize = 512;

/// A graded hit, or a graded miss that might have been one.
#[derive(Clone, Debug, PartialEq)]
pub struct Grade {
    /// Whose answer was graded.
    pub entry_id: u64,
    /// The text that was asked.
    pub text: String,
    /// The similarity that the lookup reported, in `[-1, 1]`.
    pub similarity: f32,
    /// Whether the stored answer is right for the text.
    pub is_right: bool,
    /// How sure that is, in `[0, 1]`.
    pub weight: f64,
    /// Whether chance chose this hit to be graded: only such grades say how often hits are wrong.
    pub is_audit: bool,
}

/// The record of an entry that is stored.
pub(super) fn entry(store: &Store, entry: &Entry) -> Vec<u8> {
    let mut writer = Writer::default();
    let view = store.view(entry);
    writer.u64(entry.id);
    writer.bytes(&view.partition);
    writer.text(&view.namespace);
    writer.text(&entry.text);
    writer.bytes(&entry.answer);
    let keys = entry.keys;
    writer.u64(keys.exact);
    writer.u64(keys.normalised);
    writer.u32(u32::from(keys.canonical.is_some()));
    writer.u64(keys.canonical.unwrap_or(0));
    writer.u64(keys.content);
    writer.f64(entry.created_s);
    writer.f64(entry.expires_s);
    writer.f32(entry.cost_usd);
    writer.f32(entry.evidence.n_right);
    writer.f32(entry.evidence.n_wrong);
    writer.u32(u32::from(entry.is_unservable));
    writer.u32(entry.n_hits());
    let code = store.code(entry).filter(|_| entry.place != NO_PLACE);
    writer.i8s(code.map_or(&[], |code| &code.values));
    writer.into_bytes()
}

/// What [`entry`] wrote.
pub(super) fn read_entry(payload: &[u8]) -> Result<New, LearnError> {
    let mut reader = Reader::over(payload);
    let new = New {
        id: reader.u64()?,
        partition: key(reader.bytes()?)?,
        namespace: reader.text()?,
        text: reader.text()?.into(),
        answer: Arc::from(reader.bytes()?),
        keys: Keys {
            exact: reader.u64()?,
            normalised: reader.u64()?,
            canonical: {
                let is_some = flag(&mut reader)?;
                let key = reader.u64()?;
                is_some.then_some(key)
            },
            content: reader.u64()?,
        },
        created_s: reader.f64()?,
        expires_s: reader.f64()?,
        cost_usd: reader.f32()?,
        evidence: Evidence {
            n_right: reader.f32()?,
            n_wrong: reader.f32()?,
        },
        is_unservable: flag(&mut reader)?,
        n_hits: reader.u32()?,
        code: code(reader.bytes()?)?,
    };
    reader.end()?;
    Ok(new)
}

fn key(bytes: &[u8]) -> Result<[u8; 16], LearnError> {
    bytes
        .try_into()
        .map_err(|_| LearnError::state("a partition of another length"))
}

fn code(bytes: &[u8]) -> Result<Option<Code>, LearnError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let bytes: &[u8; DIM] = bytes
        .try_into()
        .map_err(|_| LearnError::state("a vector of another length"))?;
    Ok(Some(Code::from_values(
        bytes.map(|byte| i8::from_le_bytes([byte])),
    )))
}

fn flag(reader: &mut Reader) -> Result<bool, LearnError> {
    Ok(reader.u32()? != 0)
}

pub(super) fn replacement(id: u64, answer: &[u8], now_s: f64) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.u64(id);
    writer.bytes(answer);
    writer.f64(now_s);
    writer.into_bytes()
}

pub(super) fn read_replacement(payload: &[u8]) -> Result<(u64, Arc<[u8]>, f64), LearnError> {
    let mut reader = Reader::over(payload);
    Ok((reader.u64()?, Arc::from(reader.bytes()?), reader.f64()?))
}

pub(super) fn read_id(payload: &[u8]) -> Result<u64, LearnError> {
    Reader::over(payload).u64()
}

/// The record of a cleared namespace, or of all.
pub(super) fn clearing(namespace: Option<&str>) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.u32(u32::from(namespace.is_some()));
    writer.text(namespace.unwrap_or(""));
    writer.into_bytes()
}

pub(super) fn read_clearing(payload: &[u8]) -> Result<Option<String>, LearnError> {
    let mut reader = Reader::over(payload);
    let is_some = flag(&mut reader)?;
    Ok(Some(reader.text()?).filter(|_| is_some))
}

pub(super) fn grade(grade: &Grade) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.u64(grade.entry_id);
    writer.text(&grade.text);
    writer.f32(grade.similarity);
    writer.f64(grade.weight);
    writer.u32(u32::from(grade.is_right));
    writer.u32(u32::from(grade.is_audit));
    writer.into_bytes()
}

pub(super) fn read_grade(payload: &[u8]) -> Result<Grade, LearnError> {
    let mut reader = Reader::over(payload);
    Ok(Grade {
        entry_id: reader.u64()?,
        text: reader.text()?,
        similarity: reader.f32()?,
        weight: reader.f64()?,
        is_right: flag(&mut reader)?,
        is_audit: flag(&mut reader)?,
    })
}
