//! Which changes of order ask the same: "capital of Spain" and "Spain's capital", "A and B", "in 2021" in front.

use crate::cache::kind::{Item, JOINED, Kind, LED, LED_BY_OF, POSSESSIVE, TOWARD};

/// How the matched items of two texts are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Same,
    /// A change that asks the same.
    Moved,
    /// Any other change.
    Changed,
}

/// Compares the order of matched items: indices into `a` and `b`, ascending in `a`.
pub(crate) fn order(a: &[Item], b: &[Item], placed: &[(usize, usize)]) -> Order {
    let Some(blocks) = swapped_blocks(placed) else {
        let is_same = placed.windows(2).all(|pair| pair[0].1 < pair[1].1);
        return if is_same { Order::Same } else { Order::Changed };
    };
    if placed.iter().any(|(at, _)| a[*at].kind == Kind::Negation) {
        return Order::Changed;
    }
    let (first, second) = blocks;
    let is_moved = are_joined(a, b, first, second)
        || is_genitive(a, b, first, second)
        || is_genitive(b, a, &mirror(second), &mirror(first))
        || is_fronted(a, b, placed, first, second);
    if is_moved {
        Order::Moved
    } else {
        Order::Changed
    }
}

/// "A and B" for "B and A".
fn are_joined(a: &[Item], b: &[Item], first: Block, second: Block) -> bool {
    a[second[0].0].has(JOINED) && b[first[0].1].has(JOINED)
}

/// "capital of Spain" in `a`, "Spain's capital" or "Spain capital" in `b`.
fn is_genitive(a: &[Item], b: &[Item], first: Block, second: Block) -> bool {
    let leads = a[second[0].0].has(LED_BY_OF | LED) && !b[first[0].1].has(LED_BY_OF | LED);
    let goes = a[second[0].0].has(TOWARD);
    leads && !goes && (b[block_end(second).1].has(POSSESSIVE) || second.len() == 1)
}

/// "in 2021" at the end of one text and at the beginning of the other.
fn is_fronted(a: &[Item], b: &[Item], placed: Block, first: Block, second: Block) -> bool {
    let is_whole = first.len() + second.len() == placed.len() && placed.len() > 2;
    let is_led =
        |block: Block| a[block[0].0].has(LED) && b[block[0].1].has(LED) && block.len() <= 2;
    is_whole && (is_led(first) || is_led(second))
}

fn mirror(block: Block) -> Vec<(usize, usize)> {
    block.iter().map(|(x, y)| (*y, *x)).collect()
}

fn block_end(block: &[(usize, usize)]) -> (usize, usize) {
    block.last().copied().unwrap_or_default()
}

type Block<'a> = &'a [(usize, usize)];

/// The two neighbouring blocks of the first text that change places in the second; `None` if it is not just that.
fn swapped_blocks(placed: Block) -> Option<(Block, Block)> {
    let breaks: Vec<usize> = (1..placed.len())
        .filter(|at| placed[at - 1].1 > placed[*at].1)
        .collect();
    let [cut] = breaks[..] else {
        return None;
    };
    let (head, tail) = placed.split_at(cut);
    let first_from = head.iter().position(|(_, at)| *at > tail[0].1)?;
    let second_to = tail
        .iter()
        .position(|(_, at)| *at > head[first_from].1)
        .unwrap_or(tail.len());
    let (first, second) = (&head[first_from..], &tail[..second_to]);
    let stays = tail
        .get(second_to)
        .is_none_or(|(_, at)| *at > head[head.len() - 1].1);
    stays.then_some((first, second))
}
