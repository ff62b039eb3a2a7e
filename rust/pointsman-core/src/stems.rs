//! Stems that tell a domain or a task in many languages (`data/axes/stems.txt`), found word by word.
//!
//! A stem is found where a word begins with it; where scripts have no spaces, anywhere; in Arabic and Hebrew after
//! one or two letters too (articles and prepositions are written together); a long stem inside a long word (compounds).

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use crate::lexicon::{N_THEMES, THEMES};

const FILE: &str = include_str!("../data/axes/stems.txt");

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

/// A set of hashes that may hold more than was put in, in 32 KiB: most letters are settled by it.
struct Sieve(Vec<u64>);

const SIEVE_BITS: u32 = 18;

impl Sieve {
    fn new() -> Self {
        Self(vec![0; 1 << (SIEVE_BITS - 6)])
    }

    fn place(hash: u64) -> (usize, u64) {
        let bit = mix(hash) >> (64 - SIEVE_BITS);
        ((bit >> 6) as usize, 1 << (bit & 63))
    }

    fn add(&mut self, hash: u64) {
        let (index, bit) = Self::place(hash);
        self.0[index] |= bit;
    }

    fn may_hold(&self, (index, bit): (usize, u64)) -> bool {
        self.0[index] & bit != 0
    }
}

fn mix(hash: u64) -> u64 {
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
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
    prefixes: Sieve,
    ends: Sieve,
    entries: HashMap<u64, Entry, BuildHasherDefault<Same>>,
    /// Bytes of the shortest that is one word.
    shortest: usize,
}

impl Table {
    fn get(&self, hash: u64) -> Entry {
        if self.ends.may_hold(Sieve::place(hash)) {
            self.entries.get(&hash).copied().unwrap_or_default()
        } else {
            Entry::default()
        }
    }

    fn entry(&mut self, hash: u64) -> &mut Entry {
        self.ends.add(hash);
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
        prefixes: Sieve::new(),
        ends: Sieve::new(),
        entries: HashMap::default(),
        shortest: usize::MAX,
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
        let key = pair(hash(before.as_bytes()), hash(last.as_bytes()));
        table.entry(key).word |= bit;
        return;
    }
    table.shortest = table.shortest.min(last.len());
    for (at, _) in last.char_indices().skip(1) {
        table.prefixes.add(hash(&last.as_bytes()[..at]));
    }
    let entry = table.entry(hash(last.as_bytes()));
    if is_word {
        entry.word |= bit;
    } else {
        entry.stem |= bit;
    }
}

/// Themes of a lower-case word, a bit each; `previous` is the hash of the word before it, `own` that of the word.
pub(crate) fn themes(word: &[u8], previous: u64, own: u64) -> u32 {
    let table = &*TABLE;
    let mut found = table.get(pair(previous, own)).word;
    let starts = (0..word.len()).filter(|at| word[*at] & 0xC0 != 0x80);
    for (n_starts, at) in starts.enumerate() {
        let rest = &word[at..];
        let least = match script(rest) {
            _ if at == 0 => 0,
            Script::Unspaced => 0,
            Script::Prefixing if n_starts <= 2 => 4,
            _ if word.len() >= MIN_COMPOUND_BYTES => MIN_INNER_BYTES,
            _ => break,
        };
        if rest.len() < least {
            break;
        }
        found |= prefixes(table, rest, least, at == 0);
    }
    found
}

/// Themes of the stems of at least `least` bytes that these bytes begin with.
fn prefixes(table: &Table, bytes: &[u8], least: usize, is_start: bool) -> u32 {
    // What is shorter than any stem that counts needs no look: all that such a stem begins with is in the sieve.
    let n_unseen = least.max(table.shortest).max(1) - 1;
    let Some((unseen, rest)) = bytes.split_at_checked(n_unseen) else {
        return 0;
    };
    let (mut found, mut hash) = (0, hash(unseen));
    for (index, byte) in rest.iter().enumerate() {
        hash = step(hash, *byte);
        if rest.get(index + 1).is_some_and(|next| next & 0xC0 == 0x80) {
            continue;
        }
        let place = Sieve::place(hash);
        if table.ends.may_hold(place) {
            let entry = table.entries.get(&hash).copied().unwrap_or_default();
            found |= entry.stem;
            if is_start && index + 1 == rest.len() {
                found |= entry.word;
            }
        }
        if !table.prefixes.may_hold(place) {
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
        let mut previous = 0;
        let mut bits = 0;
        for word in text.split(' ') {
            let own = hash(word.as_bytes());
            bits |= themes(word.as_bytes(), previous, own);
            previous = own;
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
