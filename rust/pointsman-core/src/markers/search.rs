//! Where the lexicon's patterns stand in a text.
//!
//! Most patterns are words or begin with one, and are looked up by the word: a table of some thousand keys, where an
//! automaton over all patterns has megabytes of states and waits for memory at every byte. What of ASCII may stand
//! inside of a word is looked up by its first two bytes; the rest, mostly Chinese, is left to an automaton.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::found::Found;
use super::pairs::{PAIR, Pairs};
use super::pattern::{Pattern, patterns};
use super::phrase::{Phrase, two_bytes};
use super::stands_alone;
use crate::byte_map::{ByteMap, PACKED_LEN, Packed};
use crate::bytes::{is_word, word_end, word_start};
use crate::lexicon::Edge;
use crate::memo::Memo;
use crate::plain_words::Part;

/// The lexicon, ready to be searched for.
pub(super) struct Search {
    pub(super) patterns: Vec<Pattern>,
    /// From the first word of a pattern, of a longer one its first bytes, to the place of its phrases.
    words: ByteMap,
    /// The places of the phrases that begin with two bytes of ASCII, wherever they stand.
    pairs: Pairs,
    /// Phrases that are looked up by the same bytes; none at place 0.
    phrases: Vec<Vec<Phrase>>,
    /// A bit for each byte that one of them goes on with, all for one that ends there: see [`next_bit`].
    nexts: Vec<u64>,
    /// For what else there is: not ASCII, and not led by a word.
    automaton: AhoCorasick,
    /// Numbers of its patterns.
    in_automaton: Vec<usize>,
    /// Every one of them holds a byte that is no less.
    least_wide_byte: u8,
    /// The bytes they are made of: those beyond ASCII, and few others.
    is_inside: [bool; 256],
}

/// Bits of the pairs of a plain word, which has at most fourteen inside: of its last byte with a space behind it, and of
/// its first with a space before.
const BEFORE_SPACE: u16 = 1 << 14;
const BEHIND_SPACE: u16 = 1 << 15;
const INSIDE: u16 = BEFORE_SPACE - 1;

/// Sets of the words whose places are kept: 64 KB for 3,072 of them.
const N_SETS: usize = 1 << 10;

/// Places of the phrases of words met lately, 0 for none: of the word, and of the word without its last `s`.
#[derive(Debug)]
pub(crate) struct Places(Memo<Packed, [u16; 2], 3>);

impl Default for Places {
    fn default() -> Self {
        Self(Memo::new(N_SETS))
    }
}

impl Search {
    pub(super) fn new() -> Self {
        let patterns = patterns();
        let mut search = Self {
            words: ByteMap::with_capacity(patterns.len()),
            pairs: Pairs::new(),
            phrases: vec![Vec::new()],
            nexts: vec![0],
            automaton: automaton(&[]),
            in_automaton: Vec::new(),
            least_wide_byte: u8::MAX,
            is_inside: std::array::from_fn(|byte| byte >= 0x80),
            patterns: Vec::new(),
        };
        for (number, pattern) in patterns.iter().enumerate() {
            search.insert(number, pattern);
        }
        let texts = search.in_automaton.iter().map(|i| &*patterns[*i].text);
        search.automaton = automaton(&texts.collect::<Vec<_>>());
        search.patterns = patterns;
        search
    }

    fn insert(&mut self, number: usize, pattern: &Pattern) {
        let text = pattern.text.as_bytes();
        let n_word = text.iter().take_while(|byte| is_word(**byte)).count();
        let next = self.phrases.len() as u16;
        let (place, n) = if pattern.edge == Edge::Word && n_word > 0 {
            let n = n_word.min(PACKED_LEN);
            let key = Packed::at(text, 0, n).to_ascii_lowercase();
            let place = self.words.get_packed(key).map(|place| place as u16);
            self.words
                .insert_packed(key, u32::from(place.unwrap_or(next)));
            (place.unwrap_or(next), n)
        } else if let (true, [a, b, ..]) = (text.is_ascii(), text) {
            (self.pairs.place_or([*a, *b], next), PAIR)
        } else {
            self.in_automaton.push(number);
            let greatest = text.iter().copied().max().unwrap_or(0);
            self.least_wide_byte = self.least_wide_byte.min(greatest);
            for byte in text {
                self.is_inside[usize::from(byte.to_ascii_lowercase())] = true;
                self.is_inside[usize::from(byte.to_ascii_uppercase())] = true;
            }
            return;
        };
        if place == next {
            self.phrases.push(Vec::new());
            self.nexts.push(0);
        }
        self.nexts[usize::from(place)] |= text.get(n).map_or(u64::MAX, |next| next_bit(*next));
        self.phrases[usize::from(place)].push(Phrase::new(text, n, number));
    }

    /// All places of patterns of ASCII, and of others, each in order; `O(n)`.
    #[inline(never)]
    pub(super) fn find(
        &self,
        bytes: &[u8],
        words: Part<'_>,
        places: &mut Places,
    ) -> [Vec<Found>; 2] {
        let mut found = [Vec::with_capacity(128), Vec::new()];
        let (mut at, mut before) = (0, 0);
        for (start, end, known) in words.iter() {
            let pairs = if start == at + 1 && bytes[at] == b' ' {
                before & BEFORE_SPACE | known.pairs & !BEFORE_SPACE
            } else {
                self.find_between(bytes, at..start, places, &mut found);
                known.pairs & INSIDE
            };
            if pairs != 0 {
                self.compare_pairs(pairs, bytes, start, &mut found);
            }
            if known.places != [0; 2] {
                self.compare_word(known.places, bytes, start, end - start, &mut found);
            }
            (at, before) = (end, known.pairs);
        }
        self.find_between(bytes, at..bytes.len(), places, &mut found);
        self.find_wide(bytes, &mut found);
        // Almost in order, which a stable sort makes use of.
        found.iter_mut().for_each(|places| places.sort());
        found
    }

    /// What the automaton finds: in runs of the bytes it can find, and only where one is wide enough.
    fn find_wide(&self, bytes: &[u8], found: &mut [Vec<Found>; 2]) {
        let mut at = if bytes.is_ascii() { bytes.len() } else { 0 };
        while let Some(n) = bytes[at..]
            .iter()
            .position(|byte| *byte >= self.least_wide_byte)
        {
            let is_inside = |byte: &&u8| self.is_inside[usize::from(**byte)];
            let start = at + n - bytes[at..at + n].iter().rev().take_while(is_inside).count();
            let end = start + bytes[start..].iter().take_while(is_inside).count();
            for place in self.automaton.find_overlapping_iter(&bytes[start..end]) {
                let number = self.in_automaton[place.pattern().as_usize()];
                let place = start + place.start()..start + place.end();
                self.push(number, bytes, place, &mut found[1]);
            }
            at = end;
        }
    }

    /// Looks up the words of a range that no word reaches out of.
    #[inline]
    fn find_words(
        &self,
        bytes: &[u8],
        range: Range<usize>,
        places: &mut Places,
        found: &mut [Vec<Found>; 2],
    ) {
        let mut at = word_start(bytes, range.start);
        while at < range.end {
            let start = at;
            at = word_end(bytes, at);
            let n = at - start;
            let word = Packed::at(bytes, start, n.min(PACKED_LEN));
            let key = if n > PACKED_LEN { word.marked() } else { word };
            let places = places.0.get(key).copied().unwrap_or_else(|| {
                let looked_up = self.look_up(word, n);
                places.0.keep(key, looked_up);
                looked_up
            });
            self.compare_word(places, bytes, start, n, found);
            at = word_start(bytes, at);
        }
    }

    /// Adds the phrases of the places of a word of `n` bytes, and of the word without its last.
    #[inline]
    fn compare_word(
        &self,
        [whole, singular]: [u16; 2],
        bytes: &[u8],
        start: usize,
        n: usize,
        found: &mut [Vec<Found>; 2],
    ) {
        self.compare(whole, bytes, start, n.min(PACKED_LEN), found);
        self.compare(singular, bytes, start, n - 1, found);
    }

    /// The places of a word of `n` bytes, packed as far as that goes, and without an `s` at its end; 0 for none.
    #[inline(never)]
    pub(super) fn look_up(&self, word: Packed, n: usize) -> [u16; 2] {
        let key = word.to_ascii_lowercase();
        let place = |key| self.words.get_packed(key).map_or(0, |place| place as u16);
        // A plural or third person: what is longer than a key is among the patterns looked up already.
        let is_inflected = (3..=PACKED_LEN).contains(&n) && key.byte(n - 1) == b's';
        let singular = if is_inflected {
            place(key.prefix(n - 1))
        } else {
            0
        };
        [place(key), singular]
    }

    /// Where in a plain word, or across the spaces around it, a pattern may stand that begins with the two bytes there.
    pub(super) fn pairs_of(&self, word: &[u8]) -> u16 {
        let set = |at: u16, is_set: bool| u16::from(is_set) << at;
        // The rest of a pattern may be told by the word alone; what stands behind the word only the text tells.
        let may_stand = |pair: [u8; PAIR], rest: &[u8]| {
            let phrases = self.phrases_of_pair(pair);
            self.pairs.has(pair) && phrases.iter().any(|phrase| phrase.may_stand(rest, 0))
        };
        let inside = word.windows(PAIR).enumerate().zip(0..);
        let inside = inside.fold(0, |bits, ((at, pair), bit)| {
            bits | set(bit, may_stand([pair[0], pair[1]], &word[at + PAIR..]))
        });
        let [Some(first), Some(last)] = [word.first(), word.last()] else {
            return 0;
        };
        inside
            | set(BEFORE_SPACE.ilog2() as u16, may_stand([*last, b' '], &[]))
            | set(
                BEHIND_SPACE.ilog2() as u16,
                may_stand([b' ', *first], &word[1..]),
            )
    }

    /// Compares at the places that bits are set for: inside of the word at `at`, or across the space before it.
    #[inline]
    fn compare_pairs(&self, mut pairs: u16, bytes: &[u8], at: usize, found: &mut [Vec<Found>; 2]) {
        while pairs != 0 {
            let place = match pairs & pairs.wrapping_neg() {
                BEFORE_SPACE => at - 2,
                BEHIND_SPACE => at - 1,
                inside => at + inside.ilog2() as usize,
            };
            self.compare_pair(bytes, place, found);
            pairs &= pairs - 1;
        }
    }

    /// Looks up the words and the pairs of what stands between two plain words, the pairs across its ends among them.
    #[inline]
    fn find_between(
        &self,
        bytes: &[u8],
        range: Range<usize>,
        places: &mut Places,
        found: &mut [Vec<Found>; 2],
    ) {
        let with_next = range.start.saturating_sub(1)..(range.end + 1).min(bytes.len());
        for (n, pair) in bytes[with_next.clone()].windows(PAIR).enumerate() {
            if self.pairs.has([pair[0], pair[1]]) {
                self.compare_pair(bytes, with_next.start + n, found);
            }
        }
        if range.len() > 1 {
            self.find_words(bytes, range, places, found);
        }
    }

    #[inline]
    fn compare_pair(&self, bytes: &[u8], at: usize, found: &mut [Vec<Found>; 2]) {
        self.compare(
            self.pairs.place([bytes[at], bytes[at + 1]]),
            bytes,
            at,
            PAIR,
            found,
        );
    }

    fn phrases_of_pair(&self, pair: [u8; PAIR]) -> &[Phrase] {
        &self.phrases[usize::from(self.pairs.place(pair))]
    }

    /// Adds the phrases of a place that follow the `n` bytes at `start`.
    #[inline(always)]
    #[allow(clippy::inline_always)] // a look that mostly ends it
    fn compare(
        &self,
        place: u16,
        bytes: &[u8],
        start: usize,
        n: usize,
        found: &mut [Vec<Found>; 2],
    ) {
        let next = bytes.get(start + n).copied();
        // Behind the end only a phrase that ends there can stand, and it sets all bits; place 0 has none.
        if self.nexts[usize::from(place)] & next_bit(next.unwrap_or_default()) != 0 {
            self.compare_each(&self.phrases[usize::from(place)], bytes, start, n, found);
        }
    }

    #[inline(never)]
    fn compare_each(
        &self,
        phrases: &[Phrase],
        bytes: &[u8],
        start: usize,
        n: usize,
        found: &mut [Vec<Found>; 2],
    ) {
        let next = two_bytes(bytes, start + n);
        for phrase in phrases {
            if let Some(end) = phrase.end(bytes, start + n, next) {
                let found = &mut found[usize::from(phrase.is_wide)];
                self.push(phrase.pattern as usize, bytes, start..end, found);
            }
        }
    }

    #[inline]
    fn push(&self, number: usize, bytes: &[u8], place: Range<usize>, found: &mut Vec<Found>) {
        let is_free = self.patterns[number].edge == Edge::Any;
        if is_free || stands_alone(bytes, place.start, place.end) {
            found.push(Found::new(place.start, place.end, number));
        }
    }
}

/// The bit of a byte, the same in both cases: its lower six, with bit 5 set for letters.
#[inline]
fn next_bit(byte: u8) -> u64 {
    1 << (byte.to_ascii_lowercase() & 63)
}

#[allow(clippy::expect_used)] // The patterns are constants; the tests build them.
fn automaton(texts: &[&str]) -> AhoCorasick {
    AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .ascii_case_insensitive(true)
        .build(texts)
        .expect("the lexicon's patterns fit an automaton")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::features::plain_words;

    /// Every place by one automaton over all patterns, in the order it finds them.
    fn by_automaton(search: &Search, bytes: &[u8], is_ascii: bool) -> Vec<Found> {
        let belongs = |i: &usize| search.patterns[*i].text.is_ascii() == is_ascii;
        let numbers: Vec<usize> = (0..search.patterns.len()).filter(belongs).collect();
        let texts: Vec<&str> = numbers.iter().map(|i| &*search.patterns[*i].text).collect();
        let mut found = Vec::new();
        for place in automaton(&texts).find_overlapping_iter(bytes) {
            let number = numbers[place.pattern().as_usize()];
            search.push(number, bytes, place.start()..place.end(), &mut found);
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn words_and_pairs_find_what_one_automaton_finds(
            picks in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, any::<bool>()), 1..60)
        ) {
            let search = Search::new();
            let joints = [" ", "s ", "S", "", "_", "\n", "é", ", ", "ss ", "\"", "語", "unprecedentedly "];
            let mut text = String::new();
            for (pick, joint, is_upper) in picks {
                let pattern = &*search.patterns[pick.index(search.patterns.len())].text;
                text.push_str(&if is_upper { pattern.to_uppercase() } else { pattern.to_owned() });
                text.push_str(joints[joint]);
            }
            let bytes = text.as_bytes();
            let mut words = plain_words();
            for part in [Part::NONE, words.of(bytes)] {
                let [ascii, wide] = search.find(bytes, part, &mut Places::default());
                prop_assert_eq!(ascii, by_automaton(&search, bytes, true));
                prop_assert_eq!(wide, by_automaton(&search, bytes, false));
            }
        }
    }
}
