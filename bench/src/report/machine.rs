//! The machine of the figures, without anything that identifies its owner.

use serde::Serialize;

use crate::database::Kind;

/// The machine on which the figures were measured.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub processor: String,
    /// Processors that this program may use.
    pub cores: usize,
    /// Its memory, in GiB.
    pub memory_gibibytes: f64,
    pub kernel: String,
    /// The databases and their versions.
    pub databases: Vec<(String, String)>,
}

/// Reads the properties of this machine.
pub async fn read(kinds: &[Kind]) -> anyhow::Result<Machine> {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut databases = Vec::new();
    for kind in kinds {
        databases.push((kind.name.clone(), kind.version().await?));
    }
    let kibibytes = value_of(&memory, "MemTotal").and_then(|value| {
        let number = value.split(' ').next()?;
        number.parse::<f64>().ok()
    });
    Ok(Machine {
        processor: value_of(&processors, "model name")
            .unwrap_or("unknown")
            .to_owned(),
        cores: std::thread::available_parallelism()?.get(),
        memory_gibibytes: kibibytes.unwrap_or_default() / (1024.0 * 1024.0),
        kernel: kernel.trim().to_owned(),
        databases,
    })
}

/// Returns the value of the first line `name : value`.
fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let mut found = lines.filter(|(found, _)| found.trim() == name);
    found.next().map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_whole_name() {
        let text = "MemTotalX: 1\nMemTotal:       24689788 kB\n";
        assert_eq!(value_of(text, "MemTotal"), Some("24689788 kB"));
        assert_eq!(value_of(text, "Mem"), None);
    }
}
