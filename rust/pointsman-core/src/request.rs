//! What is asked: [`Request`] with its [`Conversation`], [`Constraints`] and [`ProviderPreferences`].
//!
//! All are generic over the string type `S: AsRef<str>`, so a binding can lend its own strings (`&str`,
//! a backed Python string) without a copy.

use std::ops::Range;

/// Who wrote a message, in OpenAI's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The operator's instructions.
    System,
    /// The operator's instructions, in newer words.
    Developer,
    /// The person (or program) that asks.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
    /// The result of a function call, in older words.
    Function,
}

impl Role {
    /// The names [`Role::from_name`] knows, in the order of the variants.
    pub const NAMES: [&'static str; 6] = [
        "system",
        "developer",
        "user",
        "assistant",
        "tool",
        "function",
    ];

    /// The role of that name, if there is one.
    ///
    /// # Example
    ///
    /// ```
    /// use pointsman_core::Role;
    ///
    /// assert_eq!(Role::from_name("user"), Some(Role::User));
    /// assert_eq!(Role::from_name("narrator"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        const ROLES: [Role; 6] = [
            Role::System,
            Role::Developer,
            Role::User,
            Role::Assistant,
            Role::Tool,
            Role::Function,
        ];
        Role::NAMES
            .iter()
            .position(|known| *known == name)
            .map(|index| ROLES[index])
    }
}

/// A part of a message that is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attachment {
    /// A picture.
    Image,
    /// Sound.
    Audio,
    /// A file, e.g. a PDF.
    File,
    /// A kind of part this version does not know; counted, never refused.
    Other,
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) role: Role,
    pub(crate) texts: Range<usize>,
    pub(crate) calls: Range<usize>,
}

/// The messages of a request, oldest first.
///
/// # Example
///
/// ```
/// use pointsman_core::{Conversation, Role};
///
/// let mut conversation = Conversation::new();
/// conversation.begin(Role::System);
/// conversation.text("You are terse.");
/// conversation.begin(Role::User);
/// conversation.text("What is the capital of France?");
/// assert_eq!(conversation.len(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct Conversation<S> {
    pub(crate) messages: Vec<Message>,
    /// Flat over all messages, so that a long conversation costs two allocations and not hundreds.
    pub(crate) texts: Vec<S>,
    pub(crate) calls: Vec<S>,
    pub(crate) attachments: [u32; 4],
    /// Bytes of texts of which only excerpts are at hand.
    pub(crate) n_elided_bytes: u64,
}

impl<S> Default for Conversation<S> {
    fn default() -> Self {
        Self {
            messages: Vec::new(),
            texts: Vec::new(),
            calls: Vec::new(),
            attachments: [0; 4],
            n_elided_bytes: 0,
        }
    }
}

impl<S> Conversation<S> {
    /// A conversation without messages; [`begin`](Self::begin) adds one.
    pub fn new() -> Self {
        Self::default()
    }

    /// A conversation of one user message.
    pub fn user(text: S) -> Self {
        let mut conversation = Self::new();
        conversation.begin(Role::User);
        conversation.text(text);
        conversation
    }

    /// Begins the next message.
    pub fn begin(&mut self, role: Role) {
        let (texts, calls) = (self.texts.len(), self.calls.len());
        self.messages.push(Message {
            role,
            texts: texts..texts,
            calls: calls..calls,
        });
    }

    /// Adds a text part to the message begun last; ignored before the first [`begin`](Self::begin).
    pub fn text(&mut self, text: S) {
        if let Some(message) = self.messages.last_mut() {
            self.texts.push(text);
            message.texts.end = self.texts.len();
        }
    }

    /// Adds a text of which only an excerpt is at hand: its start, some of its middle and its end; about `n_elided_bytes`
    /// are missing, and are taken to be as dense in tokens as the rest.
    ///
    /// A session does not tell two texts of the same excerpt apart.
    pub fn excerpt(&mut self, text: S, n_elided_bytes: u64) {
        self.text(text);
        self.n_elided_bytes = self.n_elided_bytes.saturating_add(n_elided_bytes);
    }

    /// Adds the name or the arguments of a tool call to the message begun last.
    pub fn call(&mut self, text: S) {
        if let Some(message) = self.messages.last_mut() {
            self.calls.push(text);
            message.calls.end = self.calls.len();
        }
    }

    /// Adds a part that is not text.
    pub fn attach(&mut self, attachment: Attachment) {
        self.attachments[attachment as usize] += 1;
    }

    /// Number of parts of that kind, over all messages.
    pub fn n_attachments(&self, attachment: Attachment) -> u32 {
        self.attachments[attachment as usize]
    }

    /// Number of messages.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

impl<S: AsRef<str>> Conversation<S> {
    /// Bytes of all texts and tool calls.
    pub fn n_bytes(&self) -> usize {
        self.texts
            .iter()
            .chain(&self.calls)
            .map(|text| text.as_ref().len())
            .sum()
    }
}

/// The shape the caller demands of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ResponseFormat {
    /// None demanded.
    #[default]
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON of a given schema.
    JsonSchema,
}

/// What an answer must satisfy; `None` means no such limit. Units are in the names.
#[derive(Clone, Debug)]
pub struct Constraints<S> {
    /// Task name; selects the quality prior of that name where a model has one.
    pub task: Option<S>,
    /// Upper bound of the expected cost, US dollars, >= 0.
    pub max_cost_usd: Option<f64>,
    /// Upper bound of the predicted 95th percentile of the whole answer's latency, > 0.
    pub max_latency_ms: Option<f64>,
    /// Upper bound of the predicted 95th percentile of the time to first token, > 0.
    pub max_ttft_ms: Option<f64>,
    /// Quality floor in [0, 1].
    pub min_quality: Option<f64>,
    /// Model whose quality on this task is the floor.
    pub quality_like: Option<S>,
    /// How far below the best feasible quality the choice may lie, for (lookup, generation, reasoning), each in [0, 1];
    /// with a floor both hold. Without any of the three: the cheapest that meets the floor, or a default tolerance.
    ///
    /// One of three ways to trade quality for money, like the two fields below; at most one may be given.
    pub quality_tolerance: Option<[f64; 3]>,
    /// How far below the best feasible quality the choice may lie, as a share of it in [0, 1].
    pub within_best: Option<f64>,
    /// What a quality of 1 instead of 0 is worth for this request, US dollars, in [0, 1e9]: the best at that price wins.
    pub quality_value_usd: Option<f64>,
    /// How much more than itself a dollar weighs, so that a budget lasts: in [0, 1e9]; see [`Pacer`](crate::pacer::Pacer).
    ///
    /// Needs a price of quality to weigh against: `quality_value_usd`, which is 1 if not given.
    pub budget_price: Option<f64>,
    /// What a second of latency beyond `max_latency_ms` (without it: any second) costs, US dollars, in [0, 1e6].
    pub latency_value_usd_per_s: f64,
    /// Seconds from now by which the answer must be there; a long one makes the request `batch`.
    pub deadline_s: Option<f64>,
    /// Whether now and then another deployment that meets the need is chosen, to learn about it.
    pub exploration: bool,
    /// Least propensity of a deployment that may be drawn, in [0, 1], at most an even share; bounds the weights of
    /// off-policy estimates by its inverse, at a regret linear in time.
    pub min_propensity: f64,
}

impl<S> Default for Constraints<S> {
    fn default() -> Self {
        Self {
            task: None,
            max_cost_usd: None,
            max_latency_ms: None,
            max_ttft_ms: None,
            min_quality: None,
            quality_like: None,
            quality_tolerance: None,
            within_best: None,
            quality_value_usd: None,
            budget_price: None,
            latency_value_usd_per_s: 0.0,
            deadline_s: None,
            exploration: false,
            min_propensity: 0.0,
        }
    }
}

/// What to rank by instead of the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortBy {
    /// Expected cost of the request, ascending.
    Price,
    /// Tokens per second, descending.
    Throughput,
    /// Predicted 95th percentile of the time to first token, ascending (OpenRouter's meaning).
    Latency,
}

/// Which providers may answer, and in which order: OpenRouter's `provider` object.
#[derive(Clone, Debug)]
pub struct ProviderPreferences<S> {
    /// Providers to try first, in this order.
    pub order: Vec<S>,
    /// If given, no other provider may answer.
    pub only: Option<Vec<S>>,
    /// Providers that may not answer.
    pub ignore: Vec<S>,
    /// Whether a provider outside `order` (or a second attempt) may answer.
    pub allow_fallbacks: bool,
    /// Whether a deployment must support every parameter of the request.
    pub require_parameters: bool,
    /// Whether only providers that keep no prompts may answer.
    pub deny_data_collection: bool,
    /// What to rank by instead of the score.
    pub sort: Option<SortBy>,
    /// Upper bound of the input price, US dollars per 1M tokens.
    pub max_input_price_usd_per_mtok: Option<f64>,
    /// Upper bound of the output price, US dollars per 1M tokens.
    pub max_output_price_usd_per_mtok: Option<f64>,
}

impl<S> Default for ProviderPreferences<S> {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            only: None,
            ignore: Vec::new(),
            allow_fallbacks: true,
            require_parameters: false,
            deny_data_collection: false,
            sort: None,
            max_input_price_usd_per_mtok: None,
            max_output_price_usd_per_mtok: None,
        }
    }
}

/// One request as the core sees it.
#[derive(Clone, Debug)]
pub struct Request<S> {
    /// The messages; never empty in a valid request.
    pub conversation: Conversation<S>,
    /// Number of tools defined.
    pub n_tools: u32,
    /// Every key and scalar of the tool definitions and the response schema, in order.
    pub schema_texts: Vec<S>,
    /// The shape demanded of the answer.
    pub response_format: ResponseFormat,
    /// Upper bound the caller set on the answer's tokens.
    pub max_output_tokens: Option<u64>,
    /// How many answers the caller asked for, >= 1.
    pub n_choices: u32,
    /// Whether the caller reads a stream.
    pub is_stream: bool,
    /// OpenAI's `service_tier`, if any.
    pub service_tier: Option<S>,
    /// Names of the optional parameters the request uses.
    pub parameters: Vec<S>,
    /// Models that may answer, in order of preference; `None`: all of the catalog.
    pub allowed_models: Option<Vec<S>>,
    /// Models the caller may use at all, in no order; `None`: every one. Names the catalog lacks permit nothing.
    pub permitted_models: Option<Vec<S>>,
    /// Who asks, where a gateway serves several; their sessions are apart.
    pub tenant: Option<S>,
    /// The conversation it belongs to, so that what staying with a deployment saves is known.
    pub session_id: Option<S>,
    /// Version of the policy it was read under, for the record.
    pub policy_version: Option<S>,
    /// Which of the policy's versions that is (`main`, `canary`), for the record.
    pub arm: Option<S>,
    /// What the answer must satisfy.
    pub constraints: Constraints<S>,
    /// Which providers may answer.
    pub preferences: ProviderPreferences<S>,
    /// The caller's own embedding of the request, 1 to 512 values of any scale; it takes the place of the built-in
    /// one where alike requests are sought. The same length with every request.
    pub vector: Option<Vec<f32>>,
}

impl<S> Request<S> {
    /// A request that asks `conversation` and nothing else.
    pub fn new(conversation: Conversation<S>) -> Self {
        Self {
            conversation,
            n_tools: 0,
            schema_texts: Vec::new(),
            response_format: ResponseFormat::Text,
            max_output_tokens: None,
            n_choices: 1,
            is_stream: false,
            service_tier: None,
            parameters: Vec::new(),
            allowed_models: None,
            permitted_models: None,
            tenant: None,
            session_id: None,
            policy_version: None,
            arm: None,
            constraints: Constraints::default(),
            preferences: ProviderPreferences::default(),
            vector: None,
        }
    }
}
