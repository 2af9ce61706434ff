//! Which of several snapshots the requests of a turn show, if nobody has confirmed the turn's pin.
//!
//! A client may have read its files before anybody saw it, so the pin of then is a guess. The requests show another
//! snapshot if they deviate from the pin and have exactly what that one says. What stands in the conversation since an
//! earlier turn says nothing of that, unless every request has it: a file that came with another one, or a used skill.

use ctxpin_model::evidence::{Row, Source, Verdict};

use crate::known::Known;
use crate::reading::Request;
use crate::verdict::Turn;

/// The greatest number of snapshots beside the pin that a turn is compared with. Each costs as much as the pin.
pub const CANDIDATES_MAX: usize = 16;

/// The requests of one turn, compared with its pin and with other snapshots.
pub struct Candidates<'k> {
    known: &'k Known,
    pin: (usize, Turn<'k>),
    /// The pin beside the requests without what stands in the conversation since an earlier turn.
    here: Turn<'k>,
    /// The likeliest first.
    others: Vec<(usize, Turn<'k>)>,
}

impl<'k> Candidates<'k> {
    /// Begins a turn. `others` are the numbers of the other snapshots, the likeliest first: at most [`CANDIDATES_MAX`].
    pub fn new(
        known: &'k Known,
        source: Source,
        pin: usize,
        others: impl IntoIterator<Item = usize>,
    ) -> Self {
        let turn = |number| (number, Turn::new(known, source, Some(number)));
        let others = others.into_iter().filter(|other| *other != pin);
        Self {
            known,
            pin: turn(pin),
            here: turn(pin).1,
            others: others.take(CANDIDATES_MAX).map(turn).collect(),
        }
    }

    /// Adds a request of the turn.
    pub fn add(&mut self, request: &Request<'_>) {
        self.pin.1.add(request);
        let here = request.without_earlier(self.known);
        self.here.add(here.as_ref().unwrap_or(request));
        for (_, other) in &mut self.others {
            other.add(request);
        }
    }

    /// Returns what the requests say together, and the number of the snapshot that they show, with which they are compared
    /// then. Otherwise they are compared with the pin.
    ///
    /// Of snapshots that differ only in what was not due, the requests show the likeliest. If they differ in what was due,
    /// as in the path of a text, nobody can tell which it was.
    pub fn row(self) -> (Row, Option<usize>) {
        let Self {
            known,
            pin,
            here,
            others,
        } = self;
        let is_pin_shown = pin.1.is_shown();
        let may_show = pin.1.verdict() == Verdict::Deviates && !here.is_shown();
        if !is_pin_shown && !may_show {
            return (pin.1.row(), None);
        }
        let shown = others.into_iter().filter(|(_, other)| other.is_shown());
        let shown: Vec<_> = shown.collect();
        let likeliest = match is_pin_shown {
            true => Some(pin.0),
            false => shown.first().map(|(number, _)| *number),
        };
        let is_alone = |number: &usize| {
            let mut shown = shown.iter();
            shown.all(|(other, _)| known.has_same_due(*other, *number))
        };
        match likeliest.filter(is_alone) {
            Some(number) if !is_pin_shown => {
                let likeliest = shown.into_iter().next();
                let (_, turn) = likeliest.unwrap_or(pin);
                (turn.row(), Some(number))
            }
            shown => (pin.1.row(), shown),
        }
    }
}
