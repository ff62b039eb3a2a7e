//! [`Hits`]: the nearest of many, chosen among plain integers.

/// Most neighbours.
pub(crate) const MAX_NEIGHBOURS: usize = 256;

/// A similarity and a place in one number: the greater, the nearer; ties go to the lower place.
///
/// Selecting among plain integers is several times as fast as among pairs with a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit(u64);

impl Hit {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn new(similarity: f32, place: u32) -> Self {
        let bits = similarity.to_bits();
        // The usual trick: negative floats are turned round, so that the integers are in the floats' order.
        let order = if bits >> 31 == 0 {
            bits | 1 << 31
        } else {
            !bits
        };
        Self(u64::from(order) << 32 | u64::from(!place))
    }

    pub(crate) fn similarity(self) -> f32 {
        let order = (self.0 >> 32) as u32;
        let bits = if order >> 31 == 1 {
            order & !(1 << 31)
        } else {
            !order
        };
        f32::from_bits(bits)
    }

    pub(crate) fn place(self) -> u32 {
        !(self.0 as u32)
    }
}

/// The nearest vectors, in no order.
pub(crate) struct Hits {
    buffer: [Hit; 2 * MAX_NEIGHBOURS],
    n: usize,
    n_wanted: usize,
    /// Nothing at or below it is of interest.
    bar: Hit,
}

impl Hits {
    /// Room for the `n_wanted` nearest, at most [`MAX_NEIGHBOURS`].
    pub(crate) fn new(n_wanted: usize) -> Self {
        Self {
            buffer: [Hit::NONE; 2 * MAX_NEIGHBOURS],
            n: 0,
            n_wanted: n_wanted.min(MAX_NEIGHBOURS),
            bar: Hit::NONE,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, hit: Hit) {
        if hit <= self.bar {
            return;
        }
        self.buffer[self.n] = hit;
        self.n += 1;
        if self.n == 2 * self.n_wanted {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.n <= self.n_wanted {
            return;
        }
        let hits = &mut self.buffer[..self.n];
        let (_, worst, _) = hits.select_nth_unstable_by(self.n_wanted - 1, |a, b| b.cmp(a));
        self.bar = *worst;
        self.n = self.n_wanted;
    }

    /// The wanted ones.
    pub(crate) fn finish(&mut self) -> &[Hit] {
        self.cut();
        &self.buffer[..self.n]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_keep_their_number_and_their_order() {
        for similarity in [-1.5, -0.25, 0.0, 0.25, 1.0] {
            let hit = Hit::new(similarity, 7);
            assert!((hit.similarity() - similarity).abs() < 1e-9 && hit.place() == 7);
            assert!(Hit::new(similarity - 0.1, 7) < hit && Hit::new(similarity, 8) < hit);
        }
    }

    #[test]
    fn the_wanted_ones_are_the_greatest() {
        let mut hits = Hits::new(10);
        let all: Vec<Hit> = (0..500)
            .map(|i| Hit::new(((i * 197) % 500) as f32, i))
            .collect();
        all.iter().for_each(|hit| hits.push(*hit));
        let mut got = hits.finish().to_vec();
        got.sort_unstable();
        let mut wanted = all;
        wanted.sort_unstable();
        assert_eq!(got, wanted[490..]);
    }
}
