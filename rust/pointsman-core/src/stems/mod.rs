//! Stems that tell a domain or a task in many languages (`data/axes/stems.txt`), found word by word.
//!
//! A stem is found where a word begins with it; where scripts have no spaces, anywhere; in Arabic and Hebrew after
//! one or two letters too (articles and prepositions are written together); a long stem inside a long word (compounds).

mod sieve;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use crate::lexicon::{N_THEMES, THEMES};
use sieve::{BEGINS, ENDS, Gate, Sieve, mix};

const FILE: &str = include_str!("../../data/axes/stems.txt");

/// How often each theme was met, weighted by place.
pub(crate) type Tally = [f32; N_THEMES];

/// A stem inside a compound is at least this long, and so is the compound; bytes.
const MIN_INNER_BYTES: usize = 6;
const MIN_COMPOUND_BYTES: usize = 9;
/// Where FNV-1a starts.
pub(crate) const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// Themes whose stem some letters are, and themes whose whole word they are; a bit each.
#[derive(Clone, Copy, Default)]
struct Entry {
    stem: u32,
    word: u32,
}

/// Hashes are keys already.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = step(self.0, *byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = mix(value);
    }
}

struct Table {
    /// What stems begin with, and where they end.
    sieve: Sieve,
    /// How those begin that may stand inside of a word.
    inner: Gate,
    entries: HashMap<u64, Entry, BuildHasherDefault<Same>>,
    /// Bytes of the shortest that is one word.
    shortest: usize,
    /// Which pairs a word may belong to, as its [`Groups`] tell.
    of_pairs: Vec<Groups>,
}

/// Pairs that have themes fall in groups by their last words: a bit for each group whose last word this may be, and
/// above them a bit for each whose first.
type Groups = u16;

const N_GROUPS: u32 = 7;
const OF_PAIRS_BITS: u32 = 14;
/// All themes. The bits above are the groups of the pairs that a word may belong to.
pub(crate) const ALL: u32 = (1 << N_THEMES) - 1;
const LASTS: u32 = ((1 << N_GROUPS) - 1) << N_THEMES;
const _: () = assert!(N_THEMES as u32 + 2 * N_GROUPS <= u32::BITS);

impl Table {
    /// Themes of the stem that some letters are, and if they are a whole word of that.
    #[inline(never)] // seldom asked: what comes before must not make room for it
    fn ended(&self, hash: u64, is_whole: bool) -> u32 {
        let entry = self.entries.get(&hash).copied().unwrap_or_default();
        entry.stem | if is_whole { entry.word } else { 0 }
    }

    fn get(&self, hash: u64) -> Entry {
        if self.sieve.sets(hash) & ENDS == 0 {
            return Entry::default();
        }
        self.entries.get(&hash).copied().unwrap_or_default()
    }

    /// The groups of the pairs that a word may belong to, above its themes.
    fn groups(&self, hash: u64) -> u32 {
        u32::from(self.of_pairs[Self::place_of_pairs(hash)]) << N_THEMES
    }

    fn add_pair(&mut self, first: u64, last: u64) {
        let group = 1 << ((mix(last) >> 32) % u64::from(N_GROUPS));
        self.of_pairs[Self::place_of_pairs(last)] |= group;
        self.of_pairs[Self::place_of_pairs(first)] |= group << N_GROUPS;
    }

    fn place_of_pairs(hash: u64) -> usize {
        (mix(hash) >> (64 - OF_PAIRS_BITS)) as usize
    }

    fn entry(&mut self, hash: u64) -> &mut Entry {
        self.sieve.add(hash, ENDS);
        self.entries.entry(hash).or_default()
    }
}

static TABLE: LazyLock<Table> = LazyLock::new(build);

/// FNV-1a, a byte at a time.
pub(crate) fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
}

fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(OFFSET, |hash, byte| step(hash, *byte))
}

/// The key of two words that follow each other.
fn pair(first: u64, second: u64) -> u64 {
    first.rotate_left(21) ^ second
}

/// Lines of the file: the bit of the theme, and its stems.
fn lines() -> impl Iterator<Item = (u32, impl Iterator<Item = &'static str>)> {
    let lines = FILE.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let (theme, rest) = line.split_once(' ')?;
        let (_, stems) = rest.split_once(' ')?;
        let bit = THEMES.iter().position(|name| *name == theme)?;
        Some((1 << bit, stems.split('|')))
    })
}

fn build() -> Table {
    let mut table = Table {
        sieve: Sieve::new(),
        inner: Gate::new(),
        entries: HashMap::default(),
        shortest: usize::MAX,
        of_pairs: vec![0; 1 << OF_PAIRS_BITS],
    };
    for (bit, stems) in lines() {
        for stem in stems {
            add(&mut table, stem, bit);
        }
    }
    table
}

/// One stem; of several words the last two count, each as a whole.
fn add(table: &mut Table, stem: &str, bit: u32) {
    let bare = stem.trim_matches('=');
    let is_word = bare.len() < stem.len();
    let mut words = bare.split_whitespace().rev();
    let Some(last) = words.next() else { return };
    if let Some(before) = words.next() {
        let (first, last) = (hash(before.as_bytes()), hash(last.as_bytes()));
        table.entry(pair(first, last)).word |= bit;
        table.add_pair(first, last);
        return;
    }
    table.shortest = table.shortest.min(last.len());
    for (at, _) in last.char_indices().skip(1) {
        table.sieve.add(hash(&last.as_bytes()[..at]), BEGINS);
    }
    if last.len() >= MIN_INNER_BYTES {
        table.inner.add(last.as_bytes());
    }
    let entry = table.entry(hash(last.as_bytes()));
    if is_word {
        entry.word |= bit;
    } else {
        entry.stem |= bit;
    }
}

/// Whether two words that follow each other may have themes together, as [`themes`] tells of each.
#[inline]
pub(crate) fn may_pair(previous: u32, own: u32) -> bool {
    previous >> N_GROUPS & own & LASTS != 0
}

/// Themes of two words that follow each other, a bit each; told by their hashes.
pub(crate) fn pair_themes(previous: u64, own: u64) -> u32 {
    TABLE.get(pair(previous, own)).word
}

/// Themes of a lower-case word by itself, a bit each, and above [`ALL`] what [`may_pair`] asks; `own` is its hash, and
/// whether it is of ASCII is known.
pub(crate) fn themes(word: &[u8], own: u64, is_ascii: bool) -> u32 {
    let table = &*TABLE;
    let groups = table.groups(own);
    if is_ascii {
        groups | themes_of_ascii(table, word)
    } else {
        groups | prefixes::<false>(table, word, 0, true) | inside(table, word)
    }
}

fn themes_of_ascii(table: &Table, word: &[u8]) -> u32 {
    let found = prefixes::<true>(table, word, 0, true);
    if word.len() < MIN_COMPOUND_BYTES {
        return found;
    }
    found | inside_plain(table, word)
}

/// Themes of the long stems inside a word of ASCII.
fn inside_plain(table: &Table, word: &[u8]) -> u32 {
    let places = 1..=word.len() - MIN_INNER_BYTES;
    let open = places.filter(|at| table.inner.opens(&word[*at..]));
    open.fold(0, |found, at| {
        found | prefixes::<true>(table, &word[at..], MIN_INNER_BYTES, false)
    })
}

/// Themes of the stems inside a word, as its script has them.
fn inside(table: &Table, word: &[u8]) -> u32 {
    let mut found = 0;
    let starts = (1..word.len()).filter(|at| word[*at] & 0xC0 != 0x80);
    for (n_before, at) in starts.enumerate() {
        let rest = &word[at..];
        let least = match script(rest) {
            Script::Unspaced => 0,
            Script::Prefixing if n_before <= 1 => 4,
            _ if word.len() >= MIN_COMPOUND_BYTES => MIN_INNER_BYTES,
            _ => break,
        };
        if rest.len() < least {
            break;
        }
        if least < MIN_INNER_BYTES || table.inner.opens(rest) {
            found |= prefixes::<false>(table, rest, least, false);
        }
    }
    found
}

/// Themes of the stems of at least `least` bytes that these bytes begin with.
fn prefixes<const IS_ASCII: bool>(
    table: &Table,
    bytes: &[u8],
    least: usize,
    is_start: bool,
) -> u32 {
    // What is shorter than any stem that counts needs no look: all that such a stem begins with is in the sieve.
    let n_unseen = least.max(table.shortest).max(1) - 1;
    let Some((unseen, rest)) = bytes.split_at_checked(n_unseen) else {
        return 0;
    };
    let (mut found, mut hash) = (0, hash(unseen));
    for (index, byte) in rest.iter().enumerate() {
        hash = step(hash, *byte);
        let next = rest.get(index + 1);
        if !IS_ASCII && next.is_some_and(|next| next & 0xC0 == 0x80) {
            continue;
        }
        let sets = table.sieve.sets(hash);
        if sets & ENDS != 0 {
            found |= table.ended(hash, is_start && next.is_none());
        }
        if sets & BEGINS == 0 {
            break;
        }
    }
    found
}

enum Script {
    Spaced,
    Unspaced,
    Prefixing,
}

/// How the script of the first character is written.
fn script(bytes: &[u8]) -> Script {
    match bytes {
        [0xE0, second, ..] if *second >= 0xB8 => Script::Unspaced, // Thai and Lao
        [0xE3..=0xED, ..] => Script::Unspaced,
        [0xD6..=0xDB, ..] => Script::Prefixing, // Hebrew and Arabic
        _ => Script::Spaced,
    }
}

/// Reads the stems now, so that the first decision does not.
pub(crate) fn warm_up() {
    LazyLock::force(&TABLE);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&'static str> {
        let (mut previous, mut before) = (0, 0);
        let mut bits = 0;
        for word in text.split(' ') {
            let own = hash(word.as_bytes());
            let alone = themes(word.as_bytes(), own, word.is_ascii());
            bits |= alone;
            if may_pair(before, alone) {
                bits |= pair_themes(previous, own);
            }
            (previous, before) = (own, alone);
        }
        let is_set = |bit: &usize| bits >> *bit & 1 == 1;
        (0..N_THEMES)
            .filter(is_set)
            .map(|bit| THEMES[bit])
            .collect()
    }

    #[test]
    fn every_line_names_a_theme_and_has_stems() {
        let stated = FILE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(lines().count(), stated);
        for (_, mut stems) in lines() {
            assert!(stems.all(|stem| !stem.trim_matches('=').is_empty()));
        }
    }

    #[test]
    fn one_look_at_both_words_misses_no_pair() {
        let of = |word: &str| themes(word.as_bytes(), hash(word.as_bytes()), word.is_ascii());
        let pairs = lines().flat_map(|(_, stems)| stems);
        let pairs = pairs.filter_map(|stem| stem.trim_matches('=').rsplit_once(' '));
        let mut n_pairs = 0;
        for (before, last) in pairs {
            let first = before.rsplit(' ').next().unwrap();
            assert!(may_pair(of(first), of(last)), "{before} {last}");
            n_pairs += 1;
        }
        assert!(n_pairs > 100);
        let words = ["of", "the", "in", "a", "is", "to", "and", "for", "on", "it"];
        let n_pairs = words.iter().flat_map(|a| words.map(|b| (of(a), of(b))));
        let n_pairs = n_pairs.filter(|(a, b)| may_pair(*a, *b)).count();
        assert!(n_pairs < 50, "{n_pairs} of 100 pairs without themes");
    }

    #[test]
    fn stems_are_found_in_many_languages() {
        for (text, theme) in [
            ("symptoms", "Medical"),
            ("arbeitsvertrag", "Legal"),
            ("chest pain", "Medical"),
            ("hợp đồng", "Legal"),
            ("والعقد", "Legal"),
            ("我的房东", "Legal"),
            ("налоговый", "Finance"),
            ("ความเร็ว", "Science"),
        ] {
            assert!(found(text).contains(&theme), "{text}: {:?}", found(text));
        }
        assert!(found("hello there").is_empty());
    }
}
