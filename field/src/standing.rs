//! How many files are used and unused, with the reasons.

use std::collections::BTreeMap;
use std::fmt;

use ctxpin_model::resource::Status;
use ctxpin_model::warning::Code;
use ctxpin_render::renderer::Renderer;
use ctxpin_render::treat;
use ctxpin_scan::roots::Request;
use ctxpin_scan::scan;
use ctxpin_scan::trust::Trust;

use crate::corpus::File;

/// The counts of used and unused files.
#[derive(Debug, Default)]
pub struct Standing {
    /// How many skills there are.
    pub skills: usize,
    instruction_files: usize,
    refused_skills: usize,
    /// For each checkout and reason, the number of unused files, and one of them as an example.
    reasons: BTreeMap<(String, String), (usize, String)>,
    /// How many files have each warning.
    warnings: BTreeMap<Code, usize>,
}

/// Scans each file alone.
pub fn of(files: &[File]) -> Standing {
    let mut standing = Standing::default();
    for file in files {
        let is_skill = file.is_skill();
        match is_skill {
            true => standing.skills += 1,
            false => standing.instruction_files += 1,
        }
        // Scans the skill as a folder of skills would, with all its files.
        let found = scan(
            &Request::single(&file.path, "/nonexistent", Trust::of_process()),
            &|| false,
        );
        let resource = found
            .ok()
            .and_then(|found| found.snapshot.resources.into_iter().next());
        let Some(resource) = resource else {
            standing.tell(file, "it was not found".into());
            continue;
        };
        // Only this scan uses the name: it is an instruction file of another tool.
        let is_unnamed = !is_skill
            && resource.status == Status::Invalid
            && resource
                .error
                .as_deref()
                .is_some_and(|error| error.starts_with("a source that is a file"));
        if resource.status != Status::Ok && !is_unnamed {
            standing.refused_skills += usize::from(is_skill);
            let error = resource.error.unwrap_or_default();
            standing.tell(file, format!("{}: {error}", resource.status));
        }
        let mut codes: Vec<_> = treat::treatment(resource.kind, &file.bytes, Renderer::CURRENT)
            .warnings
            .into_iter()
            .map(|warning| warning.code)
            .collect();
        codes.sort_unstable();
        codes.dedup();
        for code in codes {
            *standing.warnings.entry(code).or_default() += 1;
        }
    }
    standing
}

impl Standing {
    fn tell(&mut self, file: &File, reason: String) {
        let checkout = file.checkout.file_name().unwrap_or_default();
        let key = (checkout.to_string_lossy().into_owned(), reason);
        let path = file.path.strip_prefix(&file.checkout).unwrap_or(&file.path);
        let entry = self.reasons.entry(key);
        let (count, _) = entry.or_insert_with(|| (0, path.display().to_string()));
        *count += 1;
    }

    /// Returns the share of skills that are not used, in percent.
    pub fn refused_percent(&self) -> f64 {
        100.0 * self.refused_skills as f64 / self.skills.max(1) as f64
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} skills and {} instruction files; {} skills are not used ({:.2} %)",
            self.skills,
            self.instruction_files,
            self.refused_skills,
            self.refused_percent()
        )?;
        writeln!(f, "\nnot used:")?;
        for ((checkout, reason), (count, path)) in &self.reasons {
            writeln!(f, "  {count:>4}  {checkout:<40} {reason}  (such as {path})")?;
        }
        writeln!(f, "\nwarned of, in so many files:")?;
        for (code, count) in &self.warnings {
            writeln!(f, "  {count:>4}  {code}")?;
        }
        Ok(())
    }
}
