//! The speed of the machine's disk during an attack, without the server. On some machines a sync takes
//! seconds while all cores are busy, and no commit can be faster.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tempfile::tempfile_in;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{MissedTickBehavior, interval};

/// Time from one sync to the next.
const PACE: Duration = Duration::from_millis(50);

/// Bytes that are written before each sync: a page.
const PAGE: [u8; 4_096] = [0x5a; 4_096];

/// Syncs a file at an even pace for `time`. Returns how long each sync took from the moment at
/// which it was due, in milliseconds.
///
/// # Errors
///
/// Fails if the file cannot be created in the directory, or a page cannot be written to it.
pub async fn syncs(directory: &Path, time: Duration) -> anyhow::Result<Vec<f64>> {
    let file = tempfile_in(directory).context("making a file beside the server's")?;
    let mut file = File::from_std(file);
    let begun = Instant::now();
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut took = Vec::new();
    loop {
        let due = pace.tick().await.into_std();
        if begun.elapsed() >= time {
            return Ok(took);
        }
        file.write_all(&PAGE).await?;
        file.sync_data().await?;
        took.push(due.elapsed().as_secs_f64() * 1_000.0);
    }
}
