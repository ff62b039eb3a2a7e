//! What a model can do: a closed list, kept as a bit set.

use serde::{Deserialize, Serialize};

/// One thing a model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Calls tools.
    Tools,
    /// Reads pictures.
    Vision,
    /// Hears sound.
    Audio,
    /// Answers in JSON.
    JsonObject,
    /// Answers in JSON of a given schema.
    JsonSchema,
    /// Thinks before it answers.
    Reasoning,
    /// Reports log-probabilities.
    Logprobs,
    /// Reads PDF files.
    Pdf,
}

impl Capability {
    /// All of them, in bit order.
    pub const ALL: [Capability; 8] = [
        Capability::Tools,
        Capability::Vision,
        Capability::Audio,
        Capability::JsonObject,
        Capability::JsonSchema,
        Capability::Reasoning,
        Capability::Logprobs,
        Capability::Pdf,
    ];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Capability::Tools => "tools",
            Capability::Vision => "vision",
            Capability::Audio => "audio",
            Capability::JsonObject => "json_object",
            Capability::JsonSchema => "json_schema",
            Capability::Reasoning => "reasoning",
            Capability::Logprobs => "logprobs",
            Capability::Pdf => "pdf",
        }
    }
}

/// A set of [`Capability`].
///
/// # Example
///
/// ```
/// use pointsman_core::{Capabilities, Capability};
///
/// let has = Capabilities::default().with(Capability::JsonSchema);
/// assert!(has.contains(Capability::JsonObject), "a schema is stricter than an object");
/// assert!(!has.contains(Capability::Vision));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u16);

impl Capabilities {
    /// The set with one more; `json_schema` brings `json_object` along.
    #[must_use]
    pub fn with(self, capability: Capability) -> Self {
        let implied = if capability == Capability::JsonSchema {
            1 << Capability::JsonObject as u16
        } else {
            0
        };
        Self(self.0 | 1 << capability as u16 | implied)
    }

    /// Whether the set holds it.
    pub fn contains(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u16) != 0
    }

    /// Whether the set holds all of `needs`.
    pub fn covers(self, needs: Capabilities) -> bool {
        needs.0 & !self.0 == 0
    }
}
