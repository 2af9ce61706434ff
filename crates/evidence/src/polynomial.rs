//! Hashes of substrings: polynomials over the bytes, modulo a prime, at a secret base.
//!
//! The hash of any substring follows from two hashes of prefixes in constant time, and two different texts of n bytes
//! have the same hash for at most n of the 2^61 bases. So without the base, nobody can make texts that collide.

/// The Mersenne prime 2^61 - 1, modulo which a product is reduced with shifts.
const PRIME: u64 = (1 << 61) - 1;

/// The greatest number of bytes of texts that are hashed together, so that the hash of each prefix is kept. It takes
/// eight times the memory of the text. Of larger ones every [`STRIDE`]th is, and a substring takes some more time.
pub const DENSE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many bytes lie between two prefixes of a large text whose hashes are kept.
const STRIDE: usize = 8;

/// How many powers of the base are kept of each magnitude.
const POWERS: usize = 4_096;

/// The length of the longest text that is hashed, in bytes.
pub const TEXT_BYTES_MAX: usize = POWERS * POWERS * 4;

/// A base with its powers.
pub struct Polynomial {
    base: u64,
    /// The powers 0, 1, 2 and so on.
    low: Vec<u64>,
    /// The powers 0, [`POWERS`], 2 [`POWERS`] and so on.
    high: Vec<u64>,
}

impl Polynomial {
    /// Takes any number as the base.
    pub fn new(base: u64) -> Self {
        // Zero and one would hash every text of a length alike.
        let base = base % (PRIME - 2) + 2;
        let powers = |step, count| {
            let mut powers = vec![1];
            for index in 1..count {
                powers.push(times(powers[index - 1], step));
            }
            powers
        };
        let low: Vec<u64> = powers(base, POWERS + 1);
        let high = powers(low[POWERS], TEXT_BYTES_MAX / POWERS + 1);
        Self { base, low, high }
    }

    /// Returns the hash of a text with one more byte, from the hash of the text.
    fn push(&self, hash: u64, byte: u8) -> u64 {
        plus(times(hash, self.base), u64::from(byte) + 1)
    }

    /// Returns the hash of all bytes.
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        bytes.iter().fold(0, |hash, byte| self.push(hash, *byte))
    }

    /// Returns the hashes of a window of `width` bytes at each place of a text, from the first on.
    pub fn windows<'a>(&'a self, text: &'a [u8], width: usize) -> impl Iterator<Item = u64> + 'a {
        let first = text.get(..width).map(|window| self.hash(window));
        let top = self.power(width);
        let mut next = first;
        (0..).map_while(move |at| {
            let hash = next?;
            next = text.get(at + width).map(|entering| {
                let leaving = times(u64::from(text[at]) + 1, top);
                minus(self.push(hash, *entering), leaving)
            });
            Some(hash)
        })
    }

    fn power(&self, exponent: usize) -> u64 {
        times(self.low[exponent % POWERS], self.high[exponent / POWERS])
    }
}

/// The hashes of the prefixes of one text, from which those of its substrings follow.
pub struct Prefixes {
    hashes: Vec<u64>,
    /// How many bytes lie between two prefixes whose hashes are kept.
    stride: usize,
}

impl Prefixes {
    /// Hashes the prefixes of a text with at most [`TEXT_BYTES_MAX`] bytes. `total_bytes` is the length of all texts
    /// whose hashes are kept at once.
    pub fn of(polynomial: &Polynomial, text: &[u8], total_bytes: usize) -> Self {
        let stride = match total_bytes <= DENSE_BYTES_MAX {
            true => 1,
            false => STRIDE,
        };
        let mut hashes = Vec::with_capacity(text.len() / stride + 1);
        let mut hash = 0;
        hashes.push(hash);
        for piece in text.chunks_exact(stride) {
            hash = piece
                .iter()
                .fold(hash, |hash, byte| polynomial.push(hash, *byte));
            hashes.push(hash);
        }
        Self { hashes, stride }
    }

    /// Returns the hash of `text[begin..begin + length]`. `text` is the one that was hashed.
    pub fn range(&self, polynomial: &Polynomial, text: &[u8], begin: usize, length: usize) -> u64 {
        let [before, whole] = [begin, begin + length].map(|end| self.up_to(polynomial, text, end));
        minus(whole, times(before, polynomial.power(length)))
    }

    fn up_to(&self, polynomial: &Polynomial, text: &[u8], end: usize) -> u64 {
        if self.stride == 1 {
            return self.hashes[end];
        }
        let rest = &text[end / STRIDE * STRIDE..end];
        rest.iter().fold(self.hashes[end / STRIDE], |hash, byte| {
            polynomial.push(hash, *byte)
        })
    }
}

fn times(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let low = (product & u128::from(PRIME)) as u64;
    plus(low, (product >> 61) as u64)
}

fn plus(a: u64, b: u64) -> u64 {
    let sum = a + b;
    if sum >= PRIME { sum - PRIME } else { sum }
}

fn minus(a: u64, b: u64) -> u64 {
    plus(a, PRIME - b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substrings_hash_as_texts_of_their_own() {
        let polynomial = Polynomial::new(0x1234_5678_9abc_def1);
        let text: Vec<u8> = (0..9_000_u32).map(|n| (n * n % 251) as u8).collect();
        for total_bytes in [text.len(), DENSE_BYTES_MAX + 1] {
            let prefixes = Prefixes::of(&polynomial, &text, total_bytes);
            for (begin, length) in [(0, 0), (0, 9_000), (1, 7), (8, 8), (13, 64), (4_000, 4_999)] {
                let expected = polynomial.hash(&text[begin..begin + length]);
                let hash = prefixes.range(&polynomial, &text, begin, length);
                assert_eq!(hash, expected, "{begin} {length}");
            }
        }
        let windows: Vec<_> = polynomial.windows(&text, 64).collect();
        assert_eq!(windows.len(), 9_000 - 63);
        for at in [0, 1, 5_000, 8_936] {
            assert_eq!(windows[at], polynomial.hash(&text[at..at + 64]), "{at}");
        }
        assert_eq!(polynomial.windows(&text[..63], 64).count(), 0);
    }

    #[test]
    fn the_base_decides_and_zeros_count() {
        let [a, b] = [7, 8].map(Polynomial::new);
        assert_ne!(a.hash(b"text"), b.hash(b"text"));
        assert_ne!(a.hash(b"\0"), a.hash(b"\0\0"));
    }
}
