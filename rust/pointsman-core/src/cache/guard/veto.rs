//! [`Veto`]: why two texts are different questions.

use super::align::{Alignment, align};
use super::order::{Order, order};
use crate::cache::kind::{Item, Kind};
use crate::cache::lexicon::{Tongue, lexicon};
use crate::cache::reading::{Reading, traits};

/// The first difference found that asks for another answer.
///
/// # Example
///
/// ```
/// use pointsman_core::cache::{Reading, Veto, veto};
///
/// let stored = Reading::new("Convert 114 INR to EUR.");
/// assert_eq!(veto(&stored, &Reading::new("Convert 248 INR to EUR.")), Some(Veto::Number));
/// assert_eq!(veto(&stored, &Reading::new("Please convert 114 INR to EUR")), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Veto {
    /// A number, ordinal or fraction.
    Number,
    /// A unit or currency.
    Unit,
    /// A date, weekday, month, time or time zone.
    Date,
    /// A negation in one text only.
    Negation,
    /// "all", "some", "only", "at most".
    Quantifier,
    /// A comparative or superlative.
    Degree,
    /// A pair such as "buy" and "sell".
    Opposite,
    /// A country, city, person, product.
    Name,
    /// The same names, numbers or units in other places.
    NameOrder,
    /// A quoted span.
    Quoted,
    /// A code span, an address, a file.
    Code,
    /// A formula.
    Math,
    /// "he" and "she", "I" and "you".
    Pronoun,
    /// "who", "when", "where", "why", "how".
    Question,
    /// "can", "should", "must".
    Modal,
    /// Past, present, future.
    Tense,
    /// "before", "with", "from".
    Relation,
    /// A language, human or for computers, or the texts' own.
    Language,
    /// The form the answer must have.
    Form,
    /// What is to be done.
    Request,
    /// Asks for a taste ("favourite"): there is no one answer.
    Taste,
    /// Another word of content.
    Word,
    /// A word of content that only one text has.
    Extra,
    /// The same words in another order.
    WordOrder,
    /// Too long or too different to compare.
    TooDifferent,
}

impl Veto {
    /// The name as in metrics and decisions: `"number"`, `"name_order"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Unit => "unit",
            Self::Date => "date",
            Self::Negation => "negation",
            Self::Quantifier => "quantifier",
            Self::Degree => "degree",
            Self::Opposite => "opposite",
            Self::Name => "name",
            Self::NameOrder => "name_order",
            Self::Quoted => "quoted",
            Self::Code => "code",
            Self::Math => "math",
            Self::Pronoun => "pronoun",
            Self::Question => "question",
            Self::Modal => "modal",
            Self::Tense => "tense",
            Self::Relation => "relation",
            Self::Language => "language",
            Self::Form => "form",
            Self::Request => "request",
            Self::Taste => "taste",
            Self::Word => "word",
            Self::Extra => "extra",
            Self::WordOrder => "word_order",
            Self::TooDifferent => "too_different",
        }
    }

    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Number => Self::Number,
            Kind::Unit => Self::Unit,
            Kind::Date => Self::Date,
            Kind::Negation => Self::Negation,
            Kind::Quantifier => Self::Quantifier,
            Kind::Degree => Self::Degree,
            Kind::Name => Self::Name,
            Kind::Quoted => Self::Quoted,
            Kind::Code => Self::Code,
            Kind::Math => Self::Math,
            Kind::Pronoun => Self::Pronoun,
            Kind::Question => Self::Question,
            Kind::Modal => Self::Modal,
            Kind::Tense => Self::Tense,
            Kind::Relation | Kind::And | Kind::Or | Kind::Versus | Kind::Lead | Kind::Of => {
                Self::Relation
            }
            Kind::Language => Self::Language,
            Kind::Form => Self::Form,
            Kind::Request => Self::Request,
            Kind::Taste => Self::Taste,
            _ => Self::Word,
        }
    }
}

/// Why the stored answer must not serve the asked text; `None` if nothing speaks against it.
///
/// Symmetric. Texts with equal normalised forms are never vetoed. `O(n)` for texts that are alike.
pub fn veto(stored: &Reading, asked: &Reading) -> Option<Veto> {
    if stored.normalised() == asked.normalised() {
        return None;
    }
    compare(stored, asked).err()
}

/// What two readings share if they may ask the same, and whether the order was changed; else why not.
pub(crate) fn compare(stored: &Reading, asked: &Reading) -> Result<(Alignment, bool), Veto> {
    if stored.tongue != asked.tongue {
        return Err(Veto::Language);
    }
    if stored.has(traits::UNREADABLE) || asked.has(traits::UNREADABLE) {
        return Err(Veto::TooDifferent);
    }
    let (a, b) = (stored.items(), asked.items());
    let alignment = align(a, b).ok_or(Veto::TooDifferent)?;
    if let Some(veto) = unmatched(&alignment, stored.tongue) {
        return Err(veto);
    }
    if alignment.n_matched == 0 {
        return Err(Veto::TooDifferent);
    }
    if joins_differ(stored, asked) || joins_differ(asked, stored) {
        return Err(Veto::Relation);
    }
    if stored.has(traits::TASTE) || asked.has(traits::TASTE) {
        return Err(Veto::Taste);
    }
    if stored.has(traits::POLAR) != asked.has(traits::POLAR) {
        return Err(Veto::Question);
    }
    if alignment.n_crossed > 0 {
        return Err(Veto::Relation);
    }
    match order(a, b, &alignment.placed) {
        Order::Same if alignment.n_led > 0 && alignment.n_matched <= 4 => Err(Veto::Relation),
        Order::Same => Ok((alignment, false)),
        Order::Moved if stored.tongue != Tongue::Other => Ok((alignment, true)),
        Order::Moved | Order::Changed => Err(order_veto(a, &alignment)),
    }
}

/// "A or B" in one text, "A and B" in the other.
fn joins_differ(a: &Reading, b: &Reading) -> bool {
    a.has(traits::OR) && b.has(traits::AND) && !b.has(traits::OR)
}

/// The veto of the most telling item without a match.
fn unmatched(alignment: &Alignment, _tongue: Tongue) -> Option<Veto> {
    let closed = alignment.unmatched().find(|item| item.kind != Kind::Word);
    if let Some(item) = closed {
        return Some(Veto::of(item.kind));
    }
    let words = |side: &[Item]| {
        side.iter()
            .filter(|item| item.kind == Kind::Word)
            .copied()
            .collect::<Vec<_>>()
    };
    let (a, b) = (words(&alignment.only[0]), words(&alignment.only[1]));
    if a.is_empty() && b.is_empty() {
        return None;
    }
    let lexicon = lexicon();
    let are_opposed = a
        .iter()
        .any(|x| b.iter().any(|y| lexicon.are_opposites(x.key, y.key)));
    Some(match (are_opposed, a.is_empty() || b.is_empty()) {
        (true, _) => Veto::Opposite,
        (false, true) => Veto::Extra,
        (false, false) => Veto::Word,
    })
}

fn order_veto(a: &[Item], alignment: &Alignment) -> Veto {
    let are_names = alignment.placed.iter().all(|(at, _)| {
        matches!(
            a[*at].kind,
            Kind::Name | Kind::Number | Kind::Unit | Kind::Language | Kind::Date
        )
    });
    if are_names {
        Veto::NameOrder
    } else {
        Veto::WordOrder
    }
}
