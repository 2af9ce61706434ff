//! The pool for heavy work. Its jobs run on threads that serve no requests, a few at a time, and no user
//! can fill it.
//!
//! A caller with heavy work first enters the workshop and gets a slot, then reads what the work needs, and
//! then runs the work. So a waiting caller holds nothing but a place in a queue.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use ctxpin_model::id::UserId;
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// The fewest slots. With one, a single user could hold up all others.
const SLOTS_MIN: usize = 2;

/// The most waiting jobs of one user. A page that shows several chats asks for fewer at once.
const WAITING_MAX: usize = 8;

/// Work on at most this many bytes runs on the caller's thread, because handing it over would take longer.
const LIGHT_BYTES: u64 = 64 * 1024;

/// The longest time of a job under locks, because other requests wait for the locks.
const UNDER_LOCKS_MAX: Duration = Duration::from_millis(250);

/// Returns whether work needs no slot. `bytes` is how much it reads, or work that takes equally long.
pub(crate) fn is_light(bytes: u64) -> bool {
    bytes <= LIGHT_BYTES
}

/// A pool with a number of slots. Clones share it.
#[derive(Clone)]
pub(crate) struct Workshop(Arc<Inner>);

struct Inner {
    slots: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: usize,
    /// How many slots each user holds.
    running: HashMap<UserId, usize>,
    /// The callers who wait for a slot, by user.
    waiting: HashMap<UserId, VecDeque<oneshot::Sender<Slot>>>,
    /// The users who wait. The next one is in front.
    turns: VecDeque<UserId>,
}

/// The right to run one job after another. It ends when the caller has dropped it and the last job has ended.
pub(crate) struct Slot(Arc<Held>);

struct Held {
    workshop: Arc<Inner>,
    user: UserId,
}

/// Tells a running job when to stop.
pub(crate) struct Watch {
    deadline: Instant,
    is_abandoned: Arc<AtomicBool>,
}

impl Watch {
    /// Returns a watch without a caller. It ends after `time_max`.
    pub fn lasting(time_max: Duration) -> Self {
        Self {
            deadline: Instant::now() + time_max,
            is_abandoned: Arc::default(),
        }
    }

    /// Returns when the job must have ended.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns whether the deadline has passed or the caller has stopped waiting.
    pub fn is_over(&self) -> bool {
        self.is_abandoned.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }
}

impl Default for Workshop {
    /// Returns a workshop with one slot per processor of the machine.
    fn default() -> Self {
        Self::with_slots(available_parallelism().map_or(SLOTS_MIN, usize::from))
    }
}

impl Workshop {
    pub fn with_slots(slots: usize) -> Self {
        Self(Arc::new(Inner {
            slots: slots.max(SLOTS_MIN),
            state: Mutex::default(),
        }))
    }

    /// Waits for a slot. The waiting users take turns, and each user's jobs keep their order. A user who holds
    /// a slot never gets the last free slot, and no user holds more than half of all slots.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Busy`] if too many jobs of the user wait already, or if the server is stopping.
    pub async fn enter(&self, user: UserId) -> Result<Slot> {
        let slot = {
            let mut state = self.0.lock();
            let waiting = state.waiting.entry(user).or_default();
            waiting.retain(|waiter| !waiter.is_closed());
            let count = waiting.len();
            if count == 0 && state.may_run(self.0.slots, user) {
                state.waiting.remove(&user);
                state.begin(user);
                drop(state);
                return Ok(self.0.slot(user));
            }
            if count >= WAITING_MAX {
                return Err(Error::Busy(
                    "too many of your requests wait already; try again in a moment",
                ));
            }
            let (waiter, slot) = oneshot::channel();
            if count == 0 && !state.turns.contains(&user) {
                state.turns.push_back(user);
            }
            state.waiting.entry(user).or_default().push_back(waiter);
            slot
        };
        // The workshop lives as long as the service, so the sender is dropped only when the server stops.
        slot.await
            .map_err(|_| Error::Busy("the server is stopping; try again"))
    }

    /// Runs a job of a user. `bytes` is how much it reads, or work that takes equally long. A job that is not
    /// light waits for a slot.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Self::enter`].
    pub async fn work<T: Send + 'static>(
        &self,
        user: UserId,
        bytes: u64,
        time_max: Duration,
        work: impl FnOnce(&Watch) -> T + Send + 'static,
    ) -> Result<T> {
        if is_light(bytes) {
            return Ok(work(&Watch::lasting(time_max)));
        }
        self.enter(user).await?.run(time_max, work).await
    }

    /// Runs a job at once, without a slot, because the caller holds locks that other requests wait for.
    ///
    /// # Errors
    ///
    /// Fails like a lost race ([`Error::overtaken`]) if the job takes longer than 250 ms.
    pub async fn under_locks<T: Send + 'static>(
        &self,
        bytes: u64,
        work: impl FnOnce(&Watch) -> T + Send + 'static,
    ) -> Result<T> {
        if is_light(bytes) {
            return Ok(work(&Watch::lasting(UNDER_LOCKS_MAX)));
        }
        let done = done(UNDER_LOCKS_MAX, None, work);
        let done = tokio::time::timeout(UNDER_LOCKS_MAX, done).await;
        done.unwrap_or_else(|_| Err(Error::overtaken()))
    }
}

impl Slot {
    /// Runs a job on a blocking thread. The job must ask its [`Watch`] now and then whether `time_max` has
    /// passed or the caller has stopped waiting, and end early if so.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Busy`] if the server is stopping.
    pub async fn run<T: Send + 'static>(
        &self,
        time_max: Duration,
        work: impl FnOnce(&Watch) -> T + Send + 'static,
    ) -> Result<T> {
        done(time_max, Some(Arc::clone(&self.0)), work).await
    }
}

async fn done<T: Send + 'static>(
    time_max: Duration,
    held: Option<Arc<Held>>,
    work: impl FnOnce(&Watch) -> T + Send + 'static,
) -> Result<T> {
    let is_abandoned = Arc::new(AtomicBool::new(false));
    let _abandon = AbandonOnDrop(Arc::clone(&is_abandoned));
    let watch = Watch {
        deadline: Instant::now() + time_max,
        is_abandoned,
    };
    let done = tokio::task::spawn_blocking(move || {
        let outcome = work(&watch);
        drop(held);
        outcome
    });
    match done.await {
        Ok(outcome) => Ok(outcome),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The job was cancelled with the runtime.
            Err(_) => Err(Error::Busy("the server is stopping; try again")),
        },
    }
}

/// Marks a job as abandoned when its caller stops waiting.
struct AbandonOnDrop(Arc<AtomicBool>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.workshop.end(self.user);
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(self: &Arc<Self>, user: UserId) -> Slot {
        Slot(Arc::new(Held {
            workshop: Arc::clone(self),
            user,
        }))
    }

    /// Takes a slot back, and hands free slots to the next waiting callers.
    fn end(self: &Arc<Self>, user: UserId) {
        let mut given = Vec::new();
        {
            let mut state = self.lock();
            state.finish(user);
            while let Some((user, waiter)) = state.next(self.slots) {
                state.begin(user);
                given.push((user, waiter));
            }
        }
        // A caller who has left returns the slot here, which needs the lock.
        for (user, waiter) in given {
            drop(waiter.send(self.slot(user)));
        }
    }
}

impl State {
    fn may_run(&self, slots: usize, user: UserId) -> bool {
        let own = self.running.get(&user).copied().unwrap_or_default();
        let free = slots - self.taken;
        free > 0 && own < slots / 2 && (own == 0 || free > 1)
    }

    fn begin(&mut self, user: UserId) {
        self.taken += 1;
        *self.running.entry(user).or_default() += 1;
    }

    fn finish(&mut self, user: UserId) {
        self.taken -= 1;
        if let Some(own) = self.running.get_mut(&user) {
            *own -= 1;
            if *own == 0 {
                self.running.remove(&user);
            }
        }
    }

    /// Returns the first waiting caller of the next user who may run.
    fn next(&mut self, slots: usize) -> Option<(UserId, oneshot::Sender<Slot>)> {
        let at = self
            .turns
            .iter()
            .position(|user| self.may_run(slots, *user))?;
        let user = self.turns.remove(at)?;
        let waiting = self.waiting.get_mut(&user)?;
        let waiter = waiting.pop_front();
        match waiting.is_empty() {
            true => drop(self.waiting.remove(&user)),
            false => self.turns.push_back(user),
        }
        Some((user, waiter?))
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::Clock;
    use futures_util::FutureExt as _;

    use super::*;

    fn users<const N: usize>() -> [UserId; N] {
        std::array::from_fn(|_| UserId::generate(Clock::system().now()))
    }

    /// Returns a slot if one is free at once.
    fn at_once(workshop: &Workshop, user: UserId) -> Option<Slot> {
        workshop
            .enter(user)
            .now_or_never()
            .map(|slot| slot.ok().unwrap())
    }

    #[tokio::test]
    async fn nobody_has_more_than_half_nor_the_last() {
        for (slots, most) in [(2, 1), (3, 1), (4, 2), (8, 4)] {
            let workshop = Workshop::with_slots(slots);
            let [greedy, other, third] = users();
            let held: Vec<_> = (0..slots)
                .filter_map(|_| at_once(&workshop, greedy))
                .collect();
            assert_eq!(held.len(), most, "{slots}");
            let others: Vec<_> = (0..slots)
                .filter_map(|_| at_once(&workshop, other))
                .collect();
            // The last slot is for a user who holds none.
            assert_eq!(held.len() + others.len() + 1, slots.max(3), "{slots}");
            if slots > 2 {
                assert!(at_once(&workshop, third).is_some());
            }
        }
    }

    #[tokio::test]
    async fn users_are_served_in_turn() {
        let workshop = Workshop::with_slots(2);
        let [greedy, second, third] = users();
        let held = [
            workshop.enter(greedy).await.unwrap(),
            workshop.enter(second).await.unwrap(),
        ];
        let mut waiting: Vec<_> = [greedy, greedy, greedy, third, second]
            .map(|user| (user, Box::pin(workshop.enter(user))))
            .into();
        for (_, enter) in &mut waiting {
            assert!(enter.now_or_never().is_none());
        }
        let mut order = Vec::new();
        let mut held: VecDeque<_> = held.into();
        while !waiting.is_empty() {
            drop(held.pop_front());
            waiting.retain_mut(|(user, enter)| match enter.now_or_never() {
                Some(slot) => {
                    order.push(*user);
                    held.push_back(slot.ok().unwrap());
                    false
                }
                None => true,
            });
        }
        // Three of one user do not come before one each of two others.
        assert_eq!(order[..2].iter().filter(|user| **user == greedy).count(), 1);
        assert!(order.contains(&third) && order.contains(&second));
    }

    #[tokio::test]
    async fn a_queue_has_an_end_and_whoever_leaves_makes_room() {
        let workshop = Workshop::with_slots(2);
        let [user] = users();
        let held = workshop.enter(user).await.unwrap();
        let mut waiting: Vec<_> = (0..WAITING_MAX)
            .map(|_| Box::pin(workshop.enter(user)))
            .collect();
        for enter in &mut waiting {
            assert!(enter.now_or_never().is_none());
        }
        assert!(matches!(workshop.enter(user).await, Err(Error::Busy(_))));
        drop(waiting.pop());
        let mut late = Box::pin(workshop.enter(user));
        assert!((&mut late).now_or_never().is_none());
        drop(waiting);
        drop(held);
        assert!(late.await.is_ok(), "those who left are passed over");
    }

    #[tokio::test]
    async fn work_ends_with_its_caller_and_its_slot_with_the_work() {
        let workshop = Workshop::with_slots(2);
        let [user] = users();
        let (begun, has_begun) = std::sync::mpsc::channel();
        let slot = workshop.enter(user).await.unwrap();
        let work = async move {
            let endless = move |watch: &Watch| {
                begun.send(()).unwrap();
                while !watch.is_over() {
                    std::thread::yield_now();
                }
            };
            slot.run(Duration::from_secs(3600), endless).await
        };
        let work = tokio::spawn(work);
        tokio::task::spawn_blocking(move || has_begun.recv().unwrap())
            .await
            .unwrap();
        let mut next = Box::pin(workshop.enter(user));
        assert!((&mut next).now_or_never().is_none());
        work.abort();
        assert!(next.await.is_ok());
    }

    #[tokio::test]
    async fn work_is_told_when_its_time_is_over() {
        let workshop = Workshop::default();
        let [user] = users();
        let slot = workshop.enter(user).await.unwrap();
        assert!(slot.run(Duration::ZERO, Watch::is_over).await.unwrap());
        let is_over = slot.run(Duration::from_secs(3600), Watch::is_over).await;
        assert!(!is_over.unwrap());
        // Under locks nobody waits for longer than others can.
        let endless = |watch: &Watch| {
            while !watch.is_over() {
                std::thread::yield_now();
            }
            std::thread::yield_now();
        };
        let late = workshop.under_locks(u64::MAX, endless).await;
        assert!(late.is_ok() || late.is_err_and(|error| error.contended().is_some()));
    }
}
