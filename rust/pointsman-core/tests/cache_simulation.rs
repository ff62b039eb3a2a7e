//! A cache with known truth (science.md 2.14): 60 entries, each with its own P(right | similarity), and near
//! duplicates that are never right. Hits must be wrong at most `TARGET` of the time, and be at least 70 % of those
//! of an oracle that knows each entry's curve. A cosine threshold, run on the same requests, breaks the promise.

use pointsman_core::cache::{Evidence, Posterior, Reading};

const TARGET: f64 = 0.05;
const N_ENTRIES: usize = 60;
const N_REQUESTS: usize = 20_000;
const NEAR_DUPLICATES: f64 = 0.3;
/// Share of the requests whose answer is graded.
const GRADED: f64 = 0.2;
const COSINE_THRESHOLD: f64 = 0.9;

/// `SplitMix64` (Steele et al., 2014).
struct Seeded(u64);

impl Seeded {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }
}

/// One entry: its texts, and the truth about them.
struct Entry {
    stored: Reading,
    paraphrase: Reading,
    near_duplicate: Reading,
    threshold: f64,
    slope: f64,
    evidence: Evidence,
}

impl Entry {
    fn new(index: usize, random: &mut Seeded) -> Self {
        let read = |frame: &str, n: usize| Reading::new(&frame.replace("{}", &n.to_string()));
        Self {
            stored: read("Give me {} facts about Mars.", index + 3),
            paraphrase: read("List {} facts about Mars", index + 3),
            near_duplicate: read("Give me {} facts about Mars.", index + 103),
            threshold: random.between(0.75, 0.85),
            slope: random.between(40.0, 80.0),
            evidence: Evidence::default(),
        }
    }

    fn p_right(&self, similarity: f64) -> f64 {
        1.0 / (1.0 + (-self.slope * (similarity - self.threshold)).exp())
    }
}

#[derive(Default)]
struct Hits {
    n: f64,
    n_wrong: f64,
}

impl Hits {
    fn add(&mut self, is_right: bool) {
        self.n += 1.0;
        self.n_wrong += f64::from(u8::from(!is_right));
    }

    /// Whether wrong hits are within the promise and two standard errors.
    fn keeps_promise(&self) -> bool {
        let error = (TARGET * (1.0 - TARGET) / self.n).sqrt();
        self.n_wrong / self.n <= TARGET + 2.0 * error
    }
}

/// Hits of our cache, of the oracle and of the cosine threshold.
fn run(seed: u64, mut posterior: Posterior) -> [Hits; 3] {
    let mut random = Seeded(seed);
    let mut entries: Vec<Entry> = (0..N_ENTRIES)
        .map(|index| Entry::new(index, &mut random))
        .collect();
    let mut hits = [Hits::default(), Hits::default(), Hits::default()];
    for _ in 0..N_REQUESTS {
        let entry = &mut entries[(random.uniform() * N_ENTRIES as f64) as usize];
        let is_near = random.uniform() < NEAR_DUPLICATES;
        let similarity = if is_near {
            random.between(0.95, 1.0)
        } else {
            random.between(0.75, 1.0)
        };
        let p_right = if is_near {
            0.0
        } else {
            entry.p_right(similarity)
        };
        let is_right = random.uniform() < p_right;
        let asked = if is_near {
            &entry.near_duplicate
        } else {
            &entry.paraphrase
        };
        let judgement = posterior.judge(&entry.stored, asked, similarity as f32, entry.evidence);
        let serves = [
            judgement.serves,
            p_right >= 1.0 - TARGET,
            similarity >= COSINE_THRESHOLD,
        ];
        for (hits, _) in hits.iter_mut().zip(serves).filter(|(_, serves)| *serves) {
            hits.add(is_right);
        }
        if random.uniform() < GRADED {
            posterior.observe(&entry.stored, asked, similarity as f32, is_right, 1.0);
            if judgement.serves {
                posterior.audit(is_right);
                entry.evidence.n_right += f32::from(u8::from(is_right));
                entry.evidence.n_wrong += f32::from(u8::from(!is_right));
            }
        }
    }
    hits
}

#[test]
fn hits_are_wrong_at_most_as_often_as_promised_and_a_cosine_threshold_is_not() {
    for seed in 1..=5 {
        let [ours, oracle, cosine] = run(seed, Posterior::new(TARGET).unwrap());
        let ratio = ours.n / oracle.n;
        assert!(
            ours.keeps_promise(),
            "seed {seed}: {} of {} hits wrong",
            ours.n_wrong,
            ours.n
        );
        assert!(ratio >= 0.7, "seed {seed}: {ratio:.3} of the oracle's hits");
        assert!(
            !cosine.keeps_promise(),
            "seed {seed}: the test has no power"
        );
    }
}
