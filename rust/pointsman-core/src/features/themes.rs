//! The themes of a conversation: how often what tells a domain or a task was met, part by part.

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
    let sum: f32 = tally[..N_DOMAIN_THEMES].iter().sum();
    std::array::from_fn(|k| match k.checked_sub(N_THEMES) {
        // Most were not met.
        None if tally[k] == 0.0 => 0.0,
        None => tally[k].ln_1p(),
        Some(domain) => tally[domain] / (sum + 1.0),
    })
}
