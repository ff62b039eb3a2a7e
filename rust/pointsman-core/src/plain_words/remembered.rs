//! What is remembered of plain words: places that stay where they are while a text is read.

use super::Known;
use crate::byte_map::Packed;
use crate::simd;

/// Sets of the words that are remembered: 1.3 MB for 16,384 of them.
const N_SETS: usize = 4 << 10;
const WAYS: usize = 4;
const N_PLACES: usize = N_SETS * WAYS;

/// Where what is known of a word stands.
pub(super) type Place = u32;

/// No place.
pub(super) const NOWHERE: Place = Place::MAX;

/// One in each of four 16-bit lanes, and the highest bit of each.
const LANES: u64 = 0x0001_0001_0001_0001;
const HIGH_BITS: u64 = LANES << 15;

/// Words of sets of four, told apart by all of their bytes; sixteen bits of each one's hash stand apart, as those of all
/// sets are in a cache when no word is.
#[derive(Debug)]
pub(super) struct Remembered {
    /// A tag a word of the set, 0 where there is none.
    tags: Vec<u64>,
    keys: Vec<Packed>,
    /// What is known of each word, and behind them of words of the text at hand that were forgotten meanwhile.
    lines: Vec<Known>,
    /// Counts the words, to take turns with their ways.
    n_kept: usize,
}

impl Remembered {
    /// Of no word.
    pub(super) fn new() -> Self {
        Self {
            tags: vec![0; N_SETS],
            keys: vec![Packed::NONE; N_PLACES],
            lines: vec![Known::default(); N_PLACES],
            n_kept: 0,
        }
    }

    /// Begins with a text: places given before are void.
    pub(super) fn begin(&mut self) {
        self.lines.truncate(N_PLACES);
    }

    /// What is known, place by place.
    #[inline]
    pub(super) fn lines(&self) -> &[Known] {
        &self.lines
    }

    /// The place that the word most likely has, which is on its way then.
    #[inline]
    pub(super) fn guess(&self, key: Packed) -> Place {
        let (set, tag) = set_and_tag(key);
        let ways = ways_of(self.tags[set], tag);
        if ways == 0 {
            return NOWHERE;
        }
        let place = WAYS * set + way(ways);
        simd::prefetch(&self.keys[place]);
        simd::prefetch(&self.lines[place]);
        place as Place
    }

    /// The place of the word, which most likely is the guessed one.
    #[inline]
    pub(super) fn confirm(&self, guess: Place, key: Packed) -> Option<Place> {
        if self.keys.get(guess as usize) == Some(&key) {
            return Some(guess);
        }
        if guess == NOWHERE {
            return None;
        }
        self.find(key)
    }

    /// The place of the word.
    #[inline(never)]
    pub(super) fn find(&self, key: Packed) -> Option<Place> {
        let (set, tag) = set_and_tag(key);
        let mut ways = ways_of(self.tags[set], tag);
        while ways != 0 {
            let place = WAYS * set + way(ways);
            if self.keys[place] == key {
                return Some(place as Place);
            }
            ways &= ways - 1;
        }
        None
    }

    /// Keeps what is known of a word that has no place, in that of another, and says where. Those of `in_use` that
    /// were the other's are moved.
    pub(super) fn keep(&mut self, key: Packed, known: Known, in_use: &mut [Place]) -> Place {
        let (set, tag) = set_and_tag(key);
        let free = ways_of(self.tags[set], 0);
        let way = if free == 0 {
            self.n_kept = self.n_kept.wrapping_add(1);
            let way = self.n_kept % WAYS;
            self.save((WAYS * set + way) as Place, in_use);
            way
        } else {
            way(free)
        };
        let place = WAYS * set + way;
        let shift = 16 * way;
        self.tags[set] = self.tags[set] & !(0xffff << shift) | tag << shift;
        (self.keys[place], self.lines[place]) = (key, known);
        place as Place
    }

    /// Moves what is known at a place behind all places, if any of `in_use` is this one.
    fn save(&mut self, place: Place, in_use: &mut [Place]) {
        if !in_use.contains(&place) {
            return;
        }
        let saved = self.lines.len() as Place;
        self.lines.push(self.lines[place as usize]);
        for used in in_use.iter_mut().filter(|used| **used == place) {
            *used = saved;
        }
    }
}

#[inline]
fn set_and_tag(key: Packed) -> (usize, u64) {
    let hash = key.hash();
    (hash as usize % N_SETS, hash >> 48 | 1)
}

/// The highest bit of each lane that holds the tag; above such a one perhaps of others too.
#[inline]
fn ways_of(tags: u64, tag: u64) -> u64 {
    let others = tags ^ (tag * LANES);
    others.wrapping_sub(LANES) & !others & HIGH_BITS
}

#[inline]
fn way(ways: u64) -> usize {
    ways.trailing_zeros() as usize / 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(i: u64) -> (Packed, Known) {
        let text = format!("{i:x}");
        let known = Known {
            own: i,
            ..Known::default()
        };
        (Packed::at(text.as_bytes(), 0, text.len()), known)
    }

    fn place(words: &Remembered, key: Packed) -> Option<Place> {
        words.confirm(words.guess(key), key)
    }

    #[test]
    fn what_is_kept_is_what_was_given_and_room_is_made_for_the_new() {
        let mut words = Remembered::new();
        for i in 0..150_000 {
            let (key, known) = word(i);
            assert_eq!(place(&words, key), None);
            let kept = words.keep(key, known, &mut []);
            assert_eq!(place(&words, key), Some(kept));
            assert_eq!(words.find(key), Some(kept));
        }
        let kept = (0..150_000).filter_map(|i| Some((i, place(&words, word(i).0)?)));
        let kept: Vec<_> = kept.collect();
        assert_eq!(kept.len(), N_PLACES, "as many as there is room for");
        assert!(
            kept.iter()
                .all(|(i, place)| words.lines()[*place as usize].own == *i)
        );
    }

    #[test]
    fn what_a_text_uses_stays_known_to_it() {
        let mut words = Remembered::new();
        words.begin();
        let mut in_use = Vec::new();
        for i in 0..50_000 {
            let (key, known) = word(i);
            let kept = words.keep(key, known, &mut in_use);
            if i % 1000 < 2 {
                in_use.extend([kept; 2]);
            }
        }
        let known = in_use
            .iter()
            .map(|place| words.lines()[*place as usize].own);
        let used = (0..50_000).filter(|i| i % 1000 < 2);
        assert!(known.eq(used.flat_map(|i| [i; 2])));
        words.begin();
        assert_eq!(words.lines().len(), N_PLACES);
    }
}
