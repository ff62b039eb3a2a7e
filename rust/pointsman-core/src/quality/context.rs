//! [`Context`]: one request, as the estimator sees it.

/// What an estimate depends on.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The cell statistics are kept for: a hash of tenant, task and structure.
    pub slice: u64,
    /// What outcomes of other slices count for at most in this one, as outcomes of its own; 12, the pseudo-counts of
    /// a prior, where less is given.
    pub n_elsewhere: f64,
    /// Prior quality of every arm on this task, in [0, 1], from the registry.
    pub priors: &'a [f64],
    /// Features for the ridge, with a constant 1 among them; scaled to about [-2, 2].
    pub features: &'a [f32],
    /// Unit vector whose neighbours are alike requests; zeros when there is none.
    pub vector: &'a [f32],
}
