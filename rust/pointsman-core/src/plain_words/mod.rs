//! The plain words of a text: cut once and looked up once, for all that reads a text word by word.
//!
//! A plain word is a run of at most fifteen ASCII letters and digits between white space or punctuation of ASCII (but
//! not `_`, which some take for a letter). To cues, tokens, embedding and n-grams alike it is a word by itself, and what
//! each of them finds of it depends on nothing but its bytes. The rest of a text each reads in its own way.

mod cut;
mod remembered;

use std::ops::Range;

use crate::byte_map::Packed;
use cut::Kinds;
use remembered::{NOWHERE, Place, Remembered};

/// What the bytes of a plain word tell: one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Known {
    /// The hash of the word, its themes and the bucket it is hashed to as a whole.
    pub(crate) own: u64,
    pub(crate) themes: u32,
    pub(crate) bucket: u16,
    /// Where the lexicon's phrases stand that it begins.
    pub(crate) places: [u16; 2],
    /// Where in it and around it two bytes stand that a phrase may begin with.
    pub(crate) pairs: u16,
    /// Its `o200k_base` tokens with a space before it.
    pub(crate) n_tokens: u8,
    pub(crate) n_pieces: u8,
    pub(crate) n_ids: u8,
    pub(crate) pieces: [u16; MAX_PIECES],
    pub(crate) ids: [u16; MAX_IDS],
}

/// All pieces that a word of so many bytes is cut to by the n-grams, and most that it is by the embedding.
const MAX_PIECES: usize = 14;
pub(crate) const MAX_IDS: usize = 6;

impl Known {
    /// Keeps the buckets of its n-grams' pieces; says whether there is room.
    pub(crate) fn keep_pieces(&mut self, pieces: &[u16]) -> bool {
        self.n_pieces = pieces.len() as u8;
        let room = self.pieces.get_mut(..pieces.len());
        room.map(|room| room.copy_from_slice(pieces)).is_some()
    }

    /// Keeps the next of its pieces in the shipped embedding; says whether there is room.
    pub(crate) fn keep_id(&mut self, id: u32) -> bool {
        let place = self.ids.get_mut(usize::from(self.n_ids));
        match (place, u16::try_from(id)) {
            (Some(place), Ok(id)) => *place = id,
            _ => return false,
        }
        self.n_ids += 1;
        true
    }

    #[inline]
    pub(crate) fn ids(&self) -> &[u16] {
        &self.ids[..MAX_IDS.min(usize::from(self.n_ids))]
    }
}

impl Default for Known {
    fn default() -> Self {
        Self {
            own: 0,
            themes: 0,
            bucket: 0,
            places: [0; 2],
            pairs: 0,
            n_tokens: 0,
            n_pieces: 0,
            n_ids: 0,
            pieces: [0; MAX_PIECES],
            ids: [0; MAX_IDS],
        }
    }
}

/// How what a word tells is found: by those that read it, whom this module does not know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lesson {
    /// Asks for the entries of tables beyond a cache that the lesson of a word of so many bytes will read.
    pub(crate) prefetch: fn(Packed, usize),
    /// What a word of so many bytes tells, as a user's or an operator's; `None` if that is too much to be kept.
    pub(crate) learn: fn(Packed, usize, bool) -> Option<Known>,
}

/// Where a plain word stands in a text, in bytes.
type Span = (u32, u32);

/// Texts up to this many bytes are cut as a whole, longer ones window by window.
pub(crate) const MAX_BYTES: usize = 8 << 10;

/// Cuts texts, and remembers the words met lately in any of them.
#[derive(Debug)]
pub(crate) struct PlainWords {
    known: Remembered,
    kinds: Kinds,
    /// The addresses of the text cut last.
    text: Range<usize>,
    /// Of each of its words: what it is remembered by, where it stands, and where what is known of it does.
    keys: Vec<Packed>,
    spans: Vec<Span>,
    places: Vec<Place>,
    /// Those that are not remembered.
    new: Vec<usize>,
    is_operator: bool,
    lesson: Lesson,
}

impl PlainWords {
    /// Remembers none yet.
    pub(crate) fn new(lesson: Lesson) -> Self {
        Self {
            known: Remembered::new(),
            kinds: Kinds::default(),
            text: 0..0,
            keys: Vec::new(),
            spans: Vec::new(),
            places: Vec::new(),
            new: Vec::new(),
            is_operator: false,
            lesson,
        }
    }

    /// Begins with a text of a user or of an operator, which must live as long as parts of it are asked for.
    pub(crate) fn begin(&mut self, text: &str, is_operator: bool) {
        self.is_operator = is_operator;
        self.text = 0..0;
        if text.len() <= MAX_BYTES {
            self.cut(text.as_bytes());
        }
    }

    /// The words of a text: of a part of the one begun with, or of another that is cut for this alone.
    pub(crate) fn of(&mut self, text: &[u8]) -> Part<'_> {
        // An empty slice may stand anywhere.
        if text.is_empty() {
            return Part::NONE;
        }
        let start = text.as_ptr().addr();
        if start < self.text.start || start + text.len() > self.text.end {
            self.cut(text);
        }
        let base = start - self.text.start;
        let first = self
            .spans
            .partition_point(|(start, _)| (*start as usize) < base);
        let rest = &self.spans[first..];
        let n = rest.partition_point(|(_, end)| *end as usize <= base + text.len());
        Part {
            spans: &rest[..n],
            places: &self.places[first..first + n],
            lines: self.known.lines(),
            base,
        }
    }

    fn cut(&mut self, text: &[u8]) {
        let start = text.as_ptr().addr();
        self.text = start..start + text.len();
        self.find(text);
        self.look_up();
        self.learn();
    }

    /// Finds where the words stand; what is remembered of each is on its way while the others are cut.
    fn find(&mut self, text: &[u8]) {
        self.known.begin();
        self.spans.clear();
        self.kinds.each_word(text, |start, end| {
            self.spans.push((start as u32, end as u32));
        });
        let is_operator = self.is_operator;
        let key = |span: &Span| {
            key(
                Packed::at(text, span.0 as usize, n_bytes(*span)),
                is_operator,
            )
        };
        self.keys.clear();
        self.keys.extend(self.spans.iter().map(key));
        self.places.clear();
        self.places
            .extend(self.keys.iter().map(|key| self.known.guess(*key)));
    }

    /// Takes what is remembered; of the new words, asks for the entries of tables beyond a cache that will be read.
    fn look_up(&mut self) {
        for (at, (place, key)) in self.places.iter_mut().zip(&self.keys).enumerate() {
            *place = self.known.confirm(*place, *key).unwrap_or_else(|| {
                self.new.push(at);
                (self.lesson.prefetch)(key.unmarked(), n_bytes(self.spans[at]));
                NOWHERE
            });
        }
    }

    /// Finds what the new words tell; those that tell too much to be kept are left to the readers.
    fn learn(&mut self) {
        let mut n_untold = 0;
        for at in self.new.drain(..) {
            let (key, n) = (self.keys[at], n_bytes(self.spans[at]));
            // It may stand in the text twice.
            let place = self.known.find(key).or_else(|| {
                let known = (self.lesson.learn)(key.unmarked(), n, self.is_operator)?;
                Some(self.known.keep(key, known, &mut self.places))
            });
            n_untold += usize::from(place.is_none());
            self.places[at] = place.unwrap_or(NOWHERE);
        }
        if n_untold > 0 {
            let mut places = self.places.iter();
            let mut is_told = || places.next().is_some_and(|place| *place != NOWHERE);
            self.spans.retain(|_| is_told());
            self.places.retain(|place| *place != NOWHERE);
        }
    }
}

#[inline]
fn n_bytes((start, end): Span) -> usize {
    (end - start) as usize
}

/// What a word is remembered by: an operator's n-grams are others.
#[inline]
fn key(word: Packed, is_operator: bool) -> Packed {
    if is_operator { word.marked() } else { word }
}

/// The plain words of a part of a text, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    spans: &'a [Span],
    places: &'a [Place],
    lines: &'a [Known],
    base: usize,
}

impl<'a> Part<'a> {
    /// No words: all is read in the reader's own way.
    pub(crate) const NONE: Part<'static> = Part {
        spans: &[],
        places: &[],
        lines: &[],
        base: 0,
    };

    /// Where each starts and ends in the part, and what is known of it.
    #[inline]
    pub(crate) fn iter(self) -> impl Iterator<Item = (usize, usize, &'a Known)> {
        let within = move |at: u32| at as usize - self.base;
        let words = self.spans.iter().zip(self.places);
        words.map(move |((start, end), place)| {
            (within(*start), within(*end), &self.lines[*place as usize])
        })
    }
}
