//! Watchers. Each watches at one replica for writes at another, and records when it learns of them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ctxpin_client::{Client, Watch};
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::chats::{ChatChange, ChatCreate};
use ctxpin_protocol::watch::Event;
use futures_util::StreamExt as _;
use uuid::Uuid;

use crate::caller::{Caller, Outcome};
use crate::ledger::Ledger;
use crate::servers::LOOK_INTERVAL;

/// Longest time from an acknowledged write to the watcher of another replica while nothing is
/// disturbed.
const QUIET_DELAY_MAX: Duration = Duration::from_secs(1);

/// Longest time until a watcher has the newest state after the faults: it looks by itself every 30
/// seconds; the rest is for a busy machine.
const RECOVERY_MAX: Duration = Duration::from_secs(35);

/// Writes for each watcher while nothing is disturbed.
const QUIET_WRITES: u32 = 10;

/// Longest pause between two writes under faults, in milliseconds.
const WRITE_MILLIS_MAX: u64 = 800;

/// A chat whose title is a rising number, with the acknowledged writes and the events of its
/// watcher.
pub struct Beacon {
    chat: Uuid,
    state: Mutex<Signals>,
}

#[derive(Default)]
struct Signals {
    /// The newest requested number.
    asked: u64,
    /// Acknowledged numbers, ascending, and when.
    acknowledged: Vec<(u64, Instant)>,
    /// Numbers without a response. Such a write may happen after newer ones.
    unknown: Vec<u64>,
    /// Numbers that the watcher learned of, ascending, and when it learned of each first.
    told: Vec<(u64, Instant)>,
}

impl Signals {
    /// Returns for each number how long after its acknowledgement the watcher learned of it or of a
    /// later one, or `None` if it never did.
    fn delays(&self) -> impl Iterator<Item = Option<Duration>> {
        self.acknowledged.iter().map(|(number, at)| {
            let told = self.told.iter().find(|(told, _)| told >= number);
            told.map(|(_, told_at)| told_at.saturating_duration_since(*at))
        })
    }

    fn newest_acknowledged(&self) -> u64 {
        self.acknowledged.last().map_or(0, |(number, _)| *number)
    }

    fn newest_told(&self) -> u64 {
        self.told.last().map_or(0, |(number, _)| *number)
    }

    fn tell(&mut self, number: u64) {
        if number > self.newest_told() {
            self.told.push((number, Instant::now()));
        }
    }
}

impl Beacon {
    /// Creates a new chat for the signals.
    pub async fn create(caller: &mut Caller, reference: String) -> Option<Arc<Self>> {
        let request = ChatCreate {
            client: Some("soak-beacon".to_owned()),
            reference: Some(reference),
            ..ChatCreate::default()
        };
        let create = |client: Client| {
            let request = request.clone();
            async move { client.chat_create(&request).await }
        };
        match caller.call_until_answered("create", create).await? {
            Ok((opened, _)) => Some(Arc::new(Self {
                chat: opened.chat.id,
                state: Mutex::default(),
            })),
            Err(_) => None,
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Signals> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the next number, and returns it if the write was acknowledged.
    async fn write(&self, caller: &Caller, client: &Client) -> Option<u64> {
        let number = {
            let mut state = self.open();
            state.asked += 1;
            state.asked
        };
        let change = ChatChange {
            title: Some(Some(number.to_string())),
            ..ChatChange::default()
        };
        let call = client.chat_change(ChatId::from(self.chat), &change);
        let outcome = caller.call("signal", call).await;
        let mut state = self.open();
        if let Outcome::Acknowledged(_, span) = outcome {
            state.acknowledged.push((number, span.ended));
            return Some(number);
        }
        state.unknown.push(number);
        None
    }

    /// Waits until the watcher has the number. Returns `false` if that takes longer than `most`.
    async fn await_told(&self, number: u64, most: Duration) -> bool {
        let began = Instant::now();
        while self.open().newest_told() < number {
            if began.elapsed() > most {
                return false;
            }
            tokio::time::sleep(LOOK_INTERVAL / 5).await;
        }
        true
    }

    /// Writes without faults. The watcher must learn of each write within a second.
    pub async fn signal_quietly(&self, caller: &Caller, client: &Client) {
        for _ in 0..QUIET_WRITES {
            let Some(number) = self.write(caller, client).await else {
                let mut state = caller.ledger.open();
                state.violation("a write failed although nothing was disturbed");
                continue;
            };
            self.await_told(number, RECOVERY_MAX).await;
        }
        let signals = std::mem::take(&mut *self.open());
        let mut state = caller.ledger.open();
        for delay in signals.delays() {
            let is_soon = delay.is_some_and(|delay| delay <= QUIET_DELAY_MAX);
            state.check(is_soon, || {
                format!("a write was told to another replica's watcher after {delay:?}")
            });
            state.delays_quiet.add(delay.unwrap_or(RECOVERY_MAX));
        }
        // The numbers count on.
        *self.open() = Signals {
            asked: signals.asked,
            acknowledged: Vec::new(),
            unknown: signals.unknown,
            told: signals.told.last().copied().into_iter().collect(),
        };
    }

    /// Writes under faults until `deadline`, at replicas other than the watcher's if there are any.
    pub async fn signal(
        self: Arc<Self>,
        mut caller: Caller,
        others: Vec<Client>,
        deadline: Instant,
    ) {
        let mut turn = 0;
        while Instant::now() < deadline {
            turn += 1;
            if self
                .write(&caller, &others[turn % others.len()])
                .await
                .is_none()
                && !caller.await_any().await
            {
                return;
            }
            caller.pause(WRITE_MILLIS_MAX).await;
        }
    }

    /// Writes once more after the faults, and records the delays of all writes.
    pub async fn settle(&self, caller: &Caller, client: &Client) {
        let last = self.write(caller, client).await;
        let newest = last.unwrap_or_else(|| self.open().newest_acknowledged());
        let is_told = self.await_told(newest, RECOVERY_MAX).await;
        let mut state = caller.ledger.open();
        state.check(last.is_some() && is_told, || {
            format!("a watcher was not told number {newest} although all was well again")
        });
        let signals = self.open();
        for delay in signals.delays() {
            state.delays_faults.add(delay.unwrap_or(RECOVERY_MAX));
        }
    }
}

/// Watches one replica until the future is dropped, and reopens a watch that ends. With
/// `watches_all` it watches all objects of the caller, otherwise the one chat.
pub async fn watch(client: Client, beacon: Arc<Beacon>, ledger: Arc<Ledger>, watches_all: bool) {
    loop {
        let before = beacon.open().newest_acknowledged();
        let watch = if watches_all {
            client.watch().await
        } else {
            client.chat_watch(ChatId::from(beacon.chat)).await
        };
        if let Ok(watch) = watch {
            follow(watch, &beacon, &ledger, before).await;
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// Records the events of one watch. By the time of its `ready`, the watch must have sent everything
/// that was acknowledged before it began.
async fn follow(mut watch: Watch, beacon: &Beacon, ledger: &Ledger, before: u64) {
    let mut newest = 0;
    while let Some(Ok(event)) = watch.next().await {
        match event {
            Event::Chat(chat) if chat.id == beacon.chat => {
                let title = chat.title.as_deref().unwrap_or("0");
                match title.parse() {
                    Ok(number) => {
                        newest = number;
                        beacon.open().tell(number);
                    }
                    Err(_) => ledger
                        .open()
                        .violation(format!("a watcher was told {title:?}")),
                }
            }
            Event::Ready => {
                let is_state = newest >= before || beacon.open().unknown.contains(&newest);
                ledger.open().check(is_state, || {
                    format!("a watch began with number {newest}; {before} was acknowledged")
                });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_ends_with_the_number_or_one_past_it() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let signals = Signals {
            asked: 4,
            acknowledged: vec![(1, at(1)), (2, at(2)), (4, at(9))],
            unknown: vec![3],
            told: vec![(1, at(0)), (3, at(7))],
        };
        let delays: Vec<_> = signals.delays().collect();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(delays, [seconds(0), seconds(5), None]);
    }
}
