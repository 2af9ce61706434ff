//! Ctrl-C and SIGTERM: the process stops what it started before it ends.
//!
//! Otherwise a signal would end the process at once and leave the private database running.

use std::sync::{Arc, Condvar, Mutex};

use anyhow::Context;
use rustix::process::{Pid, Signal};
use tokio::signal::unix::{SignalKind, signal};

/// A handle on the interruption of this process. Clones share one state.
#[derive(Clone, Default)]
pub struct Interrupt {
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    interrupted: bool,
    /// The process group of the running command, which a signal ends.
    running: Option<Pid>,
}

impl Interrupt {
    /// Listens for SIGINT, SIGTERM and SIGHUP on a thread of its own. From now on these signals do
    /// not end the process: the caller must check [`Self::happened`].
    pub fn listen() -> anyhow::Result<Self> {
        let interrupt = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .context("starting the signal listener")?;
        let (mut int, mut term, mut hup) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            )
        };
        let told = interrupt.clone();
        std::thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = int.recv() => {}
                        _ = term.recv() => {}
                        _ = hup.recv() => {}
                    }
                    told.interrupt();
                }
            });
        });
        Ok(interrupt)
    }

    /// Returns whether a signal has come.
    pub fn happened(&self) -> bool {
        self.lock().interrupted
    }

    /// Blocks until a signal comes.
    pub fn wait(&self) {
        let mut state = self.lock();
        while !state.interrupted {
            state = self
                .state
                .1
                .wait(state)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// Names the process group that a signal shall end, or none. If a signal came before, the
    /// group is ended at once.
    pub fn watch_over(&self, group: Option<Pid>) {
        let mut state = self.lock();
        state.running = group;
        if state.interrupted {
            end(state.running);
        }
    }

    /// Records a signal, and ends the running command.
    pub fn interrupt(&self) {
        let mut state = self.lock();
        state.interrupted = true;
        end(state.running);
        self.state.1.notify_all();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn end(group: Option<Pid>) {
    if let Some(group) = group {
        // It may have ended by itself a moment ago, which is as good.
        let _ = rustix::process::kill_process_group(group, Signal::TERM);
    }
}
