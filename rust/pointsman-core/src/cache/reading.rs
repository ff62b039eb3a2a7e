//! [`Reading`]: what the keys and the guard need of one text.

use super::canonical::{canonical, content, unordered};
use super::kind::{
    GERUND, Item, JOINED, Kind, LED, LED_BY_FOR, LED_BY_OF, POSSESSIVE, SOFT, TOWARD,
};
use super::lexicon::{
    Entry, Lexicon, MOST_UNSPACED, Tongue, join_hash, lexicon, stem_key, word_hash,
};
use super::normalise::normalise;
use super::tongue::tongue_of;
use super::words::{RawWord, Shape, split};

/// Longest normalised text that has items, in bytes: beyond it only equal texts are one question.
const MOST_BYTES: usize = 8 * 1024;

/// One text, read once: its normalised form, its canonical key and the items that the guard compares.
///
/// # Example
///
/// ```
/// use pointsman_core::cache::Reading;
///
/// let asked = Reading::new("Hi! What is the capital of  OMAN ?");
/// assert_eq!(asked.normalised(), Reading::new("what is the capital of Oman").normalised());
/// assert_eq!(asked.canonical(), Reading::new("What's the capital of Oman").canonical());
/// assert_ne!(asked.canonical(), Reading::new("What is the capital of Peru?").canonical());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    normalised: Box<str>,
    items: Box<[Item]>,
    pub(crate) tongue: Tongue,
    canonical: Option<u128>,
    content: u64,
    traits: u8,
}

/// What a reading says of the text as a whole, a bit each.
pub(crate) mod traits {
    /// "or" joins two items somewhere.
    pub(crate) const OR: u8 = 1;
    /// "and" does.
    pub(crate) const AND: u8 = 2;
    /// Begins with a verb: asks for yes or no, where another text with the same words asks what.
    pub(crate) const POLAR: u8 = 4;
    /// Asks for a taste, to which there is no one answer.
    pub(crate) const TASTE: u8 = 8;
    /// Too long to have items: only equal texts are one question.
    pub(crate) const UNREADABLE: u8 = 16;
}

impl Reading {
    /// Reads a text; linear in its length.
    pub fn new(text: &str) -> Self {
        let normalised = normalise(text);
        let words = (normalised.len() <= MOST_BYTES)
            .then(|| split(&normalised))
            .flatten();
        let mut reading = Self {
            normalised: Box::default(),
            items: Box::default(),
            tongue: Tongue::Other,
            canonical: None,
            content: 0,
            traits: traits::UNREADABLE,
        };
        if let Some(words) = words {
            reading.tongue = tongue_of(&words);
            let mut itemiser = Itemiser::new(reading.tongue, &words);
            itemiser.run();
            reading.traits = itemiser.traits;
            let asks_to_do = words
                .first()
                .is_some_and(|word| matches!(word.text, "can" | "could" | "would" | "will"));
            let is_request = itemiser.items.first().is_some_and(|item| {
                item.kind == Kind::Light || asks_to_do && item.kind == Kind::Request
            });
            if !is_request && is_polar(&words, reading.tongue) {
                reading.traits |= traits::POLAR;
            }
            let items = unordered(&itemiser.items).unwrap_or(itemiser.items);
            reading.content = content(&items);
            reading.items = items.into();
            reading.canonical = canonical(&reading);
        }
        reading.normalised = normalised.into();
        reading
    }

    /// The text without what says nothing: case, white space, Unicode forms, politeness, final punctuation.
    ///
    /// Equal normalised texts ask the same question.
    pub fn normalised(&self) -> &str {
        &self.normalised
    }

    /// The key of the ordered content: stems, numbers, negation, question word; `None` where it is unsafe.
    ///
    /// Texts of fewer than two or more than 64 items have none: too much or too little would be left out.
    pub fn canonical(&self) -> Option<u128> {
        self.canonical
    }

    /// What all texts that ask the same have in common; texts that do not rarely do.
    pub(crate) fn content(&self) -> u64 {
        self.content
    }

    pub(crate) fn has(&self, a_trait: u8) -> bool {
        self.traits & a_trait != 0
    }

    /// The traits that tell two keys apart.
    pub(crate) fn key_traits(&self) -> u8 {
        self.traits & (traits::OR | traits::POLAR)
    }

    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }
}

/// Whether the text begins with a form of "be", "do" or "have" or with a modal verb.
fn is_polar(words: &[RawWord], tongue: Tongue) -> bool {
    const VERBS: [&str; 21] = [
        "is", "are", "am", "was", "were", "do", "does", "did", "has", "have", "had", "can",
        "could", "should", "will", "would", "may", "must", "isn't", "aren't", "don't",
    ];
    tongue == Tongue::En && words.first().is_some_and(|word| VERBS.contains(&word.text))
}

/// Turns raw words into items, phrase by phrase.
struct Itemiser<'a> {
    lexicon: &'static Lexicon,
    tongue: Tongue,
    words: &'a [RawWord<'a>],
    items: Vec<Item>,
    flags: u8,
    traits: u8,
    begins_clause: bool,
    ends_clause: bool,
}

impl<'a> Itemiser<'a> {
    fn new(tongue: Tongue, words: &'a [RawWord<'a>]) -> Self {
        Self {
            lexicon: lexicon(),
            tongue,
            words,
            items: Vec::with_capacity(words.len()),
            flags: 0,
            traits: 0,
            begins_clause: true,
            ends_clause: false,
        }
    }

    fn run(&mut self) {
        let mut at = 0;
        while at < self.words.len() {
            self.begins_clause = at == 0 || self.words[at - 1].ends_clause;
            self.ends_clause = at + 1 == self.words.len() || self.words[at].ends_clause;
            at += self.take(at);
        }
    }

    /// Takes the longest phrase that begins here; returns its words.
    fn take(&mut self, at: usize) -> usize {
        let word = &self.words[at];
        match word.shape {
            Shape::Span if word.is_quoted => self.push(word.hash, word.hash, Kind::Code),
            Shape::Span => self.listed_or(word, Kind::Code),
            Shape::Symbol => self.listed_or(word, Kind::Math),
            Shape::Number => self.number(word.text),
            Shape::Letters if word.is_quoted => self.push(word.hash, word.hash, Kind::Quoted),
            Shape::Unspaced => self.unspaced(word.text),
            Shape::Letters => return self.letters(at),
        }
        1
    }

    fn letters(&mut self, at: usize) -> usize {
        let word = &self.words[at];
        let lexicon = self.lexicon;
        let entry = lexicon.get(self.tongue, word.hash);
        if let Some((entry, n_words)) = entry.and_then(|entry| self.phrase(at, entry)) {
            self.known(word.hash, &entry);
            return n_words;
        }
        if word.is_contracted {
            self.apostrophe(word.text);
        } else {
            self.single_of(word.text, word.hash, entry);
        }
        1
    }

    /// The longest phrase of the lexicon that begins at this word, and its number of words.
    fn phrase(&self, at: usize, entry: &Entry) -> Option<(Entry, usize)> {
        let n_most = usize::from(entry.n_words).min(self.words.len() - at);
        let mut hash = self.words[at].hash;
        let mut found = None;
        for n in 1..n_most {
            let word = &self.words[at + n];
            if self.words[at + n - 1].ends_clause || word.is_quoted {
                break;
            }
            hash = join_hash(hash, word.hash);
            if let Some(longer) = self.lexicon.get(self.tongue, hash) {
                found = longer.kind.map(|_| (*longer, n + 1)).or(found);
            }
        }
        found
    }

    fn single(&mut self, text: &str, hash: u64) {
        self.single_of(text, hash, self.lexicon.get(self.tongue, hash));
    }

    /// A word by itself, and what the lexicon has of it.
    fn single_of(&mut self, text: &str, hash: u64, entry: Option<&Entry>) {
        if self.tongue == Tongue::En {
            self.flags |= if text.len() > 5 && text.ends_with("ing") {
                GERUND
            } else {
                0
            };
        }
        let lexicon = self.lexicon;
        if let Some(entry) = entry.filter(|entry| entry.kind.is_some()) {
            return self.known(hash, entry);
        }
        let key = stem_key(self.tongue, text, hash);
        let stemmed = (key != hash)
            .then(|| lexicon.get(self.tongue, key))
            .flatten();
        match stemmed.filter(|entry| entry.kind.is_some()) {
            Some(entry) => self.known(hash, entry),
            None => self.push(key, hash, Kind::Word),
        }
    }

    fn known(&mut self, hash: u64, entry: &Entry) {
        match entry.kind.unwrap_or(Kind::Word) {
            Kind::Tail if self.ends_clause => self.push(entry.key, hash, Kind::Word),
            Kind::Polite if !self.is_polite() => self.push(entry.key, hash, Kind::Word),
            Kind::Drop | Kind::Tail | Kind::Polite => self.flags &= !GERUND,
            Kind::Of => self.flags = self.flags & !GERUND | LED_BY_OF,
            Kind::Lead => self.flags = self.flags & !GERUND | LED,
            Kind::For => self.flags = self.flags & !GERUND | LED | LED_BY_FOR,
            Kind::Toward => self.flags = self.flags & !GERUND | LED | TOWARD,
            Kind::Opening if self.begins_clause => self.push(entry.key, hash, Kind::Light),
            Kind::Opening => self.push(entry.key, hash, Kind::Word),
            Kind::Soft => {
                self.flags |= SOFT;
                self.push(entry.key, hash, Kind::Pronoun);
            }
            kind @ (Kind::And | Kind::Or | Kind::Versus) => {
                self.flags |= JOINED;
                self.traits |= match kind {
                    Kind::Or => traits::OR,
                    Kind::And => traits::AND,
                    _ => 0,
                };
            }
            Kind::Taste => {
                self.traits |= traits::TASTE;
                self.push(entry.key, hash, Kind::Taste);
            }
            kind => self.push(entry.key, hash, kind),
        }
    }

    /// Whether a polite word here is only that: at an edge, in a text that does not ask for words.
    fn is_polite(&self) -> bool {
        const ABOUT_WORDS: [&str; 8] = [
            "say",
            "mean",
            "meaning",
            "translate",
            "spell",
            "word",
            "pronounce",
            "write",
        ];
        let is_about = |word: &RawWord| ABOUT_WORDS.contains(&word.text);
        (self.begins_clause || self.ends_clause) && !self.words.iter().any(is_about)
    }

    fn push(&mut self, key: u64, form: u64, kind: Kind) {
        let flags = std::mem::take(&mut self.flags);
        self.items.push(Item {
            key,
            form: form as u32,
            kind,
            flags,
        });
    }

    /// "what's", "Spain's", "don't", "l'eau", "dell'acqua".
    fn apostrophe(&mut self, text: &str) {
        let Some((head, tail)) = text.split_once('\'') else {
            return;
        };
        if self.tongue == Tongue::En {
            return self.contraction(head, tail);
        }
        self.single(head, word_hash(head));
        self.single(tail, word_hash(tail));
    }

    fn contraction(&mut self, head: &str, tail: &str) {
        let n_before = self.items.len();
        match (head.strip_suffix('n'), tail) {
            (Some(verb), "t") => {
                let verb = match verb {
                    "ca" => "can",
                    "wo" => "will",
                    "sha" => "shall",
                    _ => verb,
                };
                self.single(verb, word_hash(verb));
                self.single("not", word_hash("not"));
            }
            _ => self.single(head, word_hash(head)),
        }
        match tail {
            "s" if self.items.len() > n_before => {
                if let Some(item) = self.items.last_mut() {
                    item.flags |= POSSESSIVE;
                }
            }
            "ll" => self.single("will", word_hash("will")),
            "s" | "t" | "m" | "ve" | "re" | "d" => {}
            _ => self.single(tail, word_hash(tail)),
        }
    }

    /// A number: digits without separators of thousands.
    fn number(&mut self, text: &str) {
        let plain = plain_number(text);
        let key = word_hash(plain.as_deref().unwrap_or(text));
        let known = self
            .lexicon
            .get(self.tongue, key)
            .and_then(|entry| entry.kind.map(|_| entry.key));
        self.push(known.unwrap_or(key), word_hash(text), Kind::Number);
    }

    fn listed_or(&mut self, word: &RawWord, kind: Kind) {
        match self
            .lexicon
            .get(self.tongue, word.hash)
            .filter(|entry| entry.kind.is_some())
        {
            Some(entry) => self.known(word.hash, entry),
            None => self.push(word.hash, word.hash, kind),
        }
    }

    /// Longest match over a run without spaces; a character that begins no entry is its own item.
    fn unspaced(&mut self, text: &str) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let mut ends = [0; MOST_UNSPACED];
            let n = self.lexicon.longest_unspaced(first);
            let places = rest.char_indices().map(|(at, c)| at + c.len_utf8());
            let n = places
                .zip(&mut ends[..n])
                .map(|(end, place)| *place = end)
                .count();
            let ends = &ends[..n];
            let found = ends.iter().rev().find_map(|end| {
                let entry = self.lexicon.get(self.tongue, word_hash(&rest[..*end]));
                entry
                    .filter(|entry| entry.kind.is_some())
                    .map(|entry| (*end, *entry))
            });
            if let Some((end, entry)) = found {
                self.known(word_hash(&rest[..end]), &entry);
                rest = &rest[end..];
            } else {
                let hash = word_hash(&rest[..first.len_utf8()]);
                self.push(hash, hash, Kind::Word);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
}

/// "1,000" as "1000"; `None` if nothing changes.
fn plain_number(text: &str) -> Option<String> {
    if !text.bytes().any(|byte| byte == b',') {
        return None;
    }
    let groups: Vec<&str> = text.split(',').collect();
    let are_thousands = groups.len() > 1
        && groups[1..]
            .iter()
            .all(|group| group.len() == 3 && group.bytes().all(|b| b.is_ascii_digit()));
    are_thousands.then(|| groups.concat())
}
