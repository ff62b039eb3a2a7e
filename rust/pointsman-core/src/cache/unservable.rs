//! Texts whose answer must not come from a cache, however well it matches.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

/// Why no kept answer serves a text.
///
/// # Example
///
/// ```
/// use pointsman_core::cache::{Unservable, unservable};
///
/// assert_eq!(unservable("What is the weather today?"), Some(Unservable::TimeSensitive));
/// assert_eq!(unservable("What is the capital of Oman?"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unservable {
    /// The answer changes by the hour: "today", "latest", "right now".
    TimeSensitive,
    /// Another answer each time is what is asked for: "another one", "surprise me".
    Diverse,
    /// The answer is about the one who asks: "my order", "my balance".
    Personal,
}

impl Unservable {
    /// The name as in metrics and decisions.
    pub fn name(self) -> &'static str {
        match self {
            Self::TimeSensitive => "time_sensitive",
            Self::Diverse => "diverse",
            Self::Personal => "personal",
        }
    }
}

const PHRASES: &[(Unservable, &str)] = &[
    (
        Unservable::TimeSensitive,
        "today|today's|right now|currently|at the moment|this week|tonight|tomorrow|yesterday|latest|breaking news|weather now|hoy|ahora mismo|aujourd'hui|heute|hoje|oggi|сегодня|आज|اليوم|今天|今日",
    ),
    (
        Unservable::Diverse,
        "another one|surprise me|pick a random|a random joke|a random fact|a random number|something else|try again|regenerate",
    ),
    (
        Unservable::Personal,
        "my order|my balance|my account balance|my invoice|my appointment|mi saldo|mi cuenta|mon compte|mein konto|minha conta|il mio conto",
    ),
];

struct Phrases {
    search: AhoCorasick,
    kinds: Vec<Unservable>,
}

#[allow(clippy::expect_used)] // The patterns are constants; the tests build them.
static SEARCH: LazyLock<Phrases> = LazyLock::new(|| {
    let mut kinds = Vec::new();
    let mut texts = Vec::new();
    for (kind, phrases) in PHRASES {
        for phrase in phrases.split('|') {
            kinds.push(*kind);
            texts.push(phrase);
        }
    }
    let mut builder = AhoCorasick::builder();
    builder
        .match_kind(MatchKind::LeftmostLongest)
        .ascii_case_insensitive(true);
    Phrases {
        search: builder.build(texts).expect("constant patterns build"),
        kinds,
    }
});

/// Why no kept answer serves the text; `None` if one may.
pub fn unservable(text: &str) -> Option<Unservable> {
    let found = SEARCH.search.find_iter(text);
    let mut whole = found.filter(|found| stands_alone(text, found.start(), found.end()));
    whole
        .next()
        .map(|found| SEARCH.kinds[found.pattern().as_usize()])
}

/// Whether no letter of the same script adjoins the match; scripts without spaces need no edge.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let needs_edge = |c: char| c.is_alphanumeric() && !matches!(c, '\u{3000}'..='\u{9fff}');
    let inner = text[start..end].chars().next().is_some_and(needs_edge);
    let is_joined = text[..start].chars().next_back().is_some_and(needs_edge)
        || text[end..].chars().next().is_some_and(needs_edge);
    !(inner && is_joined)
}
