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

    /// Rises with the similarity.
    #[inline]
    fn order(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(crate) fn similarity(self) -> f32 {
        let order = self.order();
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

/// Hits kept before those not wanted are dropped: a whole search of [`Cells`](crate::quality::cells::Cells).
const ROOM: usize = 2 * MAX_NEIGHBOURS;
/// Bands of similarity that hits are counted in.
const N_BANDS: usize = 128;

/// The nearest vectors, in no order.
pub(crate) struct Hits {
    buffer: [Hit; ROOM],
    n: usize,
    n_wanted: usize,
}

impl Hits {
    /// Room for the `n_wanted` nearest, at most [`MAX_NEIGHBOURS`].
    pub(crate) fn new(n_wanted: usize) -> Self {
        Self {
            buffer: [Hit::NONE; ROOM],
            n: 0,
            n_wanted: n_wanted.min(MAX_NEIGHBOURS),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, hit: Hit) {
        if self.n == ROOM {
            self.cut();
        }
        self.buffer[self.n] = hit;
        self.n += 1;
    }

    /// The wanted ones.
    pub(crate) fn finish(&mut self) -> &[Hit] {
        self.cut();
        &self.buffer[..self.n]
    }

    /// Counts the hits by bands of similarity, so that only those of one band need be put in order.
    fn cut(&mut self) {
        if self.n <= self.n_wanted {
            return;
        }
        let hits = &mut self.buffer[..self.n];
        let least = least_of_bands(hits, self.n_wanted);
        let mut n_near = 0;
        for index in 0..hits.len() {
            // Written always and counted if it is wanted: no branch to foretell.
            let hit = hits[index];
            hits[n_near] = hit;
            n_near += usize::from(hit.order() >= least);
        }
        if n_near > self.n_wanted {
            hits[..n_near].select_nth_unstable_by(self.n_wanted - 1, |a, b| b.cmp(a));
        }
        self.n = self.n_wanted;
    }
}

/// The least order in the nearest bands that hold `n_wanted` hits together; bands are of equal steps of order.
fn least_of_bands(hits: &[Hit], n_wanted: usize) -> u32 {
    let orders = || hits.iter().map(|hit| hit.order());
    let (nearest, farthest) = orders().fold((0, u32::MAX), |(high, low), order| {
        (high.max(order), low.min(order))
    });
    let n_bits = u32::BITS - (nearest - farthest).leading_zeros();
    let shift = n_bits.saturating_sub(N_BANDS.ilog2());
    let mut counts = [0; N_BANDS];
    orders().for_each(|order| counts[((nearest - order) >> shift) as usize & (N_BANDS - 1)] += 1);
    let (mut band, mut n) = (0, counts[0]);
    while n < n_wanted && band + 1 < N_BANDS {
        band += 1;
        n += counts[band];
    }
    let width = ((band as u64 + 1) << shift) - 1;
    nearest.saturating_sub(u32::try_from(width).unwrap_or(u32::MAX))
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

    fn wanted(n_wanted: usize, similarities: impl Iterator<Item = f32>) {
        let all: Vec<Hit> = similarities.zip(0..).map(|(s, i)| Hit::new(s, i)).collect();
        let mut hits = Hits::new(n_wanted);
        all.iter().for_each(|hit| hits.push(*hit));
        let mut got = hits.finish().to_vec();
        got.sort_unstable();
        let mut expected = all;
        expected.sort_unstable();
        let n_left = expected.len().saturating_sub(n_wanted);
        assert_eq!(got, expected[n_left..]);
    }

    #[test]
    fn the_wanted_ones_are_the_greatest() {
        for n in [5, 10, 100, 400, 2_000] {
            wanted(10, (0..n).map(|i| ((i * 197) % 500) as f32));
            wanted(100, (0..n).map(|i| 0.9 - ((i * 61) % n) as f32 * 1e-9));
            wanted(256, (0..n).map(|i| (i as f32).sin()));
            wanted(100, (0..n).map(|_| -0.25));
        }
    }
}
