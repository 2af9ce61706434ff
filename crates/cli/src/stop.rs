//! How a process that would run for ever is told to end.

use std::fs;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::say::{self, Failure};

/// A token that is cancelled by Ctrl-C, by a request to terminate, and when the terminal goes away.
/// A second Ctrl-C no longer waits. A signal that whoever started this process had it ignore, as `nohup`
/// does, stays ignored.
///
/// # Errors
///
/// If signals cannot be listened to.
pub fn on_signal() -> Result<CancellationToken, Failure> {
    let ignored = ignored();
    let listen = |kind: SignalKind| -> Result<Option<Signal>, Failure> {
        if ignored & bit(kind) != 0 {
            return Ok(None);
        }
        let listening = signal(kind)
            .map_err(|error| Failure::new("signals cannot be listened to").because(error));
        listening.map(Some)
    };
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = received(&mut interrupt) => {}
            () = received(&mut terminate) => {}
            () = received(&mut hang_up) => {}
        }
        cancelled.cancel();
        received(&mut interrupt).await;
        say::note("stopped without waiting");
        // The locks of this process and its listeners go with it.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    });
    Ok(token)
}

/// Waits for a signal, for ever if it is ignored.
async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// The signals that are ignored, as a mask: those that were when this process began, as long as nothing is
/// listened to. None where the system has no `/proc`, for nothing else tells without `unsafe`.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_in(&status)
}

/// Reads the mask out of such a file (proc_pid_status(5)).
fn ignored_in(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

fn bit(kind: SignalKind) -> u64 {
    1 << (kind.as_raw_value() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read() {
        let status = "Name:\tctxpin\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\n";
        let ignored = ignored_in(status);
        assert_ne!(ignored & bit(SignalKind::hangup()), 0);
        assert_eq!(ignored & bit(SignalKind::interrupt()), 0);
        assert_eq!(ignored_in(""), 0);
        assert_eq!(ignored_in("SigIgn:\tx\n"), 0);
    }
}
