//! From text to n-grams: words cut and folded, what their bytes alone tell kept for the next time.

use std::ops::Range;

use super::gloss::{Gloss, KeptGloss, each_piece};
use super::met::Met;
use super::word::{FOLDED, Word, folded};
use super::{Grams, Kind, Space, Tallies, bucket, hash};
use crate::byte_map::{PACKED_LEN, Packed};
use crate::bytes;
use crate::memo::Memo;
use crate::plain_words::{Part, PlainWords};
use crate::stems;

/// Bytes read at the head and at the tail of a text.
pub(super) const HEAD_BYTES: usize = 1024;
pub(super) const TAIL_BYTES: usize = 768;
/// Bytes at the head and the tail of a text where instructions stand; what lies between weighs less.
const HEAD_ZONE: usize = 240;
const TAIL_ZONE: usize = 200;
const MIDDLE_WEIGHT: f32 = 0.4;
/// Bytes at the head and the tail of a text where the themes of what is asked are counted apart.
const EDGE_ZONE: usize = 90;
/// Words of a text that count as its lead, and as its end.
const N_LEAD: usize = 4;
const N_END: usize = 8;

/// How much of a system prompt's weight goes to the users' space.
const SYSTEM_SHARE: f32 = 0.5;
/// Sets of the words whose gloss is kept: 256 KB for 4,096 of them.
const N_SETS: usize = 2 << 10;

/// Reads texts into grams, one conversation after the other.
#[derive(Debug)]
pub(crate) struct Reader {
    /// The buckets met in the space being read.
    met: Met,
    /// Words met lately, of any conversation.
    known: Memo<Packed, KeptGloss, 2>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            met: Met::default(),
            known: Memo::new(N_SETS),
        }
    }
}

impl Reader {
    /// Goes over to another conversation.
    pub(crate) fn begin(&mut self) {
        self.met.leave();
    }

    /// Adds the n-grams of a text; `O(n)` up to 1,792 bytes, flat beyond. Returns the bytes read, and
    /// how often each theme was met.
    pub(crate) fn read(
        &mut self,
        grams: &mut Grams,
        plain: &mut PlainWords,
        text: &str,
        weight: f32,
        space: Space,
    ) -> (usize, Tallies) {
        self.met.enter(space);
        let most = &mut grams.weights[space as usize];
        *most = most.max(weight);
        let mut words = Words::new(grams, self, weight);
        if text.len() <= HEAD_BYTES + TAIL_BYTES {
            words.read_window(text, plain.of(text.as_bytes()), 0, text.len());
            return (text.len(), words.tallies);
        }
        let head = floor(text, HEAD_BYTES);
        let tail = floor(text, text.len() - TAIL_BYTES);
        for (at, window) in [(0, &text[..head]), (tail, &text[tail..])] {
            words.read_window(window, plain.of(window.as_bytes()), at, text.len());
        }
        (head + text.len() - tail, words.tallies)
    }
}

/// The last place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    (0..=at)
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}

/// A text on its way into the grams, window by window.
struct Words<'a> {
    items: &'a mut Vec<(u16, f32)>,
    sum_of_squares: &'a mut f32,
    met: &'a mut Met,
    known: &'a mut Memo<Packed, KeptGloss, 2>,
    tallies: Tallies,
    /// Weight of the place being read, and of the text where it counts fully.
    weight: f32,
    text_weight: f32,
    /// Where the window lies between the zones of instructions.
    middle: Range<usize>,
    /// Where the window lies between the first and the last words, and whether the place read does not.
    inside: Range<usize>,
    is_edge: bool,
    is_operator: bool,
    previous: u64,
    n_tokens: usize,
    end: [u64; N_END],
}

impl<'a> Words<'a> {
    fn new(grams: &'a mut Grams, reader: &'a mut Reader, weight: f32) -> Self {
        let space = reader.met.space();
        Self {
            items: &mut grams.items[space as usize],
            sum_of_squares: &mut grams.sums_of_squares[space as usize],
            is_operator: space == Space::System,
            met: &mut reader.met,
            known: &mut reader.known,
            tallies: Tallies::default(),
            weight,
            text_weight: weight,
            middle: 0..0,
            inside: 0..0,
            is_edge: true,
            previous: 0,
            n_tokens: 0,
            end: [0; N_END],
        }
    }

    /// Reads a window that begins at `at` in a text of `n_bytes`.
    fn read_window(&mut self, text: &str, plain: Part<'_>, at: usize, n_bytes: usize) {
        let zone =
            |head: usize, tail: usize| head.saturating_sub(at)..(n_bytes - at).saturating_sub(tail);
        // About as many as bytes.
        self.items.reserve(text.len() + 64);
        self.weight = self.text_weight;
        self.middle = zone(HEAD_ZONE, TAIL_ZONE);
        self.inside = zone(EDGE_ZONE, EDGE_ZONE);
        self.is_edge = at == 0;
        (self.previous, self.n_tokens, self.end) = (0, 0, [0; N_END]);
        self.scan(text, plain);
        self.finish();
    }

    fn scan(&mut self, text: &str, plain: Part<'_>) {
        let (mut at, mut symbol) = (0, ' ');
        for (start, end, known) in plain.iter() {
            if text.as_bytes()[at..start] == *b" " {
                self.stand_at(at);
            } else {
                self.scan_range(text, at..start, symbol);
            }
            self.glossed(Gloss::of_known(known));
            (at, symbol) = (end, ' ');
        }
        self.scan_range(text, at..text.len(), symbol);
    }

    /// Reads what stands between two plain words, after `symbol`: mostly a space.
    #[inline]
    fn scan_range(&mut self, text: &str, range: Range<usize>, mut symbol: char) {
        let bytes = &text.as_bytes()[..range.end];
        let mut at = range.start;
        while let Some(byte) = bytes.get(at) {
            if !byte.is_ascii() || FOLDED[usize::from(*byte)] != 0 {
                return self.scan_words(text, at..range.end, symbol);
            }
            let c = char::from(*byte);
            self.symbol(c, at, symbol);
            symbol = if c == ' ' { symbol } else { c };
            at += 1;
        }
    }

    /// The same of any characters.
    fn scan_words(&mut self, text: &str, range: Range<usize>, mut symbol: char) {
        let bytes = &text.as_bytes()[..range.end];
        let mut word = Word::new();
        let mut at = range.start;
        loop {
            let start = at;
            at = self.plain_run(bytes, at, &mut word);
            if at > start {
                symbol = ' ';
            }
            let Some(byte) = bytes.get(at) else {
                break;
            };
            let c = match byte {
                0..0x80 => char::from(*byte),
                _ => text[at..].chars().next().unwrap_or(' '),
            };
            if let Some(lower) = folded(c) {
                symbol = ' ';
                if word.is_full() {
                    self.word(&mut word);
                }
                word.push(lower);
            } else {
                self.word(&mut word);
                self.symbol(c, at, symbol);
                symbol = if c == ' ' { symbol } else { c };
            }
            at += c.len_utf8();
        }
        self.word(&mut word);
    }

    /// Takes ASCII letters and digits from `at` on, and returns where they end.
    #[inline]
    fn plain_run(&mut self, bytes: &[u8], mut at: usize, word: &mut Word) -> usize {
        if word.n_bytes == 0 {
            let end = bytes::alphanumeric_end(bytes, at);
            let is_whole = bytes.get(end).is_none_or(u8::is_ascii);
            if is_whole && (1..=PACKED_LEN).contains(&(end - at)) {
                self.packed_word(Packed::at(bytes, at, end - at).folded(), end - at);
                return end;
            }
        }
        while let Some(byte) = bytes.get(at) {
            let folded = FOLDED[usize::from(*byte)];
            if folded == 0 {
                break;
            }
            if word.is_full() {
                self.word(word);
            }
            word.bytes[word.n_bytes] = folded;
            word.n_bytes += 1;
            at += 1;
        }
        at
    }

    /// A character between words at `at`, after `before`.
    #[inline]
    fn symbol(&mut self, c: char, at: usize, before: char) {
        self.stand_at(at);
        if c != before && (c == '\n' || !c.is_whitespace()) {
            let own = u64::from(u32::from(c)) | 1 << 40;
            self.token(own, bucket(own, Kind::Word, self.is_operator));
        }
    }

    /// Goes to a place, which tells how much what is read there counts.
    #[inline]
    fn stand_at(&mut self, at: usize) {
        self.weight = if self.middle.contains(&at) {
            self.text_weight * MIDDLE_WEIGHT
        } else {
            self.text_weight
        };
        self.is_edge = !self.inside.contains(&at);
    }

    /// Takes the word gathered, if any, and empties it.
    fn word(&mut self, word: &mut Word) {
        let n = std::mem::take(&mut word.n_bytes);
        let is_ascii = std::mem::replace(&mut word.is_ascii, true);
        let bytes = &word.bytes[..n];
        match n {
            0 => {}
            // Some letters beyond ASCII have a lower case in it: not what its bytes say.
            1..=PACKED_LEN if bytes.is_ascii() == is_ascii => {
                self.packed_word(Packed::at(&word.bytes, 0, n), n);
            }
            _ => self.new_word(bytes, is_ascii),
        }
    }

    /// Takes a folded word of `n` bytes.
    #[inline]
    fn packed_word(&mut self, word: Packed, n: usize) {
        let key = if self.is_operator {
            word.marked()
        } else {
            word
        };
        if let Some(gloss) = self.known.get(key).copied() {
            return self.glossed(gloss.view());
        }
        let bytes = &word.bytes()[..n];
        let Some(gloss) = KeptGloss::of(bytes, self.is_operator) else {
            return self.new_word(bytes, bytes.is_ascii());
        };
        self.known.keep(key, gloss);
        self.glossed(gloss.view());
    }

    #[inline]
    fn glossed(&mut self, gloss: Gloss<'_>) {
        self.themes(gloss.themes | stems::pair_themes(self.previous, gloss.own));
        self.token(gloss.own, gloss.bucket);
        let weight = self.weight * Kind::Piece.weight();
        for piece in gloss.pieces {
            self.add(*piece, weight);
        }
    }

    /// A word that is not kept.
    fn new_word(&mut self, word: &[u8], is_ascii: bool) {
        let own = hash(word);
        self.themes(stems::themes(word) | stems::pair_themes(self.previous, own));
        self.token(own, bucket(own, Kind::Word, self.is_operator));
        each_piece(word, is_ascii, |hash| self.push(hash, Kind::Piece));
    }

    /// Counts the themes of a word, a bit each; faint where the text is.
    #[inline]
    fn themes(&mut self, mut bits: u32) {
        while bits != 0 {
            let theme = bits.trailing_zeros() as usize;
            self.tallies.all[theme] += self.weight / self.text_weight;
            self.tallies.edge[theme] += f32::from(u8::from(self.is_edge));
            bits &= bits - 1;
        }
    }

    /// A word or a symbol: itself, with the one before, and where it stands.
    fn token(&mut self, hash: u64, bucket: u16) {
        self.add_either(bucket, hash, Kind::Word);
        self.push(self.previous.rotate_left(21) ^ hash, Kind::Pair);
        if self.n_tokens < N_LEAD {
            self.push(hash, Kind::Lead);
        }
        self.end[self.n_tokens % N_END] = hash;
        self.previous = hash;
        self.n_tokens += 1;
    }

    /// The last words of a text that is longer than its lead.
    fn finish(&mut self) {
        if self.n_tokens > N_LEAD + N_END {
            for hash in self.end {
                self.push(hash, Kind::End);
            }
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // about as often as there are bytes, with a kind known at each place
    fn push(&mut self, hash: u64, kind: Kind) {
        self.add_either(bucket(hash, kind, self.is_operator), hash, kind);
    }

    /// Adds the bucket of a hash, and of an operator's what a user would say.
    #[inline(always)]
    #[allow(clippy::inline_always)] // as above
    fn add_either(&mut self, bucket: u16, hash: u64, kind: Kind) {
        self.add(bucket, self.weight * kind.weight());
        // What an operator asks for is said in the words a user would use.
        if self.is_operator && kind != Kind::Piece {
            self.push_as_user(hash, kind);
        }
    }

    /// Adds a bucket that was not met before.
    #[inline(always)]
    #[allow(clippy::inline_always)] // as above
    fn add(&mut self, bucket: u16, weight: f32) {
        if self.met.is_new(bucket) {
            *self.sum_of_squares += weight * weight;
            self.items.push((bucket, weight));
        }
    }

    #[cold]
    fn push_as_user(&mut self, hash: u64, kind: Kind) {
        let weight = self.weight * SYSTEM_SHARE * kind.weight();
        self.add(bucket(hash, kind, false), weight);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::features::plain_words;

    proptest! {
        #[test]
        fn plain_words_are_read_as_any_others(
            text in "(([a-cZ7]{1,16}|[a-c]{5,9}|\\PC{1,3})[ .,_\\n'é]{0,3}){0,60}", space in prop::sample::select(
                vec![Space::Last, Space::Before, Space::System])
        ) {
            let mut plain = plain_words();
            plain.begin(&text, space == Space::System);
            let gathered = [Part::NONE, plain.of(text.as_bytes())].map(|part| {
                let (mut grams, mut reader) = (Grams::default(), Reader::default());
                reader.met.enter(space);
                let mut words = Words::new(&mut grams, &mut reader, 0.7);
                words.read_window(&text, part, 0, text.len());
                let tallies = words.tallies;
                (format!("{grams:?}"), format!("{tallies:?}"))
            });
            prop_assert_eq!(&gathered[0], &gathered[1]);
        }
    }
}
