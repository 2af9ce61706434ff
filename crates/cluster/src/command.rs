//! Running other programs for the text that they print.

use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Runs a command and returns its standard output. The error contains both outputs.
pub fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let name = line(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting `{name}`"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let complained = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{name}` failed ({}):\n{}{}",
            output.status,
            printed,
            complained
        );
    }
    Ok(printed.into_owned())
}

/// Returns a command as a person would type it, for messages.
pub fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_carries_what_was_said_on_both_outputs() {
        let script = "echo asked; echo refused >&2; exit 3";
        let error = output_of(Command::new("sh").args(["-c", script])).expect_err("it fails");
        let message = error.to_string();
        assert!(message.contains("asked\nrefused\n"), "{message}");
        assert!(message.contains("exit status: 3"), "{message}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = output_of(&mut Command::new("no-such-program")).expect_err("it fails");
        assert!(error.to_string().contains("`no-such-program`"), "{error}");
    }
}
