//! Which entry goes when there is no room: the least worth a byte of a sample.
//!
//! A heap over all entries would have to be changed by every hit; a sample lets hits be counted without a lock, and
//! loses little (Redis has done so for its LFU since 4.0).

use super::store::Store;

/// Live entries compared an eviction (chosen: twice Redis's five, which its authors found near the true order).
const SAMPLE: usize = 10;
/// Places looked at for them, at most, before all are.
const MOST_LOOKS: usize = 80;

impl Store {
    /// The entry to evict at `now_s`, if there is any; one that has expired before all others.
    pub(super) fn victim(&mut self, now_s: f64) -> Option<u32> {
        let n_places = self.entries.n_places() as u64;
        if n_places == 0 {
            return None;
        }
        self.n_evictions += 1;
        let start = xxhash_rust::xxh3::xxh3_64(&self.n_evictions.to_le_bytes());
        // An odd step visits places far apart, so that a sample is no run of neighbours.
        let place =
            |look: u64| (start.wrapping_add(look.wrapping_mul(0x9e37_79b9)) % n_places) as u32;
        let sample = (0..MOST_LOOKS as u64).filter_map(|look| self.worth(place(look), now_s));
        let least = sample.take(SAMPLE).min_by(|a, b| a.0.total_cmp(&b.0));
        let victim = least.or_else(|| {
            let all = self.entries.iter();
            all.filter_map(|(slot, _)| self.worth(slot, now_s))
                .min_by(|a, b| a.0.total_cmp(&b.0))
        });
        let (priority, slot) = victim?;
        if priority.is_finite() {
            self.floor = self.floor.max(priority);
        }
        Some(slot)
    }

    fn worth(&self, slot: u32, now_s: f64) -> Option<(f64, u32)> {
        let entry = self.entries.get(slot)?;
        let has_expired = now_s >= entry.expires_s;
        Some((
            if has_expired {
                f64::NEG_INFINITY
            } else {
                entry.priority()
            },
            slot,
        ))
    }
}
