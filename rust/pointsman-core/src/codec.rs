//! Saved state as bytes: a sealed envelope (magic, version, checksum) around little-endian fields.
//!
//! Every read is checked: a truncated, altered or non-finite document is an error, never a panic, and no
//! length read from the document makes more room than the document itself could fill.

use xxhash_rust::xxh3::xxh3_64;

use crate::learn_error::LearnError;

/// Bytes before the payload: magic, version, checksum.
const HEADER: usize = 4 + 4 + 8;

/// Appends fields in little-endian order.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn f32(&mut self, value: f32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn f64(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn len(&mut self, value: usize) {
        self.u64(value as u64);
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.len(value.len());
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(crate) fn bytes(&mut self, values: &[u8]) {
        self.len(values.len());
        self.0.extend_from_slice(values);
    }

    pub(crate) fn f64s(&mut self, values: &[f64]) {
        self.len(values.len());
        for value in values {
            self.f64(*value);
        }
    }

    pub(crate) fn i8s(&mut self, values: &[i8]) {
        self.len(values.len());
        self.0
            .extend(values.iter().map(|value| value.to_le_bytes()[0]));
    }

    /// The fields without an envelope, for those who have their own.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The sealed document.
    pub(crate) fn seal(self, magic: [u8; 4], version: u32) -> Vec<u8> {
        let mut document = Vec::with_capacity(HEADER + self.0.len());
        document.extend_from_slice(&magic);
        document.extend_from_slice(&version.to_le_bytes());
        document.extend_from_slice(&xxh3_64(&self.0).to_le_bytes());
        document.extend_from_slice(&self.0);
        document
    }
}

/// Reads fields in the order they were written.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Fields without an envelope.
    pub(crate) fn over(fields: &'a [u8]) -> Self {
        Self(fields)
    }

    /// Opens a sealed document.
    pub(crate) fn open(
        document: &'a [u8],
        magic: [u8; 4],
        version: u32,
    ) -> Result<Self, LearnError> {
        let mut header = Reader(document);
        if header.take(4)? != magic {
            return Err(LearnError::state("not a state of this kind"));
        }
        let got = header.u32()?;
        if got != version {
            return Err(LearnError::state(format!(
                "version {got}, this release reads {version}: start without it and learn anew from the log"
            )));
        }
        let checksum = header.u64()?;
        if checksum != xxh3_64(header.0) {
            return Err(LearnError::state("checksum differs: restore a backup"));
        }
        Ok(header)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], LearnError> {
        let Some((head, tail)) = self.0.split_at_checked(n) else {
            return Err(LearnError::state(format!(
                "ends {} bytes too early: restore a backup",
                n - self.0.len()
            )));
        };
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], LearnError> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, LearnError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, LearnError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn f32(&mut self) -> Result<f32, LearnError> {
        let value = f32::from_le_bytes(self.array()?);
        bounded(f64::from(value))?;
        Ok(value)
    }

    pub(crate) fn f64(&mut self) -> Result<f64, LearnError> {
        bounded(f64::from_le_bytes(self.array()?))
    }

    /// A number >= 0: a count, a weight.
    pub(crate) fn amount(&mut self) -> Result<f64, LearnError> {
        let value = self.f64()?;
        if value >= 0.0 {
            return Ok(value);
        }
        Err(LearnError::state(format!("{value} is no amount")))
    }

    /// An index or a number of things that are not announced by it.
    pub(crate) fn number(&mut self) -> Result<usize, LearnError> {
        Ok(usize::try_from(self.u64()?).unwrap_or(usize::MAX))
    }

    /// A number of items of at least `item_bytes` bytes each, all still to be read.
    pub(crate) fn len(&mut self, item_bytes: usize) -> Result<usize, LearnError> {
        let n = self.number()?;
        if n.saturating_mul(item_bytes) > self.0.len() {
            return Err(LearnError::state(format!(
                "{n} items announced, {} bytes left",
                self.0.len()
            )));
        }
        Ok(n)
    }

    pub(crate) fn text(&mut self) -> Result<String, LearnError> {
        let n = self.len(1)?;
        let text = std::str::from_utf8(self.take(n)?);
        text.map(str::to_owned)
            .map_err(|_| LearnError::state("a name is not UTF-8"))
    }

    /// Exactly `n` numbers.
    pub(crate) fn f64s(&mut self, n: usize) -> Result<Vec<f64>, LearnError> {
        let got = self.len(8)?;
        expect(n, got)?;
        (0..n).map(|_| self.f64()).collect()
    }

    /// At most `most` numbers >= 0.
    pub(crate) fn amounts(&mut self, most: usize) -> Result<Vec<f64>, LearnError> {
        let n = self.len(8)?;
        if n > most {
            return Err(LearnError::state(format!("{n} numbers, at most {most}")));
        }
        (0..n).map(|_| self.amount()).collect()
    }

    /// A whole number within `±most`.
    pub(crate) fn whole(&mut self, most: i64) -> Result<i64, LearnError> {
        let value = self.f64()?;
        if value.trunc() == value && value.abs() <= most as f64 {
            return Ok(value as i64);
        }
        Err(LearnError::state(format!(
            "{value} is no whole number within ±{most}"
        )))
    }

    /// Bytes written by [`Writer::bytes`].
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], LearnError> {
        let n = self.len(1)?;
        self.take(n)
    }

    /// Exactly `n` small integers.
    pub(crate) fn i8s(&mut self, n: usize) -> Result<Vec<i8>, LearnError> {
        let got = self.len(1)?;
        expect(n, got)?;
        Ok(self
            .take(n)?
            .iter()
            .map(|byte| i8::from_le_bytes([*byte]))
            .collect())
    }

    /// Refuses what stands behind the last field.
    pub(crate) fn end(&self) -> Result<(), LearnError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(LearnError::state(format!(
            "{} bytes left over",
            self.0.len()
        )))
    }
}

fn expect(expected: usize, got: usize) -> Result<(), LearnError> {
    if expected == got {
        return Ok(());
    }
    Err(LearnError::state(format!(
        "{got} numbers where {expected} belong"
    )))
}

/// No number of ours is larger; beyond it sums of products could overflow.
const LARGEST: f64 = 1e15;

fn bounded(value: f64) -> Result<f64, LearnError> {
    if value.abs() <= LARGEST {
        return Ok(value);
    }
    Err(LearnError::state(format!(
        "{value} is not within ±{LARGEST:e}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: [u8; 4] = *b"TEST";

    fn document(value: f64) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text("name");
        writer.f64s(&[value]);
        writer.seal(MAGIC, 1)
    }

    #[test]
    fn what_was_written_is_read() {
        let document = document(0.5);
        let mut reader = Reader::open(&document, MAGIC, 1).unwrap();
        assert_eq!(reader.text().unwrap(), "name");
        assert_eq!(reader.f64s(1).unwrap(), [0.5]);
        assert!(reader.end().is_ok());
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_an_error() {
        let document = document(0.5);
        for index in 0..document.len() {
            let mut changed = document.clone();
            changed[index] ^= 1;
            assert!(Reader::open(&changed, MAGIC, 1).is_err(), "byte {index}");
            assert!(Reader::open(&document[..index], MAGIC, 1).is_err());
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused() {
        let document = document(f64::NAN);
        let mut reader = Reader::open(&document, MAGIC, 1).unwrap();
        reader.text().unwrap();
        assert!(reader.f64s(1).is_err());
    }
}
