//! [`TaskProfile`]: what the request is, along four axes.

use crate::features::Language;

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$label_doc:meta])* $label:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$label_doc])* $label),+ }

        impl $name {
            /// All labels, in the order of the variants.
            pub const ALL: [$name; [$($text),+].len()] = [$($name::$label),+];

            /// The label in JSON.
            pub fn name(self) -> &'static str {
                match self { $($name::$label => $text),+ }
            }
        }
    };
}

labels! {
    /// How much thinking the answer takes.
    Complexity {
        /// One fact, one extraction, one label.
        Lookup = "lookup",
        /// Writing or transforming, without a chain of deductions.
        Generation = "generation",
        /// Several dependent steps.
        Reasoning = "reasoning",
    }
}
labels! {
    /// What the request is about.
    Domain {
        /// Programs, databases, machines.
        Code = "code",
        /// Mathematics.
        Math = "math",
        /// Law and contracts.
        Legal = "legal",
        /// Medicine and health.
        Medical = "medical",
        /// Money, accounting, markets.
        Finance = "finance",
        /// Natural science and engineering.
        Science = "science",
        /// Everything else.
        General = "general",
    }
}
labels! {
    /// The shape of the answer.
    Structure {
        /// Prose.
        Text = "text",
        /// JSON.
        Json = "json",
        /// A database query.
        Sql = "sql",
        /// A program.
        Code = "code",
        /// One of a few tokens: yes/no, a class, a letter.
        Label = "label",
    }
}
labels! {
    /// Whether someone waits.
    LatencyClass {
        /// Someone waits.
        Interactive = "interactive",
        /// Nobody waits.
        Batch = "batch",
    }
}

/// A label with its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis<L> {
    /// The most probable label.
    pub label: L,
    /// Its probability, in [0, 1]; 1 when a fact of the request decides.
    pub p: f64,
}

/// What one request is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskProfile {
    /// How much thinking it takes.
    pub complexity: Axis<Complexity>,
    /// Expected place between lookup (0), generation (0.5) and reasoning (1).
    pub complexity_score: f64,
    /// What it is about.
    pub domain: Axis<Domain>,
    /// The shape of the answer.
    pub structure: Axis<Structure>,
    /// Whether someone waits.
    pub latency: Axis<LatencyClass>,
    /// Estimated input tokens: messages, tools and schema.
    pub n_input_tokens: u64,
    /// Language of the conversation.
    pub language: Language,
}
