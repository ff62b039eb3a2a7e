//! What can go wrong: one opaque [`Error`] with a [`kind`](Error::kind).

use std::fmt;

use crate::learn_error::LearnError;

/// An error of the core: a value it refuses, or a name the catalog does not hold.
///
/// The message names what was wrong, the value seen and the remedy; it never contains a prompt.
///
/// # Example
///
/// ```
/// use pointsman_core::{Catalog, ErrorKind};
///
/// let error = Catalog::from_json(b"{\"models\": 7}").unwrap_err();
/// assert!(matches!(error.kind(), ErrorKind::Catalog { path, .. } if path == "models"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Error(Box<ErrorKind>);

/// What kind of thing went wrong, with the values that show it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value outside what the field allows: NaN, infinity, negative, of a wrong shape.
    #[error("{field} is {got}: {remedy}")]
    InvalidValue {
        /// Path of the field, e.g. `constraints.max_cost_usd` or `messages[2].role`.
        field: String,
        /// The value seen, as text.
        got: String,
        /// What to give instead.
        remedy: String,
    },
    /// A conversation without a message.
    #[error("messages is empty: give at least one message")]
    EmptyConversation,
    /// A model, provider or deployment the catalog does not hold.
    #[error("{field}: no {what} named {name:?} in the catalog{}", suggestion(nearest.as_deref()))]
    UnknownName {
        /// Path of the field that held the name.
        field: String,
        /// `model`, `provider` or `deployment`.
        what: &'static str,
        /// The name seen.
        name: String,
        /// The known name nearest to it, if one is near.
        nearest: Option<String>,
    },
    /// A catalog document that cannot be used.
    #[error("catalog{}{path}: {problem}", if path.is_empty() { "" } else { " at " })]
    Catalog {
        /// Path inside the document, e.g. `deployments[0].price_nano_usd_per_mtok.input`.
        path: String,
        /// What is wrong, the value seen and the remedy.
        problem: String,
    },
    /// Saved state that is cut, changed, of another version or of another shape.
    #[error("saved state: {problem}")]
    State {
        /// What is wrong and the remedy.
        problem: String,
    },
}

impl Error {
    /// The kind of the error, for callers that act on it.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// An [`ErrorKind::InvalidValue`].
    pub fn invalid(
        field: impl Into<String>,
        got: impl fmt::Display,
        remedy: impl Into<String>,
    ) -> Self {
        ErrorKind::InvalidValue {
            field: field.into(),
            got: got.to_string(),
            remedy: remedy.into(),
        }
        .into()
    }

    pub(crate) fn catalog(path: impl Into<String>, problem: impl Into<String>) -> Self {
        ErrorKind::Catalog {
            path: path.into(),
            problem: problem.into(),
        }
        .into()
    }

    /// An [`ErrorKind::UnknownName`], with the nearest of `known` as the suggestion.
    pub(crate) fn unknown<'a>(
        field: impl Into<String>,
        what: &'static str,
        name: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> Self {
        let nearest = nearest(name, known).map(str::to_owned);
        ErrorKind::UnknownName {
            field: field.into(),
            what,
            name: name.to_owned(),
            nearest,
        }
        .into()
    }

    /// The same error with the field's path put behind `prefix`, e.g. `requests[3].`.
    #[must_use]
    pub fn within(self, prefix: &str) -> Self {
        let kind = match *self.0 {
            ErrorKind::InvalidValue { field, got, remedy } => ErrorKind::InvalidValue {
                field: format!("{prefix}{field}"),
                got,
                remedy,
            },
            ErrorKind::UnknownName {
                field,
                what,
                name,
                nearest,
            } => ErrorKind::UnknownName {
                field: format!("{prefix}{field}"),
                what,
                name,
                nearest,
            },
            ErrorKind::EmptyConversation => ErrorKind::InvalidValue {
                field: format!("{prefix}messages"),
                got: "empty".to_owned(),
                remedy: "give at least one message".to_owned(),
            },
            other @ (ErrorKind::Catalog { .. } | ErrorKind::State { .. }) => other,
        };
        kind.into()
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<LearnError> for Error {
    fn from(error: LearnError) -> Self {
        match error {
            LearnError::InvalidValue { field, got, remedy } => Self::invalid(field, got, remedy),
            LearnError::State { problem } => ErrorKind::State { problem }.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}

/// The entry of `known` nearest to `name` by edit distance, if at most a third of its letters differ.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Long enough for any real name; keeps the quadratic distance cheap on hostile input.
    const MAX_CHARS: usize = 128;
    let wanted: Vec<char> = name
        .chars()
        .take(MAX_CHARS)
        .flat_map(char::to_lowercase)
        .collect();
    let allowed = (wanted.len() / 3).max(1);
    known
        .map(|entry| (edit_distance(&wanted, entry), entry))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, entry)| entry)
}

/// Levenshtein distance, ignoring case.
fn edit_distance(a: &[char], b: &str) -> usize {
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (i, cb) in b.chars().flat_map(char::to_lowercase).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, ca) in a.iter().enumerate() {
            let substituted = diagonal + usize::from(*ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[a.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_a_typo_and_refuses_a_stranger() {
        let known = ["gpt-4o", "gpt-4o-mini", "claude-sonnet"];
        assert_eq!(nearest("gpt4o", known.into_iter()), Some("gpt-4o"));
        assert_eq!(
            nearest("CLAUDE-sonet", known.into_iter()),
            Some("claude-sonnet")
        );
        assert_eq!(nearest("mistral", known.into_iter()), None);
    }

    #[test]
    fn a_message_names_field_value_and_remedy() {
        let error = Error::invalid("max_cost_usd", f64::NAN, "give a finite number >= 0");
        assert_eq!(
            error.to_string(),
            "max_cost_usd is NaN: give a finite number >= 0"
        );
        assert!(
            error
                .within("requests[3].")
                .to_string()
                .starts_with("requests[3].max_cost_usd")
        );
    }
}
