//! Marks of news: a reader who has read an owner's objects at a mark needs to read again only if the mark has
//! changed. A mark is of one process, and costs no query.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ctxpin_model::id::UserId;
use ctxpin_store::topic::Topic;

/// How many numbers a process keeps. Owners who share one get another mark at each other's news, which costs a
/// reader nothing but a read.
const PLACES: usize = 256;

/// The latest news of an owner. Two equal marks of an owner mean that nothing was written between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewsMark {
    process: u64,
    number: u64,
}

impl fmt::Display for NewsMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.process, self.number)
    }
}

/// A moment in the news of a process.
#[derive(Debug, Clone, Copy)]
pub struct NewsMoment(u64);

/// The numbers of the latest hints of a process.
pub(crate) struct News {
    process: u64,
    numbers: Mutex<Numbers>,
}

struct Numbers {
    last: u64,
    by_place: [u64; PLACES],
}

impl News {
    pub fn new() -> Self {
        Self {
            process: rand::random(),
            numbers: Mutex::new(Numbers {
                last: 0,
                by_place: [0; PLACES],
            }),
        }
    }

    /// Notes a hint. A watcher that gets the hint must find it noted.
    pub fn note(&self, topic: Topic) {
        let mut numbers = self.lock();
        numbers.last += 1;
        let last = numbers.last;
        match topic.owner() {
            Some(owner) => numbers.by_place[place(owner)] = last,
            None => numbers.by_place.fill(last),
        }
    }

    /// Returns the present moment.
    pub fn moment(&self) -> NewsMoment {
        NewsMoment(self.lock().last)
    }

    /// Returns the mark of an owner, unless there were news of the owner since a moment.
    pub fn mark_since(&self, owner: UserId, begun: NewsMoment) -> Option<NewsMark> {
        let mark = self.mark(owner);
        (mark.number <= begun.0).then_some(mark)
    }

    /// Returns the mark of an owner.
    pub fn mark(&self, owner: UserId) -> NewsMark {
        NewsMark {
            process: self.process,
            number: self.lock().by_place[place(owner)],
        }
    }

    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(owner: UserId) -> usize {
    // The last byte of an id is random.
    usize::from(owner.uuid().as_bytes()[15]) % PLACES
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_mark_changes_with_the_news_of_its_owner() {
        let news = News::new();
        let [one, other] = [1, 2].map(|number| UserId::from(Uuid::from_u128(number)));
        let marks = || [one, other].map(|owner| news.mark(owner));
        let before = marks();
        news.note(Topic::Account { owner: one });
        let after = marks();
        assert_ne!(before[0], after[0]);
        assert_eq!(before[1], after[1]);
        news.note(Topic::Everything);
        assert_ne!(after[0], marks()[0]);
        assert_ne!(after[1], marks()[1]);
        let begun = news.moment();
        assert_eq!(news.mark_since(one, begun), Some(marks()[0]));
        news.note(Topic::Account { owner: other });
        assert_eq!(news.mark_since(one, begun), Some(marks()[0]));
        assert_eq!(news.mark_since(other, begun), None);
        assert_ne!(before[0], News::new().mark(one), "it is another process");
    }
}
