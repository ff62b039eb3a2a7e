//! Draws for simulations: everything from a seed and a counter.

use pointsman_core::explore::uniform;

/// A stream of random numbers.
pub struct Draws {
    seed: u64,
    counter: u64,
}

impl Draws {
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    /// Uniform in `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        self.counter += 1;
        uniform(self.seed, self.counter)
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// 1 with probability `p`, else 0.
    pub fn coin(&mut self, p: f64) -> f64 {
        f64::from(u8::from(self.uniform() < p))
    }

    /// One of `n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.uniform() * n as f64) as usize).min(n - 1)
    }

    /// Normal values.
    pub fn normals(&mut self, n: usize, sd: f64) -> Vec<f64> {
        (0..n).map(|_| sd * self.normal()).collect()
    }
}

pub fn sigma(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
