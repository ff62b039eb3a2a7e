//! The themes of a conversation: how often what tells a domain or a task was met, part by part.

use std::hint::black_box;
use std::sync::LazyLock;

use crate::grams::Tallies;
use crate::lexicon::{N_DOMAIN_THEMES, N_THEMES};
use crate::stems::Tally;

use super::reading::Part;

/// Of the conversation, of its last message, of its system prompts; of the edges of the latter two.
const N_TALLIES: usize = 5;

/// Dense features made of the themes.
pub(super) const N_THEME_FEATURES: usize = N_TALLIES * (N_THEMES + N_DOMAIN_THEMES);

/// Themes met so far.
#[derive(Default)]
pub(super) struct Themes([Tally; N_TALLIES]);

impl Themes {
    /// Adds the themes of a text to those of the conversation, and of its part.
    pub(super) fn add(&mut self, tallies: &Tallies, weight: f32, part: Part) {
        let mut add = |place: usize, tally: &Tally, weight: f32| {
            for (sum, count) in self.0[place].iter_mut().zip(tally) {
                *sum += weight * count;
            }
        };
        if part != Part::System {
            add(0, &tallies.all, weight);
        }
        if part != Part::Turn {
            add(part as usize, &tallies.all, 1.0);
            add(part as usize + 2, &tallies.edge, 1.0);
        }
    }

    /// ln(1 + count) of each theme, and the share that each domain has of all domains, part by part.
    pub(super) fn features(&self) -> [f32; N_THEME_FEATURES] {
        let mut features = [0.0; N_THEME_FEATURES];
        let places = features.chunks_exact_mut(N_THEMES + N_DOMAIN_THEMES);
        for (place, tally) in places.zip(&self.0) {
            place.copy_from_slice(&of_tally(tally));
        }
        features
    }
}

fn of_tally(tally: &Tally) -> [f32; N_THEMES + N_DOMAIN_THEMES] {
    // Mostly there is no system prompt, and nothing of what it would tell.
    if *tally == [0.0; N_THEMES] {
        return [0.0; N_THEMES + N_DOMAIN_THEMES];
    }
    let sum: f32 = tally[..N_DOMAIN_THEMES].iter().sum();
    std::array::from_fn(|k| match k.checked_sub(N_THEMES) {
        None => log(tally[k]),
        Some(domain) => tally[domain] / (sum + 1.0),
    })
}

/// ln(1 + count); of most counts, which are small whole numbers, computed once.
fn log(count: f32) -> f32 {
    // Not by the compiler, whose last bit is another.
    static LOGS: LazyLock<[f32; 16]> =
        LazyLock::new(|| std::array::from_fn(|count| black_box(count as f32).ln_1p()));
    let whole = count as usize;
    match LOGS.get(whole) {
        Some(log) if whole as f32 == count => *log,
        _ => count.ln_1p(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_counts_have_the_log_of_any_other() {
        for half in 0..60_u8 {
            let count = f32::from(half) / 2.0;
            let computed = black_box(count).ln_1p();
            assert_eq!(log(count).to_bits(), computed.to_bits(), "{count}");
        }
    }
}
