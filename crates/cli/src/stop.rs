//! Stopping a long-running process by signals.

use std::fs;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::say::{self, Failure};

/// Returns a token that is cancelled by Ctrl-C, SIGTERM or SIGHUP. A second Ctrl-C ends the process at
/// once. Signals that were ignored when the process started, as under `nohup`, stay ignored.
///
/// # Errors
///
/// Fails if the signal handlers cannot be installed.
pub fn on_signal() -> Result<CancellationToken, Failure> {
    let ignored = ignored();
    let listen = |kind: SignalKind| -> Result<Option<Signal>, Failure> {
        if ignored & bit(kind) != 0 {
            return Ok(None);
        }
        let listening =
            signal(kind).map_err(|error| Failure::new("cannot listen for signals").because(error));
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
        // The system releases the locks and listeners of this process.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    });
    Ok(token)
}

/// Waits for a signal. Never returns if the signal is ignored.
async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Returns the ignored signals as a mask. Called before any handler is installed, these are the signals
/// that were ignored when the process started. Returns 0 on systems without `/proc`, where only `unsafe`
/// code could tell.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_in(&status)
}

/// Reads the mask from a status file (proc_pid_status(5)).
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
