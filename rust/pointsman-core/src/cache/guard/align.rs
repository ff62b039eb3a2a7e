//! Which items of two texts match, and what is left over.

use crate::cache::kind::{GERUND, Item, Kind, LED, LED_BY_FOR, LED_BY_OF, SOFT, TOWARD};

/// Most items between the common beginning and end that are compared one by one.
pub(crate) const MOST_COMPARED: usize = 64;

/// The items two texts share and those only one has.
#[derive(Debug, Default)]
pub(crate) struct Alignment {
    /// Items of the first text without a match, then of the second.
    pub(crate) only: [Vec<Item>; 2],
    /// Matched items whose place matters: their indices in the first and second text, in the first's order.
    pub(crate) placed: Vec<(usize, usize)>,
    /// Matched items that are written differently.
    pub(crate) n_reworded: usize,
    /// Matched items of which one is a gerund: "trading" and "trade".
    pub(crate) n_gerunds: usize,
    /// Matched items before which only one text has a preposition.
    pub(crate) n_led: usize,
    /// Matched items before which "to" or "for" stands in one text and another preposition in the other.
    pub(crate) n_crossed: usize,
    pub(crate) n_matched: usize,
}

/// Aligns two texts; `None` if too much differs to be worth it.
pub(crate) fn align(a: &[Item], b: &[Item]) -> Option<Alignment> {
    let n_head = a.iter().zip(b).take_while(|(x, y)| x.key == y.key).count();
    let tails = a[n_head..].iter().rev().zip(b[n_head..].iter().rev());
    let n_tail = tails.take_while(|(x, y)| x.key == y.key).count();
    let middle_a = &a[n_head..a.len() - n_tail];
    let middle_b = &b[n_head..b.len() - n_tail];
    if middle_a.len().max(middle_b.len()) > MOST_COMPARED {
        return None;
    }
    let mut alignment = Alignment::default();
    let ends = a[..n_head]
        .iter()
        .zip(b)
        .chain(a.iter().rev().zip(b.iter().rev()).take(n_tail));
    for (x, y) in ends {
        alignment.add(x, y);
    }
    alignment.compare(middle_a, middle_b, n_head);
    Some(alignment)
}

impl Alignment {
    /// Matches the middles greedily, in order.
    fn compare(&mut self, a: &[Item], b: &[Item], offset: usize) {
        let mut is_used = [false; MOST_COMPARED];
        for (index, item) in a.iter().enumerate() {
            let twin = b
                .iter()
                .enumerate()
                .position(|(at, other)| !is_used[at] && other.key == item.key);
            let Some(twin) = twin else {
                self.only[0].push(*item);
                continue;
            };
            is_used[twin] = true;
            self.add(item, &b[twin]);
            if !item.is_free() {
                self.placed.push((index + offset, twin + offset));
            }
        }
        let left = b.iter().zip(is_used).filter(|(_, is_used)| !is_used);
        self.only[1].extend(left.map(|(item, _)| *item));
    }

    fn add(&mut self, x: &Item, y: &Item) {
        self.n_matched += 1;
        self.n_reworded += usize::from(x.form != y.form);
        self.n_gerunds += usize::from(x.has(GERUND) != y.has(GERUND));
        let bare = |item: &Item| !item.has(LED | LED_BY_OF);
        let is_crossed = (x.flags ^ y.flags) & (TOWARD | LED_BY_FOR) != 0 && !bare(x) && !bare(y);
        self.n_crossed += usize::from(is_crossed);
        let is_led = x.has(LED) && bare(y) || y.has(LED) && bare(x);
        self.n_led += usize::from(is_led && x.kind != Kind::Light);
    }

    /// Items without a match that must have one.
    pub(crate) fn unmatched(&self) -> impl Iterator<Item = &Item> {
        let has_pronoun = |side: &[Item]| side.iter().any(|item| item.kind == Kind::Pronoun);
        let are_soft = !(has_pronoun(&self.only[0]) && has_pronoun(&self.only[1]));
        let may_lack = move |item: &&Item| item.kind == Kind::Light || are_soft && item.has(SOFT);
        self.only
            .iter()
            .flatten()
            .filter(move |item| !may_lack(item))
    }

    /// Pronouns without a match that need none.
    pub(crate) fn n_soft(&self) -> usize {
        self.only
            .iter()
            .flatten()
            .filter(|item| item.has(SOFT))
            .count()
    }

    /// Items without a match that need none.
    pub(crate) fn n_light(&self) -> usize {
        self.only
            .iter()
            .flatten()
            .filter(|item| item.kind == Kind::Light)
            .count()
    }
}
