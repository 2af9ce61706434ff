//! The search for known texts in a string.

use std::sync::Arc;

use ctxpin_evidence::finder::{Finder, Hit, WINDOW_BYTES};
use ctxpin_model::evidence_key::EvidenceKey;

use crate::pieces::texts;

/// The greatest number of steps for one byte of a string, with as many texts as an input has.
const STEPS_PER_BYTE_MAX: u64 = 200;

/// Checks that the search finds at each place the longest text that stands there, as a search byte by byte does, and
/// that it takes steps in proportion to the string.
pub fn check(bytes: &[u8]) {
    let [string, first, second, third, fourth] = texts(bytes);
    let mut known = vec![first, second, third, fourth];
    known.sort();
    known.dedup();
    let texts: Vec<Arc<str>> = known.iter().map(|text| text.as_str().into()).collect();
    let finder = Finder::new(&EvidenceKey::new([7; 32]), &texts).expect("an input is small");
    let mut steps = 0;
    assert_eq!(
        finder.find(&string, &mut steps),
        plainly(&known, &string, None)
    );
    assert!(
        steps <= STEPS_PER_BYTE_MAX * (string.len() as u64 + 1),
        "{steps}"
    );
    for (place, text) in known.iter().enumerate() {
        let inside = plainly(&known, text, Some(place));
        let mut inside: Vec<_> = inside.iter().map(|hit| hit.text).collect();
        inside.sort_unstable();
        inside.dedup();
        assert_eq!(finder.inside(place), inside);
    }
}

/// Returns the same hits in the obvious way, without those of one text.
fn plainly(known: &[String], string: &str, without: Option<usize>) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut at = 0;
    while at < string.len() {
        let here = &string.as_bytes()[at..];
        let texts = known.iter().enumerate();
        let texts = texts.filter(|(place, text)| {
            text.len() >= WINDOW_BYTES
                && Some(*place) != without
                && here.starts_with(text.as_bytes())
        });
        match texts.max_by_key(|(_, text)| text.len()) {
            None => at += 1,
            Some((text, found)) => {
                let length = found.len();
                hits.push(Hit { text, at, length });
                at += length;
            }
        }
    }
    hits
}
