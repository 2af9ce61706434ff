//! Changes of a text, applied in layers and traced back to the text that came first.

use std::borrow::Cow;
use std::ops::Range;

use crate::treated::{Fate, Piece, Reason};

/// A change: bytes of a text that go, and what comes in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub range: Range<usize>,
    pub put: &'static str,
    /// Why bytes go, where somebody may want to know it.
    pub reason: Option<Reason>,
}

impl Edit {
    /// Bytes go, and nothing comes.
    pub fn cut(range: Range<usize>, reason: Reason) -> Self {
        Self {
            range,
            put: "",
            reason: Some(reason),
        }
    }

    /// Adds what becomes of its bytes, or of some of them, if `put` comes in their place.
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

    /// One spelling of something is put in place of another.
    pub fn replace(range: Range<usize>, put: &'static str) -> Self {
        Self {
            range,
            put,
            reason: None,
        }
    }
}

/// Applies edits, which are disjoint and in order.
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

/// Where the bytes of the text before an [`apply`] stand after it. Asked for in rising order.
pub(crate) struct Places<'e> {
    edits: std::iter::Peekable<std::slice::Iter<'e, Edit>>,
    /// What the edits passed have added (positive) or taken.
    shift: isize,
}

impl<'e> Places<'e> {
    pub fn of(edits: &'e [Edit]) -> Self {
        Self {
            edits: edits.iter().peekable(),
            shift: 0,
        }
    }

    /// Where the byte `at` stands; one that went, where it would.
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

/// A text with everything that was done to it.
pub(crate) struct Layers<'t> {
    pub text: Cow<'t, str>,
    first_bytes: usize,
    layers: Vec<Layer>,
}

/// Edits of the text that the layer before left.
struct Layer {
    edits: Vec<Edit>,
    /// Where each edit begins in the text that this layer leaves.
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

    /// How many layers there are.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Takes back every layer but the first `depth` of those that were applied to `text`.
    pub fn truncate(&mut self, text: &'t str, depth: usize) {
        self.layers.truncate(depth);
        self.text = Cow::Borrowed(text);
        for layer in &self.layers {
            self.text = Cow::Owned(apply(&self.text, &layer.edits));
        }
    }

    /// What became of the first text, in its own bytes and order.
    pub fn pieces(&self) -> Vec<Piece> {
        let layers = self.layers.iter();
        let whole = vec![Piece {
            range: 0..self.first_bytes,
            fate: Fate::Kept,
        }];
        layers.fold(whole, |pieces, layer| edited(pieces, &layer.edits))
    }

    /// Where a byte of the text as it is now stood in the first text.
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

/// What becomes of a text of whose text before these are the pieces.
fn edited(pieces: Vec<Piece>, edits: &[Edit]) -> Vec<Piece> {
    let mut became = Vec::with_capacity(pieces.len() + 2 * edits.len());
    let mut edits = edits.iter().peekable();
    // Where the next piece begins in the text that is edited.
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
    /// Where a byte of the edited text stood before. One that was put there has the range that it
    /// came in place of.
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
