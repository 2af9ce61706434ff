//! What the hooks cost.

use std::process::Command;
use std::time::Duration;

use anyhow::ensure;

use super::place::Place;

/// The longest time of a hook that waits for no scan: the median of some calls.
const HOOK_TIME_MAX: Duration = Duration::from_millis(30);

/// The longest time of any hook.
const ANY_HOOK_TIME_MAX: Duration = Duration::from_secs(2);

/// How many calls are measured.
const CALLS: usize = 21;

/// Measures the hooks, ends what watches, and returns which take too long.
pub fn slow(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let mut slow = Vec::new();
    let mut check = |what: &str, times: &mut Vec<Duration>, median_max: Duration| {
        times.sort_unstable();
        let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
        println!("  {what}: median {median:.1?}, longest {longest:.1?}");
        if median > median_max || longest > ANY_HOOK_TIME_MAX {
            slow.push(format!("{what} takes {median:.1?}, at most {longest:.1?}"));
        }
    };
    let command = place.hook()?;
    let call = |event: &str, count: usize| -> anyhow::Result<Vec<Duration>> {
        (0..count)
            .map(|number| Ok(place.call(&command, event, number)?.0))
            .collect()
    };
    let mut starts = call("SessionStart", CALLS)?;
    check("a start", &mut starts, ANY_HOOK_TIME_MAX);
    let mut prompts = call("UserPromptSubmit", CALLS)?;
    check("a prompt", &mut prompts, HOOK_TIME_MAX);
    let pid = place.process()?;
    signal(&pid, "-STOP")?;
    let hanging = ["SessionStart", "UserPromptSubmit"].map(|event| call(event, 1));
    signal(&pid, "-CONT")?;
    for (times, what) in hanging.into_iter().zip(["a start", "a prompt"]) {
        check(
            &format!("{what} with a process that hangs"),
            &mut times?,
            ANY_HOOK_TIME_MAX,
        );
    }
    place.ctxpin(&["down"])?;
    let mut without = call("UserPromptSubmit", CALLS)?;
    check("a prompt without a process", &mut without, HOOK_TIME_MAX);
    Ok(slow)
}

/// Sends a process a signal.
pub fn signal(pid: &str, signal: &str) -> anyhow::Result<()> {
    let sent = Command::new("kill").args([signal, pid]).status()?;
    ensure!(sent.success(), "the process {pid} takes no signal");
    Ok(())
}
