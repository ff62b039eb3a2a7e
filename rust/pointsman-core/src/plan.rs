//! [`Plan`]: how the chosen deployment is called, or that a kept answer serves instead.

/// How a request is executed.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// One deployment answers.
    Direct {
        /// Index into [`Catalog::deployments`](crate::Catalog::deployments).
        deployment: usize,
    },
    /// A kept answer serves, and nobody is called.
    Cache {
        /// The deployment that would have been called; index as above.
        deployment: usize,
        /// The answer that serves.
        kept: Kept,
    },
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
            Plan::Cache { .. } => "cache",
        }
    }

    /// The deployment called first, or that would have been.
    pub fn first(&self) -> usize {
        match self {
            Plan::Direct { deployment } | Plan::Cache { deployment, .. } => *deployment,
        }
    }

    /// The kept answer that serves, if one does.
    pub fn kept(&self) -> Option<&Kept> {
        match self {
            Plan::Direct { .. } => None,
            Plan::Cache { kept, .. } => Some(kept),
        }
    }
}
