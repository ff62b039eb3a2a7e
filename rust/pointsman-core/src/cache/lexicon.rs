//! The cache's word lists, one table a language; built once from the text files in `data/cache`.
//!
//! A line is `class: entry entry ...`. An entry is a word or a phrase (`how_to`), or several that mean the same
//! (`movie=film`). `same:` is one such set a line. `opposites:` lists pairs (`hot/cold`). `#` begins a comment.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use super::characters::is_unspaced;
use super::kind::Kind;
use super::stem::stem;

/// Languages with word lists; any other is read strictly: every word is content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tongue {
    En,
    Es,
    Fr,
    De,
    Pt,
    It,
    Zh,
    Ja,
    Ru,
    Hi,
    Ar,
    Other,
}

pub(crate) const TONGUES: [Tongue; 12] = [
    Tongue::En,
    Tongue::Es,
    Tongue::Fr,
    Tongue::De,
    Tongue::Pt,
    Tongue::It,
    Tongue::Zh,
    Tongue::Ja,
    Tongue::Ru,
    Tongue::Hi,
    Tongue::Ar,
    Tongue::Other,
];

const WORLD: &str = include_str!("../../data/cache/world.txt");
const EN_OPPOSITES: &str = include_str!("../../data/cache/en_opposites.txt");
const FILES: [&str; 12] = [
    include_str!("../../data/cache/en.txt"),
    include_str!("../../data/cache/es.txt"),
    include_str!("../../data/cache/fr.txt"),
    include_str!("../../data/cache/de.txt"),
    include_str!("../../data/cache/pt.txt"),
    include_str!("../../data/cache/it.txt"),
    include_str!("../../data/cache/zh.txt"),
    include_str!("../../data/cache/ja.txt"),
    include_str!("../../data/cache/ru.txt"),
    include_str!("../../data/cache/hi.txt"),
    include_str!("../../data/cache/ar.txt"),
    include_str!("../../data/cache/other.txt"),
];

/// What the lexicon knows of a word or phrase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Hash of the stem of the concept's first word.
    pub(crate) key: u64,
    /// `None`: only the beginning of a phrase.
    pub(crate) kind: Option<Kind>,
    /// Words of the longest phrase that begins with this word.
    pub(crate) n_words: u8,
}

/// Keys are hashes already.
#[derive(Default)]
pub(crate) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// Words of 64 bits in the filter: 8 KB, a tenth filled.
const FILTER_WORDS: usize = 1024;

/// Most characters of a listed word that is looked for in a run without spaces.
pub(crate) const MOST_UNSPACED: usize = 8;

type Table<V> = HashMap<u64, V, BuildHasherDefault<Identity>>;

/// The word lists of all languages.
pub(crate) struct Lexicon {
    /// Which hashes may be in any table, by their lowest bits: most words are in none.
    filter: Box<[u64; FILTER_WORDS]>,
    tables: Vec<Table<Entry>>,
    markers: Table<u16>,
    /// Of each character of the basic plane, the characters of the longest word that it begins, of those without spaces.
    unspaced: Box<[u8]>,
    opposites: HashSet<(u64, u64)>,
    /// Keys of what may be left out somewhere.
    optional: HashSet<u64, BuildHasherDefault<Identity>>,
    optional_filter: Box<[u64; FILTER_WORDS]>,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::build);

/// The shipped lists; built on first use in some milliseconds.
pub(crate) fn lexicon() -> &'static Lexicon {
    &LEXICON
}

/// The hash of a word as written in the normalised text: 8 bytes at a time, multiplied to 128 bits and folded
/// (the step of wyhash); words are short, and a general hash spends most of its time on starting and ending.
pub(crate) fn word_hash(word: &str) -> u64 {
    hash_bytes(word.as_bytes())
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    let n = bytes.len();
    let mut hash = n as u64 ^ 0xA076_1D64_78BD_642F;
    for chunk in bytes.chunks_exact(8).filter_map(<[u8]>::first_chunk) {
        hash = fold(hash ^ u64::from_le_bytes(*chunk), 0xE703_7ED1_A0B4_28DB);
    }
    fold(hash ^ tail(bytes), 0x8EBC_6AF0_9C88_C6E3)
}

/// The last bytes as one number; all of them where there are fewer than eight.
fn tail(bytes: &[u8]) -> u64 {
    if let Some(last) = bytes.last_chunk::<8>() {
        return u64::from_le_bytes(*last);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (low, high) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return u64::from(low) | u64::from(high) << 32;
    }
    match *bytes {
        [a, b, c] => u64::from(a) | u64::from(b) << 8 | u64::from(c) << 16,
        [a, b] => u64::from(a) | u64::from(b) << 8,
        [a] => u64::from(a),
        _ => 0,
    }
}

/// Both halves of the product, folded.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// The hash of a phrase, word by word.
pub(crate) fn join_hash(phrase: u64, word: u64) -> u64 {
    phrase.rotate_left(23).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ word
}

/// The key of a word (with its hash) that no list knows: the hash of its stem.
pub(crate) fn stem_key(tongue: Tongue, word: &str, hash: u64) -> u64 {
    let mut out = [0; 48];
    let n = stem(tongue, word.as_bytes(), &mut out);
    if n == 0 { hash } else { hash_bytes(&out[..n]) }
}

impl Lexicon {
    fn build() -> Self {
        let mut lexicon = Self {
            filter: Box::new([0; FILTER_WORDS]),
            tables: Vec::new(),
            markers: Table::default(),
            unspaced: vec![0; 1 << 16].into(),
            opposites: HashSet::new(),
            optional: HashSet::default(),
            optional_filter: Box::new([0; FILTER_WORDS]),
        };
        for (index, file) in FILES.into_iter().enumerate() {
            let mut table = Table::default();
            lexicon.read(&mut table, index, WORLD, false);
            lexicon.read(&mut table, index, file, true);
            if index == Tongue::En as usize {
                lexicon.read(&mut table, index, EN_OPPOSITES, true);
            }
            table
                .keys()
                .for_each(|hash| lexicon.filter[filter_word(*hash)] |= 1 << (hash & 63));
            lexicon.tables.push(table);
        }
        lexicon
    }

    fn read(&mut self, table: &mut Table<Entry>, tongue: usize, file: &str, is_own: bool) {
        for line in file.lines() {
            let line = if line.starts_with('#') {
                ""
            } else {
                line.trim()
            };
            let Some((class, entries)) = line.split_once(':') else {
                continue;
            };
            let class = class.split('.').next().unwrap_or(class);
            if class == "opposites" {
                self.oppose(table, TONGUES[tongue], entries);
                continue;
            }
            let joined = entries.split_whitespace().collect::<Vec<_>>().join("=");
            let sets: Vec<&str> = match class {
                "same" => vec![joined.as_str()],
                _ => entries.split_whitespace().collect(),
            };
            let kind = Kind::named(class).unwrap_or(Kind::Word);
            for set in sets {
                let key = add(table, TONGUES[tongue], kind, set);
                set.split('=').for_each(|word| self.measure(word));
                if kind.may_lack() {
                    self.optional.insert(key);
                    self.optional_filter[filter_word(key)] |= 1 << (key & 63);
                }
                if is_own && kind.is_function_word() {
                    self.mark(tongue, set);
                }
            }
        }
    }

    fn mark(&mut self, tongue: usize, set: &str) {
        for word in set.split('=').filter(|word| !word.contains('_')) {
            *self.markers.entry(word_hash(word)).or_default() |= 1 << tongue;
        }
    }

    fn measure(&mut self, word: &str) {
        let first = word.chars().next().filter(|c| is_unspaced(*c));
        if let Some(longest) = first.and_then(|c| self.unspaced.get_mut(c as usize)) {
            *longest = (*longest).max(word.chars().count().min(MOST_UNSPACED) as u8);
        }
    }

    /// The most characters of a listed word that begins with this character of a script without spaces.
    pub(crate) fn longest_unspaced(&self, first: char) -> usize {
        let longest = self.unspaced.get(first as usize);
        longest.map_or(MOST_UNSPACED, |longest| usize::from(*longest))
    }

    fn oppose(&mut self, table: &Table<Entry>, tongue: Tongue, pairs: &str) {
        for (left, right) in pairs
            .split_whitespace()
            .filter_map(|pair| pair.split_once('/'))
        {
            let key = |word: &str| concept_key(table, tongue, word);
            let (left, right) = (key(left), key(right));
            self.opposites.insert((left.min(right), left.max(right)));
        }
    }

    /// What is known of the word or phrase with this hash.
    pub(crate) fn get(&self, tongue: Tongue, hash: u64) -> Option<&Entry> {
        let may_be_there = self.filter[filter_word(hash)] >> (hash & 63) & 1 == 1;
        may_be_there
            .then(|| self.tables[tongue as usize].get(&hash))
            .flatten()
    }

    /// Whether an item with this key may lack in one of two texts that ask the same.
    pub(crate) fn is_optional(&self, key: u64) -> bool {
        let may_be_there = self.optional_filter[filter_word(key)] >> (key & 63) & 1 == 1;
        may_be_there && self.optional.contains(&key)
    }

    /// The languages, a bit each, of which the word is a function word.
    pub(crate) fn marks(&self, hash: u64) -> u16 {
        let may_be_there = self.filter[filter_word(hash)] >> (hash & 63) & 1 == 1;
        may_be_there
            .then(|| self.markers.get(&hash).copied())
            .flatten()
            .unwrap_or(0)
    }

    /// Whether two keys are a pair such as "hot" and "cold".
    pub(crate) fn are_opposites(&self, a: u64, b: u64) -> bool {
        self.opposites.contains(&(a.min(b), a.max(b)))
    }
}

/// The key that a word or phrase has in a text.
fn concept_key(table: &Table<Entry>, tongue: Tongue, word: &str) -> u64 {
    let known = table
        .get(&phrase_hash(word))
        .filter(|entry| entry.kind.is_some());
    known.map_or_else(
        || stem_key(tongue, word, word_hash(word)),
        |entry| entry.key,
    )
}

fn filter_word(hash: u64) -> usize {
    (hash >> 6) as usize % FILTER_WORDS
}

fn phrase_hash(phrase: &str) -> u64 {
    let mut words = phrase.split('_').map(word_hash);
    let first = words.next().unwrap_or(0);
    words.fold(first, join_hash)
}

/// Adds words that mean the same; returns their key.
fn add(table: &mut Table<Entry>, tongue: Tongue, kind: Kind, set: &str) -> u64 {
    let first = set.split('=').next().unwrap_or(set);
    let key = if first.contains('_') {
        phrase_hash(first)
    } else {
        stem_key(tongue, first, word_hash(first))
    };
    for phrase in set.split('=') {
        let n_words = phrase.split('_').count() as u8;
        insert(table, phrase_hash(phrase), key, kind);
        if n_words > 1 {
            let start = phrase.split('_').next().map_or(0, word_hash);
            let entry = table.entry(start).or_insert(Entry {
                key: 0,
                kind: None,
                n_words: 1,
            });
            entry.n_words = entry.n_words.max(n_words);
        } else {
            let stemmed = stem_key(tongue, phrase, word_hash(phrase));
            if table.get(&stemmed).is_none_or(|entry| entry.kind.is_none()) {
                insert(table, stemmed, key, kind);
            }
        }
    }
    key
}

fn insert(table: &mut Table<Entry>, hash: u64, key: u64, kind: Kind) {
    let entry = table.entry(hash).or_insert(Entry {
        key,
        kind: None,
        n_words: 1,
    });
    entry.key = key;
    entry.kind = Some(kind);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opposites_are_many_and_never_one_concept() {
        let lexicon = lexicon();
        assert!(
            lexicon.opposites.len() >= 600,
            "{}",
            lexicon.opposites.len()
        );
        let pairs = EN_OPPOSITES
            .lines()
            .filter_map(|line| line.strip_prefix("opposites:"));
        for (left, right) in pairs
            .flat_map(str::split_whitespace)
            .filter_map(|pair| pair.split_once('/'))
        {
            let key = |word: &str| concept_key(&lexicon.tables[0], Tongue::En, word);
            assert_ne!(key(left), key(right), "{left} and {right} are one concept");
        }
    }

    #[test]
    fn hashes_of_short_words_differ() {
        let words: Vec<String> = (0..40_000u32).map(|n| format!("{n:x}")).collect();
        let hashes: HashSet<u64> = words.iter().map(|word| word_hash(word)).collect();
        assert_eq!(hashes.len(), words.len());
    }
}
