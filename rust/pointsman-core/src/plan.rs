//! [`Plan`]: who is called, in which order and until when, or that a kept answer serves instead.

/// How a request is executed.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// One deployment answers.
    Direct {
        /// Index into [`Catalog::deployments`](crate::Catalog::deployments).
        deployment: usize,
    },
    /// One after the other answers until an answer is likely enough to be good.
    Cascade {
        /// Two or three steps; the last accepts whatever comes.
        steps: Vec<Step>,
        /// What following it is expected to come to.
        expected: Expected,
    },
    /// Two answer at once, or the second when the first is late; the first good answer wins.
    Race {
        /// Index of the one called first.
        first: usize,
        /// Index of the other.
        second: usize,
        /// Milliseconds without a token after which the second is called; 0: at once.
        hedge_after_ms: f64,
    },
    /// A kept answer serves, and nobody is called.
    Cache {
        /// The deployment that would have been called; index as above.
        deployment: usize,
        /// The answer that serves.
        kept: Kept,
    },
}

/// One step of a cascade.
///
/// # Example
///
/// ```
/// let last = pointsman_core::Step { deployment: 3, accept_threshold: None };
/// assert_eq!(last.accept_threshold, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Index into [`Catalog::deployments`](crate::Catalog::deployments).
    pub deployment: usize,
    /// Keep the answer if it is good with at least this probability; `None`: keep it in any case.
    pub accept_threshold: Option<f64>,
}

/// What a plan is expected to come to.
///
/// # Example
///
/// ```
/// let expected = pointsman_core::Expected { quality: 0.9, cost_usd: 0.001 };
/// assert!(expected.quality > 0.8);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Expected quality of the answer that is kept, in [0, 1].
    pub quality: f64,
    /// Expected cost of all steps taken, US dollars.
    pub cost_usd: f64,
}

/// A kept answer that serves a request.
///
/// # Example
///
/// ```
/// let kept = pointsman_core::Kept {
///     is_exact: false,
///     similarity: 0.97,
///     entry_id: "00000000000000aa".to_owned(),
/// };
/// assert_eq!(kept.status(), "semantic");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Whether the very same question was asked; if not, the answer is that of one with the same meaning.
    pub is_exact: bool,
    /// Cosine of the two questions, in [-1, 1]; 1 if exact.
    pub similarity: f32,
    /// Id of the entry in the cache.
    pub entry_id: String,
}

impl Kept {
    /// `exact` or `semantic`, as in JSON and headers.
    pub fn status(&self) -> &'static str {
        if self.is_exact { "exact" } else { "semantic" }
    }
}

impl Plan {
    /// The strategy's name in JSON.
    pub fn strategy(&self) -> &'static str {
        match self {
            Plan::Direct { .. } => "direct",
            Plan::Cascade { .. } => "cascade",
            Plan::Race { .. } => "race",
            Plan::Cache { .. } => "cache",
        }
    }

    /// The deployment called first, or that would have been.
    pub fn first(&self) -> usize {
        match self {
            Plan::Direct { deployment } | Plan::Cache { deployment, .. } => *deployment,
            Plan::Race { first, .. } => *first,
            Plan::Cascade { steps, .. } => steps[0].deployment,
        }
    }

    /// The calls it may make, in order; none if a kept answer serves.
    pub fn steps(&self) -> Vec<Step> {
        let step = |deployment: &usize| Step {
            deployment: *deployment,
            accept_threshold: None,
        };
        match self {
            Plan::Direct { deployment } => vec![step(deployment)],
            Plan::Cascade { steps, .. } => steps.clone(),
            Plan::Race { first, second, .. } => vec![step(first), step(second)],
            Plan::Cache { .. } => Vec::new(),
        }
    }

    /// Milliseconds after which a second deployment is called too, if one is.
    pub fn hedge_after_ms(&self) -> Option<f64> {
        match self {
            Plan::Race { hedge_after_ms, .. } => Some(*hedge_after_ms),
            _ => None,
        }
    }

    /// What a cascade is expected to come to.
    pub fn expected(&self) -> Option<Expected> {
        match self {
            Plan::Cascade { expected, .. } => Some(*expected),
            _ => None,
        }
    }

    /// The kept answer that serves, if one does.
    pub fn kept(&self) -> Option<&Kept> {
        match self {
            Plan::Cache { kept, .. } => Some(kept),
            _ => None,
        }
    }
}
