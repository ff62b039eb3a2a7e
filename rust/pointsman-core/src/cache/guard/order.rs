//! Which changes of order ask the same: "capital of Spain" and "Spain's capital", "A and B", "in 2021" in front.

use crate::cache::kind::{Item, JOINED, LED, POSSESSIVE};

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
    let (first, second) = blocks;
    let starts = |block: &[(usize, usize)]| (&a[block[0].0], &b[block[0].1]);
    let last = block_end(second);
    let (x, y) = (starts(first), starts(second));
    let is_joined = y.0.has(JOINED) && x.1.has(JOINED);
    let of_to_genitive =
        y.0.has(LED) && !x.1.has(LED) && (b[last.1].has(POSSESSIVE) || second.len() == 1);
    let end = block_end(first);
    let genitive_to_of =
        x.1.has(LED) && !y.0.has(LED) && (a[end.0].has(POSSESSIVE) || first.len() == 1);
    let fronted = (y.0.has(LED) && y.1.has(LED) && second.len() <= 2)
        || (x.0.has(LED) && x.1.has(LED) && first.len() <= 2);
    if is_joined || of_to_genitive || genitive_to_of || fronted {
        Order::Moved
    } else {
        Order::Changed
    }
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
