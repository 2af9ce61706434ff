//! Inputs made out of a corpus by small changes, as a fuzzer makes them.

use proptest::prelude::*;
use proptest::sample::Index;

/// One change to an input.
#[derive(Debug, Clone)]
enum Change {
    /// Another byte there.
    Set(Index, u8),
    /// These bytes before it.
    Insert(Index, Vec<u8>),
    /// Removes the bytes between two positions.
    Cut(Index, Index),
    /// Repeats the bytes between two positions.
    Repeat(Index, Index),
    /// Replaces the rest by that of another input of the corpus.
    Splice(Index, Index, Index),
}

/// Bytes that mean something to one target or another.
const PIECES: [&[u8]; 24] = [
    b"\xff",
    b"\0",
    b"\n",
    b"\r",
    b"\t",
    b"<",
    b">",
    b"</",
    b"<!--",
    b"-->",
    b"Source:",
    b"---\n",
    b": ",
    b"&a ",
    b"*a",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"://",
    b"../",
    b"\xe2\x80\xae",
];

fn change() -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    let piece = prop::sample::select(&PIECES[..]).prop_map(<[u8]>::to_vec);
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (place(), piece).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (place(), place()).prop_map(|(a, b)| Change::Cut(a, b)),
        (place(), place()).prop_map(|(a, b)| Change::Repeat(a, b)),
        (place(), place(), place()).prop_map(|(at, other, from)| Change::Splice(at, other, from)),
    ]
}

/// Returns an input of the corpus with a few changes.
pub fn mutated(corpus: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec(change(), 1..6);
    (any::<Index>(), changes).prop_map(move |(chosen, changes)| {
        let mut bytes = chosen.get(&corpus).clone();
        for change in changes {
            apply(&mut bytes, change, &corpus);
        }
        bytes
    })
}

fn apply(bytes: &mut Vec<u8>, change: Change, corpus: &[Vec<u8>]) {
    let length = bytes.len();
    let place = |index: Index| index.index(length + 1);
    let between = |a: Index, b: Index| {
        let (a, b) = (place(a), place(b));
        a.min(b)..a.max(b)
    };
    match change {
        Change::Set(at, byte) => {
            if let Some(place) = bytes.get_mut(place(at)) {
                *place = byte;
            }
        }
        Change::Insert(at, piece) => {
            let at = place(at);
            bytes.splice(at..at, piece);
        }
        Change::Cut(a, b) => {
            bytes.drain(between(a, b));
        }
        Change::Repeat(a, b) => {
            let range = between(a, b);
            let repeated = bytes[range.clone()].to_vec();
            bytes.splice(range.end..range.end, repeated);
        }
        Change::Splice(at, other, from) => {
            let other = other.get(corpus);
            bytes.truncate(place(at));
            bytes.extend_from_slice(&other[from.index(other.len() + 1)..]);
        }
    }
}
