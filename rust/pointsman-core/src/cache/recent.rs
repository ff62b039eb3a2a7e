//! [`Recent`]: the keys of texts that were looked up lately; what is not found is mostly inserted soon.

use std::sync::{Mutex, PoisonError};

use super::entry::Keys;
use super::hashes::{exact_hash, recent_hash};

/// Texts remembered, 3 KB: as many as wait for a model at once in most processes.
const N_TEXTS: usize = 64;

/// Keys of some texts that may be served from a cache.
///
/// A text is told by 128 bits of its hash; were two ever taken for one, an entry would not be found, and no more: what
/// is found by its keys is read again before it serves.
#[derive(Debug)]
pub(super) struct Recent(Mutex<[Option<(u64, Keys)>; N_TEXTS]>);

impl Recent {
    pub(super) fn new() -> Self {
        Self(Mutex::new([None; N_TEXTS]))
    }

    /// Remembers the keys of a text, in place of another's.
    pub(super) fn keep(&self, partition: &[u8; 16], text: &str, keys: Keys) {
        let told = recent_hash(partition, text);
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        texts[place(keys.exact)] = Some((told, keys));
    }

    /// The keys of the text, if they are remembered.
    pub(super) fn keys(&self, partition: &[u8; 16], text: &str) -> Option<Keys> {
        let (exact, told) = (exact_hash(partition, text), recent_hash(partition, text));
        let texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = texts[place(exact)].filter(|(kept, keys)| (*kept, keys.exact) == (told, exact));
        kept.map(|(_, keys)| keys)
    }
}

fn place(exact: u64) -> usize {
    exact as usize % N_TEXTS
}

#[cfg(test)]
mod tests {
    use super::super::hashes::keys;
    use super::super::reading::Reading;
    use super::*;
    use crate::cache::{Ask, Cache, CacheSettings, Insertion};

    #[test]
    fn keys_are_those_of_the_text_in_its_partition_or_none() {
        let recent = Recent::new();
        let (here, there) = ([1; 16], [2; 16]);
        let texts: Vec<String> = (0..1000).map(|n| format!("how far is {n} km")).collect();
        for text in &texts {
            let found = keys(&here, text, &Reading::new(text));
            assert_eq!(recent.keys(&here, text), None);
            recent.keep(&here, text, found);
            assert_eq!(recent.keys(&here, text), Some(found));
            assert_eq!(recent.keys(&there, text), None);
        }
        let kept = texts
            .iter()
            .filter(|text| recent.keys(&here, text).is_some());
        assert!((1..=N_TEXTS).contains(&kept.count()));
    }

    #[test]
    fn an_entry_is_found_the_same_whether_its_text_was_looked_up_or_not() {
        let caches = [(); 2].map(|()| Cache::new(CacheSettings::default()).unwrap());
        let partition = [3; 16];
        let ask = Ask {
            now_s: 1.0,
            seed: 0,
            is_semantic: true,
            max_age_s: f64::INFINITY,
        };
        let pairs = include_str!("../../tests/cache_pairs.tsv").lines();
        let pairs = pairs.filter_map(|line| line.rsplit_once('\t'));
        let pairs = pairs.map(|(rest, asked)| (rest.rsplit('\t').next().unwrap_or(rest), asked));
        for (text, _) in pairs.clone() {
            caches[1].lookup(&partition, text, ask);
            for cache in &caches {
                let insertion = Insertion {
                    namespace: "",
                    text,
                    answer: text.as_bytes(),
                    now_s: 0.0,
                    ttl_s: None,
                    cost_usd: 0.0,
                };
                cache.insert(&partition, insertion).unwrap();
            }
        }
        for (_, asked) in pairs {
            let [plain, looked_up] = [0, 1].map(|i| caches[i].peek(&partition, asked, ask));
            assert_eq!(plain, looked_up, "{asked}");
        }
    }
}
