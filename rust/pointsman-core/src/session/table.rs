//! [`Sessions`]: which prefixes are warm where, bounded in bytes.

use std::collections::HashMap;

use super::chain::{Boundary, Chain, N_BOUNDARIES, SessionPrefix};

/// Deployments remembered of a session: a conversation that visited more has left the oldest long ago.
const N_DEPLOYMENTS: usize = 8;
/// Bytes the table may hold: about 60,000 sessions of one deployment.
const MAX_BYTES: usize = 16 << 20;
/// Bytes of a session beyond its entries: key, vector and its share of an open-addressed table at 7/8 to 7/16 load.
const SESSION_BYTES: usize = 2 * (size_of::<u128>() + size_of::<Vec<Warm>>() + 1);

/// What one deployment has seen of a session.
#[derive(Clone, Copy, Debug)]
struct Warm {
    /// [`Deployment::key`](crate::Deployment::key).
    deployment: u64,
    /// Input tokens of the call, as the provider counted them.
    n_tokens: u64,
    used_s: f64,
    boundaries: [Boundary; N_BOUNDARIES],
}

impl Warm {
    /// Tokens before the last boundary that the conversation still begins with.
    fn common_tokens(&self, begins_with: impl Fn(Boundary) -> bool) -> u64 {
        let mut common = self
            .boundaries
            .iter()
            .rev()
            .filter(|one| begins_with(**one));
        common.next().map_or(0, |one| one.tokens_of(self.n_tokens))
    }
}

/// A prefix that a deployment may still hold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Warmth {
    pub(crate) deployment: u64,
    pub(crate) n_tokens: u64,
    /// Seconds since it was last used, >= 0.
    pub(crate) age_s: f64,
}

/// Sessions and their warm prefixes, the recently used ones: the table is two generations, each of half the bytes. A
/// session that is used moves to the young one; when that is full it becomes the old one, whose sessions are forgotten.
#[derive(Debug)]
pub(crate) struct Sessions {
    young: Generation,
    old: Generation,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Generation {
    sessions: HashMap<u128, Vec<Warm>>,
    n_bytes: usize,
}

impl Default for Sessions {
    fn default() -> Self {
        Self::new(MAX_BYTES)
    }
}

impl Sessions {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            young: Generation::default(),
            old: Generation::default(),
            max_bytes,
        }
    }

    /// Prefixes of the conversation that deployments saw, in no order that means anything; `O(deployments visited)`.
    pub(crate) fn warmth(&self, chain: &Chain, now_s: f64) -> impl Iterator<Item = Warmth> {
        let visited = self.visited(chain.key()).iter();
        visited.map(move |warm| Warmth {
            deployment: warm.deployment,
            n_tokens: warm.common_tokens(|boundary| chain.begins_with(boundary)),
            age_s: (now_s - warm.used_s).max(0.0),
        })
    }

    /// What `warmth` said of one deployment when the prefix was decided on, unless it was used since.
    pub(crate) fn warmth_before(
        &self,
        prefix: &SessionPrefix,
        deployment: u64,
        now_s: f64,
    ) -> Option<Warmth> {
        let visited = self.visited(prefix.key).iter();
        let warm = visited
            .into_iter()
            .find(|one| one.deployment == deployment)?;
        let is_kept = |boundary: Boundary| {
            let same =
                |one: &Boundary| (one.hash, one.n_messages) == (boundary.hash, boundary.n_messages);
            boundary.share > 0 && prefix.boundaries.iter().any(same)
        };
        Some(Warmth {
            deployment,
            n_tokens: warm.common_tokens(is_kept),
            age_s: (now_s - warm.used_s).max(0.0),
        })
    }

    /// Notes that a deployment answered the prefix. Returns what is forgotten, to be freed outside of any lock.
    #[must_use]
    pub(crate) fn observe(
        &mut self,
        prefix: &SessionPrefix,
        deployment: u64,
        n_tokens: u64,
        now_s: f64,
    ) -> impl Send + use<> {
        let mut visited = self.take(prefix.key);
        visited.retain(|one| one.deployment != deployment);
        if visited.len() == N_DEPLOYMENTS {
            visited.remove(0);
        }
        visited.push(Warm {
            deployment,
            n_tokens,
            used_s: now_s,
            boundaries: prefix.boundaries,
        });
        self.young.put(prefix.key, visited);
        let is_full = self.young.n_bytes > self.max_bytes / 2;
        is_full.then(|| std::mem::replace(&mut self.old, std::mem::take(&mut self.young)))
    }

    /// Bytes held, as counted.
    #[cfg(test)]
    pub(super) fn n_bytes(&self) -> usize {
        self.young.n_bytes + self.old.n_bytes
    }

    fn visited(&self, key: u128) -> &[Warm] {
        let young = self.young.sessions.get(&key);
        young
            .or_else(|| self.old.sessions.get(&key))
            .map_or(&[], |visited| visited)
    }

    fn take(&mut self, key: u128) -> Vec<Warm> {
        self.young
            .take(key)
            .or_else(|| self.old.take(key))
            .unwrap_or_default()
    }
}

impl Generation {
    fn take(&mut self, key: u128) -> Option<Vec<Warm>> {
        let visited = self.sessions.remove(&key)?;
        self.n_bytes -= bytes_of(&visited);
        Some(visited)
    }

    fn put(&mut self, key: u128, visited: Vec<Warm>) {
        self.n_bytes += bytes_of(&visited);
        self.sessions.insert(key, visited);
    }
}

fn bytes_of(visited: &Vec<Warm>) -> usize {
    SESSION_BYTES + visited.capacity() * size_of::<Warm>()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::request::{Conversation, Request};

    fn chain(session: &str) -> Chain {
        let mut request = Request::new(Conversation::user("What is in the box?"));
        request.session_id = Some(session);
        Chain::of(&request).unwrap()
    }

    fn is_warm(sessions: &Sessions, session: u32) -> bool {
        let chain = chain(&session.to_string());
        sessions
            .warmth(&chain, 0.0)
            .any(|warmth| warmth.n_tokens > 0)
    }

    fn visit(sessions: &mut Sessions, session: u32, deployment: u64) {
        let prefix = chain(&session.to_string()).prefix();
        drop(sessions.observe(&prefix, deployment, 2000, 0.0));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_what_was_used_last() {
        let max_bytes = 100_000;
        let mut sessions = Sessions::new(max_bytes);
        for session in 0..20_000 {
            visit(&mut sessions, session, 1);
            visit(&mut sessions, 0, u64::from(session % 20));
            assert!(
                sessions.n_bytes() <= max_bytes + 2_000,
                "{}",
                sessions.n_bytes()
            );
        }
        assert!(is_warm(&sessions, 0), "used all the time");
        assert!(is_warm(&sessions, 19_999) && is_warm(&sessions, 19_900));
        assert!(!is_warm(&sessions, 5_000));
    }

    #[test]
    fn bytes_are_counted_back_to_nothing() {
        let mut sessions = Sessions::new(usize::MAX);
        (0..100).for_each(|step| visit(&mut sessions, step % 7, u64::from(step)));
        let counted =
            |generation: &Generation| generation.sessions.values().map(bytes_of).sum::<usize>();
        assert_eq!(sessions.n_bytes(), counted(&sessions.young));
        assert_eq!(sessions.young.sessions.len(), 7);
        assert!(
            sessions
                .young
                .sessions
                .values()
                .all(|visited| visited.len() <= N_DEPLOYMENTS)
        );
    }

    #[test]
    fn a_clock_that_runs_backwards_makes_nothing_older_than_now() {
        let mut sessions = Sessions::default();
        let chain = chain("s");
        drop(sessions.observe(&chain.prefix(), 1, 2000, 50.0));
        let ages: Vec<f64> = sessions
            .warmth(&chain, 10.0)
            .map(|warmth| warmth.age_s)
            .collect();
        assert_eq!(ages, [0.0]);
    }
}
