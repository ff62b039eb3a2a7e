//! [`CacheStats`]: what a cache did.

/// Counts since the cache was made or restored; entries and bytes as of now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CacheStats {
    /// Entries held.
    pub n_entries: usize,
    /// Partitions they are in.
    pub n_partitions: usize,
    /// Bytes held, everything counted, and their bound.
    pub n_bytes: usize,
    /// The bound.
    pub max_bytes: usize,
    /// Hits, by [`Layer::ALL`].
    pub hits: [u64; 4],
    /// Misses, by [`MissReason::ALL`].
    pub misses: [u64; 6],
    /// Entries evicted for room before their time.
    pub n_evicted: u64,
    /// Entries removed for room after their time.
    pub n_expired: u64,
    /// Alarms of the audit.
    pub n_alarms: u64,
    /// The share of wrong hits aimed at now: `target_error`, less what alarms took away.
    pub aim: f64,
    /// Bytes of a snapshot or journal that were damaged and dropped when the cache was restored.
    pub n_dropped_bytes: usize,
}
