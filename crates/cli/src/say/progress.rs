//! Progress: a spinner on a terminal, plain lines elsewhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Pause between two frames of the spinner.
const TICK_INTERVAL: Duration = Duration::from_millis(100);

/// Whether a spinner is on the last line of the terminal.
static IS_SPINNING: AtomicBool = AtomicBool::new(false);

/// Returns the text that erases the spinner before a line on standard error.
pub fn erasure() -> &'static str {
    match IS_SPINNING.load(Ordering::Relaxed) {
        true => "\r\u{1b}[2K",
        false => "",
    }
}

/// Shows what the command waits for, until it is dropped.
pub struct Progress {
    bar: ProgressBar,
    told: String,
}

impl Progress {
    /// Creates a progress that shows nothing yet.
    pub fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self {
            bar,
            told: String::new(),
        }
    }

    /// Shows what the command waits for now. The same text is shown once.
    pub fn tell(&mut self, text: &str) {
        if self.told == text {
            return;
        }
        text.clone_into(&mut self.told);
        match self.bar.is_hidden() {
            true => super::note(text),
            false => {
                self.bar.set_message(super::line(text).into_owned());
                self.bar.enable_steady_tick(TICK_INTERVAL);
                IS_SPINNING.store(true, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        IS_SPINNING.store(false, Ordering::Relaxed);
    }
}
