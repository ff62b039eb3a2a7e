//! The indices of the cache: flat against graph by size, then recall and speed of large graphs.
//!
//! `cargo bench -p pointsman-core --bench cache -- 1000000 /path/to/questions.txt`: without a number 100,000 vectors,
//! without a file of questions, one a line, generated texts only. Generated texts are drawn from topics, each with
//! its own words, over the words of the shipped vocabulary: half of a text is its topic's (hard: what is near is
//! hardly nearer than the rest) or three quarters (more like real texts). Half of the queries are new texts, half
//! are stored ones with a tenth of their words exchanged. Of real questions every 32nd is a query and not stored.

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
    /// Of four words, how many are the topic's.
    n_topical: usize,
    words: Vec<&'static str>,
    state: u64,
}

impl Texts {
    fn new(n_topical: usize) -> Self {
        let is_word =
            |word: &&str| word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_lowercase());
        Self {
            n_topical,
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
        let number = if self.below(4) < self.n_topical {
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

/// Both indices, and insertions a second into the graph: of all, and of the last tenth.
fn filled(title: &str, codes: &[Code]) -> (Flat, Graph, [f64; 2]) {
    let (mut flat, mut graph) = (Flat::default(), Graph::default());
    let n_part = codes.len().div_ceil(10);
    let start = Instant::now();
    let mut part_s = 0.0;
    for (number, part) in codes.chunks(n_part).enumerate() {
        let part_start = Instant::now();
        for (slot, code) in (number * n_part..).zip(part) {
            graph.insert(slot as u32, code.clone());
        }
        part_s = part_start.elapsed().as_secs_f64() / part.len() as f64;
        let (n, taken_s) = (graph.len(), start.elapsed().as_secs_f64());
        eprintln!("{title}: {n} of {} inserted, {taken_s:.0} s", codes.len());
    }
    let all_s = start.elapsed().as_secs_f64() / codes.len() as f64;
    for (slot, code) in (0..).zip(codes) {
        flat.insert(slot, code.clone());
    }
    (flat, graph, [all_s.recip(), part_s.recip()])
}

fn report(title: &str, codes: &[Code], queries: &[(&str, &[Code])]) {
    let (flat, graph, [all, last]) = filled(title, codes);
    let (n, n_bytes) = (codes.len(), graph.n_bytes());
    let (each, total_mib) = (n_bytes / n, n_bytes as f64 / f64::from(1 << 20));
    println!(
        "\n{title}: {n} vectors, {each} bytes each, {total_mib:.0} MiB; {all:.0} insertions/s, {last:.0} in the last tenth"
    );
    for (name, queries) in queries {
        let mut taken = search_us(&graph, queries);
        let [p50, p99] = [0.5, 0.99].map(|share| percentile(&mut taken, share));
        let recall = recall(&flat, &graph, queries);
        println!("{name:12} graph p50 {p50:.1} us  p99 {p99:.1} us  recall@1 {recall:.4}");
    }
}

fn generated(n_topical: usize, n: usize, title: &str) {
    let mut texts = Texts::new(n_topical);
    let mut stored = Vec::new();
    let mut codes = Vec::with_capacity(n);
    for at in 0..n {
        let text = texts.text();
        codes.push(code(&text));
        if at < N_QUERIES {
            stored.push(text);
        }
    }
    let new: Vec<Code> = (0..N_QUERIES).map(|_| code(&texts.text())).collect();
    let alike: Vec<Code> = stored.iter().map(|text| code(&texts.alike(text))).collect();
    if n_topical == 3 {
        crossover(&codes, &new);
    }
    report(
        title,
        &codes,
        &[("new texts", &new), ("texts alike", &alike)],
    );
}

fn real(path: &str) {
    let questions = std::fs::read_to_string(path).unwrap();
    let codes = questions.lines().map(|question| code(&[question]));
    let (queries, stored): (Vec<_>, Vec<_>) = codes.enumerate().partition(|(at, _)| at % 32 == 0);
    let [queries, stored] = [queries, stored].map(|codes| {
        codes
            .into_iter()
            .map(|(_, code)| code)
            .collect::<Vec<Code>>()
    });
    report("real questions", &stored, &[("new", &queries)]);
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let n = arguments.iter().find_map(|argument| argument.parse().ok());
    let n = n.unwrap_or(100_000_usize).max(8192);
    match arguments.iter().find(|argument| {
        std::path::Path::new(&argument)
            .extension()
            .is_some_and(|end| end == "txt")
    }) {
        Some(path) => real(path),
        None => println!("no file of questions: generated texts only"),
    }
    generated(3, n, "three words of four a topic's");
    generated(2, n, "two words of four a topic's");
}
