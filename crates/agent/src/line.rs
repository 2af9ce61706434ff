//! A line: what happened is dealt with in the order in which it came.

use tokio::sync::oneshot;

/// The last place of a line.
#[derive(Debug, Default)]
pub(crate) struct Line(Option<Before>);

/// Ends when the place before has been left. If that was left before its turn, it names the one before it.
#[derive(Debug)]
struct Before(oneshot::Receiver<Before>);

/// A place in a line. To drop it is to leave it.
#[derive(Debug)]
pub(crate) struct Place {
    before: Option<Before>,
    leave: Option<oneshot::Sender<Before>>,
}

impl Line {
    /// Takes the place behind all others.
    pub fn take(&mut self) -> Place {
        let (leave, left) = oneshot::channel();
        Place {
            before: self.0.replace(Before(left)),
            leave: Some(leave),
        }
    }
}

impl Place {
    /// Waits until all places before have been left.
    pub async fn come_first(&mut self) {
        while let Some(Before(left)) = &mut self.before {
            self.before = left.await.ok();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let (Some(leave), Some(before)) = (self.leave.take(), self.before.take()) {
            // Nobody may stand behind.
            let _ = leave.send(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_place_waits_for_all_before_it() {
        let mut line = Line::default();
        let mut first = line.take();
        let mut second = line.take();
        let third = line.take();
        let mut last = line.take();
        assert!(first.come_first().now_or_never().is_some());
        assert!(second.come_first().now_or_never().is_none());
        drop(third);
        assert!(last.come_first().now_or_never().is_none());
        drop(first);
        assert!(last.come_first().now_or_never().is_none());
        assert!(second.come_first().now_or_never().is_some());
        drop(second);
        assert!(last.come_first().now_or_never().is_some());
    }
}
