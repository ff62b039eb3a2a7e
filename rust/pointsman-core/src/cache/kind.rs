//! What a word is to the guard: nothing, a carrier of content, or one of the closed classes that must agree.

/// The class of an item. All but [`Kind::Light`] must be matched by the other text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Says nothing: articles, copulas, politeness. Never becomes an item.
    Drop,
    /// "do", "a": as `Drop`, but a word of content at the end of a clause ("what does it do", "vitamin A").
    Tail,
    /// "please": says nothing at the edges of a text that is not about words.
    Polite,
    /// Joins its neighbours, whose order may then be free.
    And,
    /// Joins two of which one is meant.
    Or,
    /// Joins what is compared; as good as "and" or "or".
    Versus,
    /// "of": says nothing by itself, but the word behind it may stand elsewhere.
    Of,
    /// "in", "for": the same, but there is a difference between "in a kiss" and "a kiss".
    Lead,
    /// "to": as `Lead`, but where it leads is never where it comes from.
    Toward,
    /// "for": as `Lead`, but no other says the same: a book for children is not one about them.
    For,
    /// "I", "my", "it": may stand or not, if the other text has no other pronoun instead.
    Soft,
    /// May be left out without another question being asked: "tell me", "status code".
    Light,
    /// As `Light` where a clause begins, a word of content elsewhere: "tell me", "list".
    Opening,
    /// "favourite": asks for a taste, to which there is no one answer; only the same words are the same question.
    Taste,
    /// What is wanted ("summarise"); must be matched, may stand anywhere.
    Request,
    /// Any word of content.
    Word,
    Question,
    Number,
    Unit,
    Date,
    Negation,
    Quantifier,
    Pronoun,
    Relation,
    Modal,
    Tense,
    Name,
    Language,
    Form,
    Degree,
    Quoted,
    Code,
    Math,
}

impl Kind {
    /// The kind that a lexicon line names.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "drop" => Self::Drop,
            "and" => Self::And,
            "or" => Self::Or,
            "versus" => Self::Versus,
            "of" => Self::Of,
            "for" => Self::For,
            "toward" => Self::Toward,
            "soft" => Self::Soft,
            "lead" => Self::Lead,
            "light" => Self::Light,
            "tail" => Self::Tail,
            "polite" => Self::Polite,
            "taste" => Self::Taste,
            "opening" => Self::Opening,
            "request" => Self::Request,
            "word" => Self::Word,
            "question" => Self::Question,
            "number" => Self::Number,
            "unit" => Self::Unit,
            "date" => Self::Date,
            "negation" => Self::Negation,
            "quantifier" => Self::Quantifier,
            "pronoun" => Self::Pronoun,
            "relation" => Self::Relation,
            "modal" => Self::Modal,
            "tense" => Self::Tense,
            "name" => Self::Name,
            "language" => Self::Language,
            "form" => Self::Form,
            "degree" => Self::Degree,
            _ => return None,
        })
    }

    /// Whether a word of this kind may stand in one of two texts that ask the same.
    pub(crate) fn may_lack(self) -> bool {
        matches!(self, Self::Light | Self::Opening | Self::Soft)
    }

    /// Whether words of this kind tell the language they are written in.
    pub(crate) fn is_function_word(self) -> bool {
        use Kind as K;
        matches!(
            self,
            K::Drop
                | K::Light
                | K::Opening
                | K::Request
                | K::Tail
                | K::And
                | K::Or
                | K::Of
                | K::Lead
                | K::Toward
                | K::For
                | K::Soft
                | K::Question
                | K::Negation
                | K::Quantifier
                | K::Pronoun
                | K::Relation
                | K::Modal
                | K::Tense
        )
    }
}

/// One item of a text: what it means (equal for synonyms and inflections), its class, and how it stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Hash of the concept, or of the stem of a word that no lexicon knows.
    pub(crate) key: u64,
    /// Hash of the word as it was written: unequal for synonyms and inflections.
    pub(crate) form: u32,
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
}

/// "Spain's": what it belongs to follows.
pub(crate) const POSSESSIVE: u8 = 1;
/// "and", "or" or "versus" stands before it.
pub(crate) const JOINED: u8 = 2;
/// "of" stands before it.
pub(crate) const LED_BY_OF: u8 = 4;
/// Another preposition that says nothing by itself stands before it: "in", "for".
pub(crate) const LED: u8 = 8;
/// A pronoun that may stand or not: "my", "it".
pub(crate) const SOFT: u8 = 16;
/// "to" stands before it.
pub(crate) const TOWARD: u8 = 64;
/// "for" stands before it.
pub(crate) const LED_BY_FOR: u8 = 128;
/// Ends in `-ing`: may name a thing ("a building") or an action.
pub(crate) const GERUND: u8 = 32;

impl Item {
    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether the item says the same wherever it stands.
    pub(crate) fn is_free(&self) -> bool {
        matches!(
            self.kind,
            Kind::Light | Kind::Request | Kind::Question | Kind::Form
        )
    }
}
