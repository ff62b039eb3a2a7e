//! Byte pair merging by rank: the tokens of a piece, counted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::byte_map::{ByteMap, PACKED_LEN, Packed};

/// Pieces up to this many bytes are merged by scanning all pairs for the lowest rank; longer ones with a heap.
const SCAN_LEN: usize = 48;

/// No token: above every rank.
const NONE: u32 = u32::MAX;

/// The tokens of a byte pair encoding, by rank.
#[derive(Clone, Debug)]
pub(super) struct Ranks {
    tokens: ByteMap,
    /// Those of two bytes, by both: half of all that a merge asks for.
    pairs: Vec<u32>,
}

/// The place of a token of two bytes.
#[inline]
fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

impl Ranks {
    /// Reads tokens in order of rank, each a length byte and its bytes.
    pub(super) fn from_bytes(file: &[u8], n_tokens: usize) -> Self {
        let mut tokens = ByteMap::with_capacity(n_tokens);
        let mut pairs = vec![NONE; 1 << 16];
        let mut rest = file;
        for rank in 0..n_tokens as u32 {
            let Some((n, tail)) = rest.split_first() else {
                break;
            };
            let (token, tail) = tail.split_at(usize::from(*n).min(tail.len()));
            tokens.insert(token, rank);
            if let [first, second] = token {
                pairs[pair(*first, *second)] = rank;
            }
            rest = tail;
        }
        Self { tokens, pairs }
    }

    /// Asks for what is read first of a piece.
    pub(super) fn prefetch(&self, piece: Packed) {
        self.tokens.prefetch(piece);
    }

    /// Number of tokens of some pieces, each given by its start and end; changes their order.
    ///
    /// All are looked up before any is merged: the table is larger than a cache, and so many accesses to memory are
    /// under way at once. `tell` is told start, end and number of each.
    pub(super) fn count(
        &self,
        text: &[u8],
        pieces: &mut [(usize, usize)],
        mut tell: impl FnMut(usize, usize, usize),
    ) -> usize {
        let mut n_unknown = 0;
        for i in 0..pieces.len() {
            let (start, end) = pieces[i];
            if self.tokens.has(text, start, end - start) {
                tell(start, end, 1);
            } else {
                pieces[n_unknown] = (start, end);
                n_unknown += 1;
            }
        }
        let mut n_tokens = pieces.len() - n_unknown;
        for &(start, end) in &pieces[..n_unknown] {
            let n = self.merge(text, start, end);
            tell(start, end, n);
            n_tokens += n;
        }
        n_tokens
    }

    /// Number of tokens of a piece that is none by itself.
    fn merge(&self, text: &[u8], start: usize, end: usize) -> usize {
        match end - start {
            0 | 1 => end - start,
            n if n <= SCAN_LEN => self.count_by_scan(text, start, end),
            _ => self.count_by_heap(&text[start..end]),
        }
    }

    /// The rank of the token from `start` to `end`.
    fn rank(&self, text: &[u8], start: usize, end: usize) -> u32 {
        let found = self.tokens.get(text, start, end - start);
        found.unwrap_or(NONE)
    }

    /// The rank of the two bytes at `at`.
    #[inline]
    fn pair_rank(&self, text: &[u8], at: usize) -> u32 {
        self.pairs[pair(text[at], text[at + 1])]
    }

    /// The number of tokens of a piece of at most [`SCAN_LEN`] bytes.
    #[inline(never)]
    fn count_by_scan(&self, text: &[u8], start: usize, end: usize) -> usize {
        let n = end - start;
        let pair_rank = |at: usize| self.pair_rank(text, start + at);
        if n > PACKED_LEN {
            return scan(n, pair_rank, |at, end| {
                self.rank(text, start + at, start + end)
            });
        }
        let piece = Packed::at(text, start, n);
        scan(n, pair_rank, |at, end| {
            let found = self.tokens.get_packed(piece.slice(at, end - at));
            found.unwrap_or(NONE)
        })
    }

    /// The same in `O(n log n)`, for pieces that would be slow to scan: a heap of pairs, stale ones skipped.
    #[inline(never)]
    fn count_by_heap(&self, piece: &[u8]) -> usize {
        let n = piece.len();
        // Part `i` reaches from `i` to `next[i]`; `previous[i]` is the part before; a merged part is no start.
        let mut next: Vec<usize> = (1..=n).collect();
        let mut previous: Vec<usize> = (0..n).map(|i| i.wrapping_sub(1)).collect();
        let mut heap = BinaryHeap::with_capacity(n);
        let push_ranked = |heap: &mut BinaryHeap<_>, rank: u32, at: usize, end: usize| {
            if rank != NONE {
                heap.push(Reverse((rank, at, end)));
            }
        };
        let push = |heap: &mut BinaryHeap<_>, at: usize, end: usize| {
            push_ranked(heap, self.rank(piece, at, end), at, end);
        };
        for at in 0..n - 1 {
            push_ranked(&mut heap, self.pair_rank(piece, at), at, at + 2);
        }
        let mut n_parts = n;
        while let Some(Reverse((_, at, end))) = heap.pop() {
            let middle = next[at];
            let is_stale = middle >= n || next[middle] != end;
            if is_stale {
                continue;
            }
            n_parts -= 1;
            next[at] = end;
            // A part that has been merged away must match no pair that is still in the heap.
            next[middle] = usize::MAX;
            if end < n {
                previous[end] = at;
                push(&mut heap, at, next[end]);
            }
            if at > 0 {
                push(&mut heap, previous[at], end);
            }
        }
        n_parts
    }
}

/// Merges the leftmost pair of lowest rank until none is left, and gives the number of parts.
///
/// `pair_rank` is of the two bytes at a place, `rank` of what stands between two places.
#[inline(always)]
#[allow(clippy::inline_always)] // twice, each with its own ranks
fn scan(
    mut n: usize,
    pair_rank: impl Fn(usize) -> u32,
    rank: impl Fn(usize, usize) -> u32,
) -> usize {
    // Each part's first byte, below the rank of it and the next part together: the least is the pair to merge.
    let mut parts = [u64::MAX; SCAN_LEN + 2];
    let part = |at: usize, end: usize| u64::from(rank(at, end)) << 32 | at as u64;
    let first_of = |part: u64| (part & u64::from(u32::MAX)) as usize;
    let unranked = |at: usize| u64::from(NONE) << 32 | at as u64;
    for (at, place) in parts[..n - 1].iter_mut().enumerate() {
        *place = u64::from(pair_rank(at)) << 32 | at as u64;
    }
    (parts[n - 1], parts[n]) = (unranked(n - 1), unranked(n));
    loop {
        let (mut at, mut least) = (0, u64::MAX);
        for (i, part) in parts[..n].iter().enumerate() {
            if *part < least {
                (at, least) = (i, *part);
            }
        }
        if least >= unranked(0) {
            return n;
        }
        // Part `at + 1` goes; the one behind the last keeps the end of the text.
        for i in at + 1..n {
            parts[i] = parts[i + 1];
        }
        n -= 1;
        let first = first_of(parts[at]);
        parts[at] = if at + 1 < n {
            part(first, first_of(parts[at + 2]))
        } else {
            unranked(first)
        };
        if at > 0 {
            parts[at - 1] = part(first_of(parts[at - 1]), first_of(parts[at + 1]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heap_and_scan_agree() {
        let file: Vec<u8> = [
            "a", "b", "c", "ab", "bc", "aa", "abab", "cab", "aab", "bcab",
        ]
        .iter()
        .flat_map(|token| [&[token.len() as u8], token.as_bytes()].concat())
        .collect();
        let ranks = Ranks::from_bytes(&file, 10);
        let mut seed = 7_u32;
        for n in 2..=SCAN_LEN {
            for _ in 0..50 {
                let piece: Vec<u8> = (0..n)
                    .map(|_| {
                        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        b'a' + (seed >> 24) as u8 % 3
                    })
                    .collect();
                let scanned = ranks.count_by_scan(&piece, 0, n);
                assert_eq!(ranks.count_by_heap(&piece), scanned, "{piece:?}");
            }
        }
    }
}
