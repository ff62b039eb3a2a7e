//! [`Plan`]: how the chosen deployment is called.

/// How a request is executed; a single call, in this version.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// One deployment answers.
    Direct {
        /// Index into [`Catalog::deployments`](crate::Catalog::deployments).
        deployment: usize,
    },
}

impl Plan {
    /// The strategy's name in JSON.
    pub fn strategy(&self) -> &'static str {
        match self {
            Plan::Direct { .. } => "direct",
        }
    }

    /// The deployment called first.
    pub fn first(&self) -> usize {
        match self {
            Plan::Direct { deployment } => *deployment,
        }
    }
}
