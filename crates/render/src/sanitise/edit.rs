//! Edits of a text, applied in layers and traced back to the original text.

use std::borrow::Cow;
use std::ops::Range;

use crate::treated::{Fate, Piece, Reason};

/// An edit: bytes of a text, and their replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub range: Range<usize>,
    pub put: &'static str,
    /// The reason for removing bytes, if people may want to know it.
    pub reason: Option<Reason>,
}

impl Edit {
    /// Removes bytes for a reason.
    pub fn cut(range: Range<usize>, reason: Reason) -> Self {
        Self {
            range,
            put: "",
            reason: Some(reason),
        }
    }

    /// Adds the pieces of its bytes, or of some of them, if `put` replaces them.
    fn become_of(&self, range: Range<usize>, put: &'static str, became: &mut Vec<Piece>) {
        let end = range.end;
        let mut add = |range: Range<usize>, fate: Fate| {
            if !range.is_empty() || fate != Fate::Replaced("") {
                became.push(Piece { range, fate });
            }
        };
        match self.reason {
            Some(reason) if !range.is_empty() => {
                add(range, Fate::Gone(reason));
                add(end..end, Fate::Replaced(put));
            }
            _ => add(range, Fate::Replaced(put)),
        }
    }

    /// Replaces one spelling with another.
    pub fn replace(range: Range<usize>, put: &'static str) -> Self {
        Self {
            range,
            put,
            reason: None,
        }
    }
}

/// Applies edits, which must be disjoint and in order.
pub(crate) fn apply(text: &str, edits: &[Edit]) -> String {
    let mut edited = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        edited.push_str(&text[at..edit.range.start]);
        edited.push_str(edit.put);
        at = edit.range.end;
    }
    edited.push_str(&text[at..]);
    edited
}

/// Maps offsets in the text before an [`apply`] to offsets after it. The offsets must rise.
pub(crate) struct Places<'e> {
    edits: std::iter::Peekable<std::slice::Iter<'e, Edit>>,
    /// The number of bytes that the passed edits have added (positive) or removed.
    shift: isize,
}

impl<'e> Places<'e> {
    pub fn of(edits: &'e [Edit]) -> Self {
        Self {
            edits: edits.iter().peekable(),
            shift: 0,
        }
    }

    /// Returns the new offset of the byte `at`, or of its place if it was removed.
    pub fn after(&mut self, at: usize) -> usize {
        while let Some(edit) = self.edits.next_if(|edit| edit.range.end <= at) {
            self.shift += edit.put.len() as isize - edit.range.len() as isize;
        }
        let at = match self.edits.peek() {
            Some(edit) if edit.range.start < at => edit.range.start,
            _ => at,
        };
        at.saturating_add_signed(self.shift)
    }
}

/// A text with all edits that were applied to it.
pub(crate) struct Layers<'t> {
    pub text: Cow<'t, str>,
    first_bytes: usize,
    layers: Vec<Layer>,
}

/// Edits of the result of the layer before.
struct Layer {
    edits: Vec<Edit>,
    /// The offset of each edit in the result of this layer.
    starts: Vec<usize>,
}

impl<'t> Layers<'t> {
    pub fn new(text: &'t str) -> Self {
        Self {
            text: Cow::Borrowed(text),
            first_bytes: text.len(),
            layers: Vec::new(),
        }
    }

    /// Applies the next layer.
    pub fn push(&mut self, edits: Vec<Edit>) {
        if !edits.is_empty() {
            self.text = Cow::Owned(apply(&self.text, &edits));
            let mut places = Places::of(&edits);
            let starts = edits.iter().map(|edit| places.after(edit.range.start));
            let starts = starts.collect();
            self.layers.push(Layer { edits, starts });
        }
    }

    /// Returns the number of layers.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Undoes all layers except the first `depth`. `text` must be the original text.
    pub fn truncate(&mut self, text: &'t str, depth: usize) {
        self.layers.truncate(depth);
        self.text = Cow::Borrowed(text);
        for layer in &self.layers {
            self.text = Cow::Owned(apply(&self.text, &layer.edits));
        }
    }

    /// Returns the pieces of the original text, in order.
    pub fn pieces(&self) -> Vec<Piece> {
        let layers = self.layers.iter();
        let whole = vec![Piece {
            range: 0..self.first_bytes,
            fate: Fate::Kept,
        }];
        layers.fold(whole, |pieces, layer| edited(pieces, &layer.edits))
    }

    /// Returns the offset in the original text of a byte of the current text.
    pub fn first_place(&self, at: usize) -> usize {
        start_before(&self.layers, at)
    }
}

fn start_before(layers: &[Layer], at: usize) -> usize {
    let layers = layers.iter().rev();
    layers.fold(at, |at, layer| {
        layer.origin(at).unwrap_or_else(|edit| edit.start)
    })
}

/// Returns the pieces of the original text after one more layer of edits.
fn edited(pieces: Vec<Piece>, edits: &[Edit]) -> Vec<Piece> {
    let mut became = Vec::with_capacity(pieces.len() + 2 * edits.len());
    let mut edits = edits.iter().peekable();
    // The offset of the next piece in the edited text.
    let mut at = 0;
    for mut piece in pieces {
        while piece.given_bytes() > 0
            && let Some(edit) = edits.peek()
            && edit.range.start < at + piece.given_bytes()
        {
            let (before, rest) = piece.split(edit.range.start.saturating_sub(at));
            at += before.given_bytes();
            let in_edit = rest.given_bytes().min(edit.range.end - at);
            let (edited, rest) = rest.split(in_edit);
            at += in_edit;
            if before.given_bytes() > 0 {
                became.push(before);
            }
            let is_over = at == edit.range.end;
            let put = if is_over { edit.put } else { "" };
            edit.become_of(edited.range, put, &mut became);
            if is_over {
                edits.next();
            }
            piece = rest;
        }
        if !(piece.range.is_empty() && piece.given_bytes() == 0) {
            at += piece.given_bytes();
            became.push(piece);
        }
    }
    became
}

impl Layer {
    /// Returns the range of a byte of the edited text before the edits. An inserted byte has the range that it
    /// replaced.
    fn origin(&self, at: usize) -> Result<usize, Range<usize>> {
        let passed = self.starts.partition_point(|start| *start <= at);
        let Some(last) = passed.checked_sub(1) else {
            return Ok(at);
        };
        let (edit, start) = (&self.edits[last], self.starts[last]);
        let end = start + edit.put.len();
        match at < end {
            true => Err(edit.range.clone()),
            false => Ok(edit.range.end + (at - end)),
        }
    }
}
