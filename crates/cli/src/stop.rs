//! How a process that would run for ever is told to end.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::say::{self, Failure};

/// A token that is cancelled by Ctrl-C, by a request to terminate, and when the terminal goes away.
/// A second Ctrl-C no longer waits.
///
/// # Errors
///
/// If signals cannot be listened to.
pub fn on_signal() -> Result<CancellationToken, Failure> {
    let listen = |kind| {
        signal(kind)
            .map_err(|error| Failure::new(format!("signals cannot be listened to: {error}")))
    };
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
        cancelled.cancel();
        interrupt.recv().await;
        say::note("stopped without waiting");
        // The locks of this process and its listeners go with it.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    });
    Ok(token)
}
