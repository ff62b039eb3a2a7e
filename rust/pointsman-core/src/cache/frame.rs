//! Frames: the records of a journal as bytes, each with its version, number and checksum.
//!
//! ```text
//! version u8 | kind u8 | length of the payload u32 | number u64 | checksum u64 | payload
//! ```
//!
//! Little endian. The checksum is XXH3 over all of the frame but itself. Numbers rise by one with each record ever
//! made of a cache, so that a frame lost between others is noticed.

use xxhash_rust::xxh3::Xxh3;

use crate::learn_error::LearnError;

/// The version of everything a cache saves.
const VERSION: u8 = 2;
/// Bytes before the payload.
pub(super) const HEADER: usize = 22;
/// Bytes of a chunk of the buffer, at least.
const CHUNK: usize = 16 * 1024;

/// What a frame's payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A snapshot begins: counters and the posterior.
    Head = 1,
    /// An entry of a snapshot.
    Kept = 2,
    /// The links of a partition's graph.
    Graph = 3,
    /// The snapshot is whole.
    Tail = 4,
    /// An entry was stored.
    Insert = 5,
    /// An entry got another answer.
    Replace = 6,
    /// An entry was deleted, evicted or had expired.
    Remove = 7,
    /// A namespace, or everything, was cleared.
    Clear = 8,
    /// A hit was graded.
    Observe = 9,
}

const KINDS: [Kind; 9] = [
    Kind::Head,
    Kind::Kept,
    Kind::Graph,
    Kind::Tail,
    Kind::Insert,
    Kind::Replace,
    Kind::Remove,
    Kind::Clear,
    Kind::Observe,
];

/// A frame that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) kind: Kind,
    pub(super) number: u64,
    pub(super) payload: &'a [u8],
    /// Bytes of the frame.
    pub(super) n_bytes: usize,
}

/// Why no frame can be read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// The bytes end before the frame does, or it makes no sense; nothing behind it can be found.
    Torn,
    /// The checksum differs; if the length is right, the next frame is this many bytes on.
    Changed { n_bytes: usize },
    /// Another release wrote it.
    Version(u8),
}

impl Damage {
    pub(super) fn into_error(self) -> LearnError {
        LearnError::state(match self {
            Self::Version(got) => {
                format!("version {got}, expected {VERSION}: start with an empty cache")
            }
            Self::Torn | Self::Changed { .. } => {
                "the snapshot's head is damaged: restore a backup or start empty".to_owned()
            }
        })
    }
}

/// Writes one frame.
pub(super) fn write(out: &mut Vec<u8>, kind: Kind, number: u64, payload: &[u8]) {
    let mut head = [0; HEADER];
    head[0] = VERSION;
    head[1] = kind as u8;
    head[2..6].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    head[6..14].copy_from_slice(&number.to_le_bytes());
    let checksum = checksum(&head[..14], payload);
    head[14..].copy_from_slice(&checksum.to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
}

/// Reads the first frame of `bytes`, which are not empty.
pub(super) fn read(bytes: &[u8]) -> Result<Frame<'_>, Damage> {
    let (head, rest) = bytes.split_first_chunk::<HEADER>().ok_or(Damage::Torn)?;
    let [
        version,
        kind,
        l0,
        l1,
        l2,
        l3,
        number @ ..,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
    ] = *head;
    let n_payload = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let payload = rest.get(..n_payload).ok_or(Damage::Torn)?;
    let n_bytes = HEADER + n_payload;
    if head[14..] != checksum(&head[..14], payload).to_le_bytes() {
        return Err(Damage::Changed { n_bytes });
    }
    if version != VERSION {
        return Err(Damage::Version(version));
    }
    let kind = KINDS.into_iter().find(|known| *known as u8 == kind);
    Ok(Frame {
        kind: kind.ok_or(Damage::Torn)?,
        number: u64::from_le_bytes(number),
        payload,
        n_bytes,
    })
}

fn checksum(head: &[u8], payload: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(head);
    hash.update(payload);
    hash.digest()
}

/// Frames that wait to be taken, in chunks that are never moved. Keeps to a bound, or forgets all.
#[derive(Debug)]
pub(super) struct Buffer {
    chunks: Vec<Vec<u8>>,
    n_bytes: usize,
    most_bytes: usize,
    /// Whether frames were left out since the last taking.
    pub(super) has_overflowed: bool,
}

impl Buffer {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self {
            chunks: Vec::new(),
            n_bytes: 0,
            most_bytes,
            has_overflowed: false,
        }
    }

    /// Bytes that a frame of this payload would add.
    pub(super) fn growth(&self, n_payload: usize) -> usize {
        let n_frame = HEADER + n_payload;
        let room = self.room(n_frame);
        let is_none = self.has_overflowed || self.n_bytes + room > self.most_bytes;
        if is_none || self.has_room(n_frame) {
            0
        } else {
            room + size_of::<Vec<u8>>()
        }
    }

    /// Bytes of a new chunk for this frame.
    fn room(&self, n_frame: usize) -> usize {
        n_frame.max(CHUNK.min(self.most_bytes / 4))
    }

    fn has_room(&self, n_frame: usize) -> bool {
        let last = self.chunks.last();
        last.is_some_and(|chunk| chunk.capacity() - chunk.len() >= n_frame)
    }

    pub(super) fn push(&mut self, kind: Kind, number: u64, payload: &[u8]) {
        if self.has_overflowed {
            return;
        }
        let n_frame = HEADER + payload.len();
        if !self.has_room(n_frame) {
            let room = self.room(n_frame);
            if self.n_bytes + room > self.most_bytes {
                self.clear();
                self.has_overflowed = true;
                return;
            }
            self.chunks.push(Vec::with_capacity(room));
            self.n_bytes += room;
        }
        if let Some(chunk) = self.chunks.last_mut() {
            write(chunk, kind, number, payload);
        }
    }

    /// All frames, in order; the buffer is empty then.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let all = self.chunks.concat();
        self.clear();
        all
    }

    pub(super) fn clear(&mut self) {
        self.chunks = Vec::new();
        self.n_bytes = 0;
        self.has_overflowed = false;
    }

    pub(super) fn n_bytes(&self) -> usize {
        self.n_bytes + self.chunks.capacity() * size_of::<Vec<u8>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_written_and_damage_is_seen() {
        let mut bytes = Vec::new();
        write(&mut bytes, Kind::Remove, 7, b"payload");
        let frame = read(&bytes).unwrap();
        assert_eq!((frame.kind, frame.number), (Kind::Remove, 7));
        assert_eq!(
            (frame.payload, frame.n_bytes),
            (&b"payload"[..], bytes.len())
        );
        for index in 0..bytes.len() {
            assert_eq!(read(&bytes[..index]).unwrap_err(), Damage::Torn);
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[index] ^= 1 << bit;
                assert!(read(&changed).is_err(), "bit {bit} of byte {index}");
            }
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = Vec::new();
        write(&mut bytes, Kind::Tail, 7, b"");
        bytes[0] = 9;
        let sum = checksum(&bytes[..14], b"").to_le_bytes();
        bytes[14..22].copy_from_slice(&sum);
        assert_eq!(read(&bytes).unwrap_err(), Damage::Version(9));
    }

    #[test]
    fn a_buffer_keeps_its_bound_or_says_that_it_did_not() {
        let mut buffer = Buffer::new(100_000);
        for number in 0..50 {
            buffer.push(Kind::Remove, number, &[0; 1000]);
            assert!(buffer.n_bytes <= 100_000);
        }
        assert_eq!(buffer.take().len(), 50 * 1022);
        (0..200).for_each(|number| buffer.push(Kind::Remove, number, &[0; 1000]));
        assert!(buffer.has_overflowed && buffer.n_bytes == 0);
        assert!(buffer.take().is_empty() && !buffer.has_overflowed);
    }
}
