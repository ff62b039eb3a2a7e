//! The indices of the cache: flat against graph by size, then recall and speed of a large graph.
//!
//! `cargo bench -p pointsman-core --bench cache -- 1000000` (without a number: 100,000 vectors).
//! Texts are drawn from topics, each with its own words, over the words of the shipped vocabulary; half of the
//! queries are new texts, half are stored ones with a tenth of their words exchanged.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)] // A bench: a panic is the report.

use std::hint::black_box;
use std::time::Instant;

use pointsman_core::cache::index::{Code, DIM, Flat, Graph, VectorIndex};
use pointsman_core::embed::Embedding;

static VOCAB: &str = include_str!("../data/embedding/vocab.txt");

const N_TOPICS: usize = 2000;
const TOPIC_WORDS: usize = 60;
const N_QUERIES: usize = 1000;

struct Texts {
    words: Vec<&'static str>,
    state: u64,
}

impl Texts {
    fn new() -> Self {
        let is_word =
            |word: &&str| word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_lowercase());
        Self {
            words: VOCAB.lines().filter(is_word).collect(),
            state: 0x9e37_79b9_7f4a_7c15,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 20) as usize % bound
    }

    /// A word of the topic, or of all, the first of the vocabulary more often.
    fn word(&mut self, topic: usize) -> &'static str {
        let n = self.words.len();
        let number = if self.below(4) > 0 {
            (topic * 7919 + self.below(TOPIC_WORDS) * 104_729) % n
        } else {
            let most = self.below(n) + 1;
            self.below(most)
        };
        self.words[number]
    }

    fn text(&mut self) -> Vec<&'static str> {
        let (topic, n) = (self.below(N_TOPICS), 8 + self.below(32));
        (0..n).map(|_| self.word(topic)).collect()
    }

    /// The text with a tenth of its words, at least one, exchanged.
    fn alike(&mut self, text: &[&'static str]) -> Vec<&'static str> {
        let mut text = text.to_vec();
        for _ in 0..text.len().div_ceil(10) {
            let (at, word) = (self.below(text.len()), self.below(self.words.len()));
            text[at] = self.words[word];
        }
        text
    }
}

fn code(words: &[&str]) -> Code {
    let mut vector = [0.0; DIM];
    Embedding::builtin()
        .unwrap()
        .embed_into(&words.join(" "), &mut vector);
    Code::new(&vector)
}

fn percentile(taken: &mut [f64], share: f64) -> f64 {
    taken.sort_by(f64::total_cmp);
    taken[((taken.len() - 1) as f64 * share) as usize]
}

/// Microseconds of one search each.
fn search_us(index: &dyn VectorIndex, queries: &[Code]) -> Vec<f64> {
    let taken = queries.iter().map(|query| {
        let start = Instant::now();
        black_box(index.search(query, 8));
        start.elapsed().as_secs_f64() * 1e6
    });
    taken.collect()
}

/// Share of queries whose nearest vector comes first.
fn recall(flat: &Flat, graph: &Graph, queries: &[Code]) -> f64 {
    let is_found = |query: &&Code| {
        let best = flat.search(query, 1)[0].similarity;
        graph
            .search(query, 1)
            .first()
            .is_some_and(|near| near.similarity >= best)
    };
    queries.iter().filter(is_found).count() as f64 / queries.len() as f64
}

fn crossover(codes: &[Code], queries: &[Code]) {
    println!("vectors   flat p50 us   graph p50 us");
    for n in [256, 512, 1024, 2048, 4096, 8192] {
        let (mut flat, mut graph) = (Flat::default(), Graph::default());
        for (slot, code) in (0..).zip(&codes[..n]) {
            flat.insert(slot, code.clone());
            graph.insert(slot, code.clone());
        }
        let p50 = |index: &dyn VectorIndex| percentile(&mut search_us(index, queries), 0.5);
        println!("{n:7}   {:11.1}   {:12.1}", p50(&flat), p50(&graph));
    }
}

fn main() {
    let n: usize = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(100_000);
    let mut texts = Texts::new();
    let mut stored = Vec::new();
    let mut codes = Vec::with_capacity(n.max(8192));
    for at in 0..n.max(8192) {
        let text = texts.text();
        codes.push(code(&text));
        if at < N_QUERIES {
            stored.push(text);
        }
    }
    let new: Vec<Code> = (0..N_QUERIES).map(|_| code(&texts.text())).collect();
    let alike: Vec<Code> = stored.iter().map(|text| code(&texts.alike(text))).collect();
    crossover(&codes, &new);
    let (mut flat, mut graph) = (Flat::default(), Graph::default());
    let start = Instant::now();
    for (slot, code) in (0..).zip(&codes[..n]) {
        graph.insert(slot, code.clone());
    }
    let build_us = start.elapsed().as_secs_f64() * 1e6 / n as f64;
    for (slot, code) in (0..).zip(&codes[..n]) {
        flat.insert(slot, code.clone());
    }
    println!(
        "\n{n} vectors: {build_us:.0} us an insertion, {} bytes a vector",
        graph.n_bytes() / n
    );
    for (name, queries) in [("new texts", &new), ("texts alike", &alike)] {
        let mut taken = search_us(&graph, queries);
        let [p50, p99] = [0.5, 0.99].map(|share| percentile(&mut taken, share));
        let recall = recall(&flat, &graph, queries);
        println!("{name:12} graph p50 {p50:.1} us  p99 {p99:.1} us  recall@1 {recall:.4}");
    }
}
