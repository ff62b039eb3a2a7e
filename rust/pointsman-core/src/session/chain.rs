//! [`Chain`]: a conversation hashed message by message; [`SessionPrefix`]: what of it is remembered.

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use crate::request::{Message, Request, Role};

/// Boundaries kept of a conversation: that behind the system prompts and the last seven. An edit further back, or a
/// history cut in the middle, falls back to the first.
pub(super) const N_BOUNDARIES: usize = 8;

/// The end of a message: what stands before it and how long that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Boundary {
    /// Hash of tools and of all messages before the boundary.
    pub(super) hash: u64,
    pub(super) n_messages: u32,
    /// Share of the whole prompt that stands before it, in 1 / 2^32.
    pub(super) share: u32,
}

impl Boundary {
    /// That share of `n_tokens`.
    pub(super) fn tokens_of(self, n_tokens: u64) -> u64 {
        let part = u128::from(n_tokens) * (u128::from(self.share) + 1);
        u64::try_from(part >> 32).unwrap_or(n_tokens)
    }
}

/// A session's conversation as it was decided on; goes with the outcome of the call, so that the next request of the
/// session finds the prefix warm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPrefix {
    pub(super) key: u128,
    pub(super) boundaries: [Boundary; N_BOUNDARIES],
}

/// Hashes of a session's conversation at every message's end.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    key: u128,
    /// After no message, after the first, ...: hash and bytes.
    ends: Vec<(u64, u64)>,
    n_system: usize,
}

impl Chain {
    /// The chain of a request that names its session; `O(bytes)`, about 0.1 us a KB.
    pub(crate) fn of<S: AsRef<str>>(request: &Request<S>) -> Option<Self> {
        let session = request.session_id.as_ref()?;
        let conversation = &request.conversation;
        let mut ends = Vec::with_capacity(conversation.len() + 1);
        // Tools stand before the messages in every provider's prompt.
        let mut end = (0, 0);
        for text in &request.schema_texts {
            end = after(end, text.as_ref());
        }
        ends.push(end);
        for message in &conversation.messages {
            end = (end.0 ^ (message.role as u64 + 1), end.1);
            for text in &conversation.texts[message.texts.clone()] {
                end = after(end, text.as_ref());
            }
            for text in &conversation.calls[message.calls.clone()] {
                end = after((!end.0, end.1), text.as_ref());
            }
            // An empty message is a message too.
            end = after(end, "");
            ends.push(end);
        }
        let is_system = |message: &&Message| matches!(message.role, Role::System | Role::Developer);
        Some(Self {
            key: key(request.tenant.as_ref().map(AsRef::as_ref), session.as_ref()),
            n_system: conversation.messages.iter().take_while(is_system).count(),
            ends,
        })
    }

    pub(super) fn key(&self) -> u128 {
        self.key
    }

    /// Whether the conversation begins with what stood before that boundary.
    pub(super) fn begins_with(&self, boundary: Boundary) -> bool {
        let end = self.ends.get(boundary.n_messages as usize);
        end.is_some_and(|(hash, _)| *hash == boundary.hash && boundary.share > 0)
    }

    /// What is remembered of it.
    pub(crate) fn prefix(&self) -> SessionPrefix {
        let n_messages = self.ends.len() - 1;
        let first_of_last = (n_messages + 1).saturating_sub(N_BOUNDARIES - 1);
        let mut boundaries = [Boundary::default(); N_BOUNDARIES];
        boundaries[0] = self.boundary(self.n_system.min(first_of_last));
        for (place, index) in (first_of_last..=n_messages).enumerate() {
            boundaries[place + 1] = self.boundary(index);
        }
        SessionPrefix {
            key: self.key,
            boundaries,
        }
    }

    fn boundary(&self, index: usize) -> Boundary {
        let (hash, n_bytes) = self.ends[index];
        let (_, n_all_bytes) = self.ends[self.ends.len() - 1];
        let share = (u128::from(n_bytes) << 32) / u128::from(n_all_bytes.max(1));
        Boundary {
            hash,
            n_messages: u32::try_from(index).unwrap_or(u32::MAX),
            share: u32::try_from(share).unwrap_or(u32::MAX),
        }
    }
}

/// Bytes a message costs beyond its text: four tokens of `OpenAI`'s chat format.
const BYTES_PER_PART: u64 = 16;

fn after((hash, n_bytes): (u64, u64), text: &str) -> (u64, u64) {
    // The seed carries the chain, and the length keeps two texts from running together.
    let seed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ text.len() as u64;
    (
        xxh3_64_with_seed(text.as_bytes(), seed),
        n_bytes + text.len() as u64 + BYTES_PER_PART,
    )
}

/// Tenants are apart: the same session id of another is another session.
fn key(tenant: Option<&str>, session: &str) -> u128 {
    let mut hash = Xxh3::new();
    for text in [tenant, Some(session)] {
        hash.update(
            &text
                .map_or(u64::MAX, |text| text.len() as u64)
                .to_le_bytes(),
        );
        hash.update(text.unwrap_or_default().as_bytes());
    }
    hash.digest128()
}
