//! Finds known texts in a string, in time linear in its length.
//!
//! A text is found by the hash of its first [`WINDOW_BYTES`] bytes, and then compared by hashes of substrings. The
//! texts are sorted, so texts with the same beginning are neighbours, and a binary search finds the longest one that
//! stands at a place. A place therefore costs a number of steps that depends on the known texts alone, and only as
//! their logarithm, also if texts and string are made to collide.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use ctxpin_model::evidence_key::EvidenceKey;

use crate::polynomial::{Polynomial, Prefixes, TEXT_BYTES_MAX};

/// The length of the shortest text that is found anywhere, in bytes. A shorter one may stand in a string by chance.
pub const WINDOW_BYTES: usize = 64;

/// The greatest size of all texts together, in bytes. It is many times what the pins of one chat have.
pub const KNOWN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many bits of a window's hash decide whether it is looked up.
const FILTER_BITS: usize = 1 << 16;

/// The error of too many or too large texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the known texts have more than {} bytes together, or one has more than {} bytes; leave out the oldest pins",
    KNOWN_BYTES_MAX,
    TEXT_BYTES_MAX
)]
pub struct TooLarge;

/// A known text at a place of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// The place of the text in the list that the finder was made of.
    pub text: usize,
    /// The place in the string, in bytes.
    pub at: usize,
    pub length: usize,
}

/// Texts that are searched for together.
pub struct Finder {
    polynomial: Polynomial,
    /// The texts with at least [`WINDOW_BYTES`] bytes, sorted by their bytes.
    sorted: Vec<Sorted>,
    /// The texts that begin with a window, by its hash.
    beginnings: HashMap<u64, Range<usize>>,
    filter: Vec<u64>,
    /// For each text of the list, the texts that stand inside of it.
    inside: Vec<Vec<usize>>,
}

struct Sorted {
    text: Arc<str>,
    /// The place in the list.
    place: usize,
    prefixes: Prefixes,
    /// How many other texts this one begins with.
    depth: usize,
    /// The longest other text that this one begins with.
    parent: usize,
    /// A text farther up, so that a way up of any length takes a logarithmic number of steps.
    jump: usize,
}

impl Sorted {
    fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// A string that is searched.
struct Searched<'s> {
    bytes: &'s [u8],
    prefixes: Prefixes,
}

impl Finder {
    /// Prepares the search for texts, each of which is in the list once.
    ///
    /// # Errors
    ///
    /// Fails if the texts have more than [`KNOWN_BYTES_MAX`] bytes.
    pub fn new(key: &EvidenceKey, texts: &[Arc<str>]) -> Result<Self, TooLarge> {
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        if bytes > KNOWN_BYTES_MAX || texts.iter().any(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(TooLarge);
        }
        let polynomial = Polynomial::new(key.hash_base());
        let long = texts.iter().enumerate();
        let mut long: Vec<_> = long
            .filter(|(_, text)| text.len() >= WINDOW_BYTES)
            .collect();
        long.sort_by_key(|(_, text)| text.as_bytes());
        let mut finder = Self {
            sorted: Vec::with_capacity(long.len()),
            beginnings: HashMap::new(),
            filter: vec![0; FILTER_BITS / 64],
            inside: vec![Vec::new(); texts.len()],
            polynomial,
        };
        for (place, text) in long {
            finder.add(place, text, bytes);
        }
        finder.inside = texts.iter().map(|text| finder.inside_of(text)).collect();
        Ok(finder)
    }

    /// Returns the hashes that nobody without the owner's key can make collide.
    pub(crate) fn polynomial(&self) -> &Polynomial {
        &self.polynomial
    }

    /// Adds the text that is the next one in the order of the bytes. `total_bytes` is the length of all texts.
    fn add(&mut self, place: usize, text: &Arc<str>, total_bytes: usize) {
        let index = self.sorted.len();
        let beginning = self.polynomial.hash(&text.as_bytes()[..WINDOW_BYTES]);
        let range = self.beginnings.entry(beginning).or_insert(index..index);
        range.end = index + 1;
        let slot = beginning as usize % FILTER_BITS;
        self.filter[slot / 64] |= 1 << (slot % 64);
        // In this order, the texts that this one begins with are the one before it, or on the way up from there.
        let mut up = index.checked_sub(1);
        while let Some(above) = up {
            let above = &self.sorted[above];
            if text.starts_with(above.text.as_ref()) {
                break;
            }
            up = (above.depth > 0).then_some(above.parent);
        }
        let (depth, parent, jump) = match up {
            None => (0, index, index),
            Some(above) => {
                let [node, far] = [above, self.sorted[above].jump].map(|at| &self.sorted[at]);
                let farther = &self.sorted[far.jump];
                let is_even = node.depth - far.depth == far.depth - farther.depth;
                let jump = if is_even && node.depth > 0 {
                    far.jump
                } else {
                    above
                };
                (node.depth + 1, above, jump)
            }
        };
        self.sorted.push(Sorted {
            prefixes: Prefixes::of(&self.polynomial, text.as_bytes(), total_bytes),
            text: Arc::clone(text),
            place,
            depth,
            parent,
            jump,
        });
    }

    /// Returns the texts, by their places in the list, that stand inside the one at `place`, without those inside of
    /// these.
    pub fn inside(&self, place: usize) -> &[usize] {
        &self.inside[place]
    }

    fn inside_of(&self, text: &str) -> Vec<usize> {
        let mut hits = Vec::new();
        let whole = text.len();
        self.search(text, &mut 0, |at, found| {
            // At its first byte the longest text is the text itself.
            let shorter = self.shorter(found, whole - 1).filter(|_| at == 0);
            let found = match self.sorted[found].text.len() == whole {
                true => shorter?,
                false => found,
            };
            hits.push(self.sorted[found].place);
            Some(found)
        });
        hits.sort_unstable();
        hits.dedup();
        hits
    }

    /// Returns the known texts in a string, in its order: at each place the longest one, and the next one behind it.
    /// Adds the number of elementary steps to `steps`.
    pub fn find(&self, string: &str, steps: &mut u64) -> Vec<Hit> {
        let mut hits = Vec::new();
        self.search(string, steps, |at, found| {
            let text = &self.sorted[found];
            hits.push(Hit {
                text: text.place,
                at,
                length: text.text.len(),
            });
            Some(found)
        });
        hits
    }

    /// Calls `take` with each place at which a text stands and the longest such text. `take` returns the text behind
    /// which the search goes on, or `None` for the next place.
    fn search(
        &self,
        string: &str,
        steps: &mut u64,
        mut take: impl FnMut(usize, usize) -> Option<usize>,
    ) {
        let bytes = string.as_bytes();
        if self.sorted.is_empty() || bytes.len() > TEXT_BYTES_MAX {
            return;
        }
        let mut searched = None;
        let mut next = 0;
        for (at, hash) in self.polynomial.windows(bytes, WINDOW_BYTES).enumerate() {
            *steps += 1;
            let slot = hash as usize % FILTER_BITS;
            if at < next || self.filter[slot / 64] & (1 << (slot % 64)) == 0 {
                continue;
            }
            let Some(beginning) = self.beginnings.get(&hash) else {
                continue;
            };
            let searched = searched.get_or_insert_with(|| {
                *steps += bytes.len() as u64;
                Searched {
                    bytes,
                    prefixes: Prefixes::of(&self.polynomial, bytes, bytes.len()),
                }
            });
            let found = self.longest(searched, at, beginning.clone(), steps);
            if let Some(found) = found.and_then(|found| take(at, found)) {
                next = at + self.sorted[found].text.len();
            }
        }
    }

    /// Returns the longest of the texts in a range that stands at a place of a string.
    fn longest(
        &self,
        searched: &Searched<'_>,
        at: usize,
        range: Range<usize>,
        steps: &mut u64,
    ) -> Option<usize> {
        let Range { mut start, mut end } = range;
        let mut last = None;
        // How many bytes the string has in common with the last text before the range, and with the first one behind.
        // What it has in common with both, it has with all between.
        let (mut before, mut behind) = (WINDOW_BYTES, WINDOW_BYTES);
        // Looks for the last text that does not sort behind the string from here on. Every text that stands here is
        // one that the last one begins with.
        while start < end {
            let middle = start + (end - start) / 2;
            let text = self.sorted[middle].bytes();
            let common = self.common(searched, at, middle, before.min(behind), steps);
            let is_behind = match (text.get(common), searched.bytes.get(at + common)) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(text), Some(string)) => text > string,
            };
            match is_behind {
                true => (end, behind) = (middle, common),
                false => {
                    last = Some((middle, common));
                    (start, before) = (middle + 1, common);
                }
            }
        }
        let (last, common) = last?;
        self.at_most(last, common, steps)
    }

    /// Returns the longest of a text and those that it begins with that has at most `length` bytes.
    fn at_most(&self, text: usize, length: usize, steps: &mut u64) -> Option<usize> {
        let mut here = text;
        loop {
            *steps += 1;
            let node = &self.sorted[here];
            if node.text.len() <= length {
                return Some(here);
            }
            if node.depth == 0 {
                return None;
            }
            let is_far = self.sorted[node.jump].text.len() > length;
            here = if is_far { node.jump } else { node.parent };
        }
    }

    /// Returns the longest text that a text begins with and that has at most `length` bytes.
    fn shorter(&self, text: usize, length: usize) -> Option<usize> {
        self.at_most(text, length, &mut 0)
    }

    /// Returns how many bytes a text and the string at a place have in common, which are at least `least`.
    fn common(
        &self,
        searched: &Searched<'_>,
        at: usize,
        text: usize,
        least: usize,
        steps: &mut u64,
    ) -> usize {
        let text = &self.sorted[text];
        let (mut equal, mut end) = (least, text.text.len().min(searched.bytes.len() - at));
        while equal < end {
            *steps += 1;
            let middle = equal + (end - equal).div_ceil(2);
            let length = middle - equal;
            let [ours, theirs] = [
                (&text.prefixes, text.bytes(), equal),
                (&searched.prefixes, searched.bytes, at + equal),
            ]
            .map(|(prefixes, bytes, begin)| prefixes.range(&self.polynomial, bytes, begin, length));
            match ours == theirs {
                true => equal = middle,
                false => end = middle - 1,
            }
        }
        equal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finder(texts: &[&str]) -> Finder {
        let texts: Vec<_> = texts.iter().map(|text| Arc::from(*text)).collect();
        Finder::new(&EvidenceKey::new([7; 32]), &texts).unwrap()
    }

    /// Checks which texts are found, as `text@place`.
    fn check(texts: &[&str], string: &str, expected: &[(usize, usize)]) {
        let hits = finder(texts).find(string, &mut 0);
        let found: Vec<_> = hits.iter().map(|hit| (hit.text, hit.at)).collect();
        assert_eq!(found, expected);
        for hit in hits {
            assert_eq!(&string[hit.at..hit.at + hit.length], texts[hit.text]);
        }
    }

    /// Returns a text of a length that differs from others at every place.
    fn text(seed: u32, length: usize) -> String {
        let letter = |n: u32| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 27) as u8 % 26);
        (0..length as u32).map(|n| letter(n * 31 + seed)).collect()
    }

    #[test]
    fn texts_are_found_wherever_they_stand() {
        let [a, b] = [text(1, 64), text(2, 1_000)];
        check(&[&a, &b], "", &[]);
        check(&[&a, &b], &a, &[(0, 0)]);
        check(&[&a, &b], &a[1..], &[]);
        let string = format!("é{b}-{a}{a}{}", &b[..999]);
        check(&[&a, &b], &string, &[(1, 2), (0, 1_003), (0, 1_067)]);
    }

    #[test]
    fn the_longest_text_at_a_place_wins() {
        let long = text(3, 500);
        let texts = [
            &long[..100],
            &long[..300],
            &long,
            &long[100..200],
            &long[..64],
        ];
        check(&texts, &long, &[(2, 0)]);
        check(&texts, &long[..499], &[(1, 0)]);
        check(&texts, &format!("{}?", &long[..299]), &[(0, 0), (3, 100)]);
        check(&texts, &long[100..], &[(3, 0)]);
        check(&texts, &long[..64], &[(4, 0)]);
    }

    #[test]
    fn a_text_knows_those_inside_of_it() {
        let [a, b, c] = [text(1, 70), text(2, 80), text(3, 90)];
        let outer = format!("{a}-{b}-{a}");
        let finder = finder(&[&a, &outer, &b, &c, &format!("{outer}{c}")]);
        assert_eq!(finder.inside(0), [] as [usize; 0]);
        assert_eq!(finder.inside(1), [0, 2]);
        assert_eq!(finder.inside(4), [1, 3]);
    }

    #[test]
    fn a_short_text_is_not_found() {
        check(&["x", &text(1, 63)], &format!("x {}", text(1, 63)), &[]);
    }

    #[test]
    fn every_text_is_found_among_neighbours() {
        // Texts that share beginnings of many lengths, with and without being the beginning of another.
        let lengths = (64..80).chain([127, 128, 129]);
        let texts = lengths
            .flat_map(|length| ["", "A", "b"].map(|end| format!("{}{end}", "a".repeat(length))));
        let texts: Vec<_> = texts.filter(|text| text.len() >= 64).collect();
        let sorted: Vec<&str> = texts.iter().map(String::as_str).collect();
        let finder = finder(&sorted);
        for (index, text) in texts.iter().enumerate() {
            for string in [text.clone(), format!("{text}?")] {
                let hits = finder.find(&string, &mut 0);
                let found: Vec<_> = hits.iter().map(|hit| (hit.text, hit.at)).collect();
                assert_eq!(found, [(index, 0)], "{string}");
            }
        }
    }

    /// Returns how many steps a byte of a string takes.
    fn steps_per_byte(texts: &[String], string: &str) -> u64 {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut steps = 0;
        finder(&texts).find(string, &mut steps);
        steps / string.len() as u64
    }

    #[test]
    fn colliding_texts_cost_no_more_than_a_logarithm() {
        let nested: Vec<_> = (64..264).map(|length| "a".repeat(length)).collect();
        let almost: Vec<_> = nested.iter().map(|text| format!("{text}b")).collect();
        let shared: Vec<_> = (0..200)
            .map(|n| format!("{}{n:04}{}", "a".repeat(200), "c".repeat(200)))
            .collect();
        for size in [1_000, 8_000] {
            let string = "a".repeat(size);
            assert!(steps_per_byte(&nested, &string) < 4);
            assert!(steps_per_byte(&almost, &string) < 100);
            assert!(steps_per_byte(&shared, &string) < 100);
        }
        assert!(steps_per_byte(&shared, &text(1, 10_000)) < 2);
    }

    #[test]
    fn too_much_is_refused() {
        let large: Arc<str> = "a".repeat(KNOWN_BYTES_MAX / 2 + 1).into();
        let texts = [Arc::clone(&large), large];
        let refused = Finder::new(&EvidenceKey::new([7; 32]), &texts);
        assert_eq!(refused.err(), Some(TooLarge));
    }
}
