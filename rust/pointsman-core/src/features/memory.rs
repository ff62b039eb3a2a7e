//! What a thread remembers of the words it has read: never what they tell, only what need not be found anew.

use std::cell::Cell;

use crate::embed::Cuts;
use crate::grams::Reader;
use crate::markers::Places;
use crate::plain_words::PlainWords;
use crate::tokens::Counts;

use super::lesson::plain_words;

/// 2 MB, whatever was read. Plain words are the most of what is read; the others are of what is not plain, and
/// the cuts are the shipped embedding's.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) words: PlainWords,
    pub(super) counts: Counts,
    pub(super) cuts: Cuts,
    pub(super) grams: Reader,
    pub(super) places: Places,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            words: plain_words(),
            counts: Counts::default(),
            cuts: Cuts::default(),
            grams: Reader::default(),
            places: Places::default(),
        }
    }
}

thread_local! {
    static MEMORY: Cell<Option<Box<Memory>>> = const { Cell::new(None) };
}

/// Runs with this thread's memory; a new one where there is none yet, or none any more.
pub(super) fn with<T>(run: impl FnOnce(&mut Memory) -> T) -> T {
    // Taken out meanwhile, so that whatever is run may ask for one itself.
    let kept = MEMORY.try_with(Cell::take).ok().flatten();
    let mut memory = kept.unwrap_or_default();
    let result = run(&mut memory);
    // A thread that ends needs none.
    _ = MEMORY.try_with(|place| place.set(Some(memory)));
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::embed::{DIM, Embedding};
    use crate::features::Features;
    use crate::request::{Conversation, Request, Role};
    use crate::tokens::{self, TokenFamily};

    /// Prompts of many domains, and languages that are written otherwise.
    fn texts() -> Vec<String> {
        let labelled = include_str!("../../tests/axes.tsv").lines();
        let labelled = labelled.filter_map(|line| line.rsplit('\t').next());
        let others = [
            "İstanbul'da KELVIN \u{212a}elvin naïve café Straße ÉCOLE donaudampfschifffahrt x2Y3",
            "Напиши, пожалуйста, функцию сортировки; почему налоговый вычет не пришёл?",
            "请写一个函数，把两个列表合并。法律合同里的这一条是什么意思？第3章",
            "関数を書いてください。税金はいくらですか？ 한국어 문장도 하나 있어요",
            "ما هي عاصمة فرنسا؟ שלום עולם ประเทศไทยมีกี่จังหวัด नमस्ते दुनिया",
            "snake_case camelCase HTTPServer's don't I'LL [MASK] [SEP]x ```fn main(){}``` a\u{0}b\u{200d}c 🙂🙂",
        ];
        labelled
            .map(str::to_owned)
            .chain(others.map(str::to_owned))
            .collect()
    }

    fn read(text: &str, memory: &mut Memory) -> (Vec<u32>, Vec<(u32, u32)>, u64) {
        let mut conversation = Conversation::new();
        for role in [Role::System, Role::User] {
            conversation.begin(role);
            conversation.text(text);
        }
        let features = Features::read(&Request::new(conversation), memory);
        let grams = features.grams().map(|(bucket, x)| (bucket, x.to_bits()));
        let grams = grams.collect();
        let dense = features.dense().iter().map(|x| x.to_bits()).collect();
        (dense, grams, features.n_input_tokens)
    }

    #[test]
    fn what_is_remembered_changes_no_bit() {
        let mut warm = Memory::default();
        let texts = texts();
        for text in texts.iter().chain(&texts).chain(texts.iter().rev()) {
            assert_eq!(
                read(text, &mut warm),
                read(text, &mut Memory::default()),
                "{text}"
            );
        }
    }

    /// Counts and embeddings have a road without a memory too.
    fn assert_as_without_memory(text: &str, warm: &mut Memory) {
        let Memory {
            words,
            counts,
            cuts,
            ..
        } = warm;
        words.begin(text, false);
        let counted = tokens::count_within(text, tokens::EXACT_BYTES, words, counts);
        assert_eq!(counted, tokens::count(TokenFamily::O200k, text));
        let Ok(embedding) = Embedding::builtin() else {
            return;
        };
        let mut vectors = [[0.0; DIM]; 2];
        embedding.embed_window_with(words, cuts, text, &mut vectors[0]);
        // So many others that the vector of this one is not remembered.
        for i in 0..16 {
            let other = format!("number {i}, ").repeat(20);
            embedding.embed_window_into(&other, &mut vectors[1]);
        }
        embedding.embed_window_into(text, &mut vectors[1]);
        assert_eq!(vectors[0], vectors[1]);
    }

    #[test]
    fn long_texts_are_read_as_without_a_memory() {
        let joined = texts().join("\n");
        let mut warm = Memory::default();
        for n_bytes in [1_000, 2_000, 5_000, 8_192, 8_193, 12_000, 30_000] {
            for part in joined.as_bytes().chunks(n_bytes).take(20) {
                assert_as_without_memory(&String::from_utf8_lossy(part), &mut warm);
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_remembered_changes_no_bit_of_mangled_texts(
            picks in prop::collection::vec((any::<prop::sample::Index>(), "[ -~\\n\u{c0}-\u{17f}Ж語]{0,6}"), 1..8)
        ) {
            let texts = texts();
            let picked = picks.iter().map(|(pick, noise)| texts[pick.index(texts.len())].clone() + noise);
            let text = picked.collect::<Vec<_>>().concat();
            let mut warm = Memory::default();
            texts.iter().for_each(|text| _ = read(text, &mut warm));
            prop_assert_eq!(read(&text, &mut warm), read(&text, &mut Memory::default()));
            assert_as_without_memory(&text, &mut warm);
        }
    }
}
