//! The files with which an instruction file comes, in words.

use ctxpin_model::resource::Applies;

use super::number::counted;

/// The most globs of one file that the page shows.
const GLOBS_SHOWN_MAX: usize = 5;

/// Returns with which files an instruction file comes, in words. Paths begin at the working directory.
pub(crate) fn when(applies: &Applies, directory: &str) -> String {
    let below = below(&applies.below, directory);
    let place = match below.is_empty() {
        true => String::new(),
        false => format!(" below {below}"),
    };
    if applies.globs.is_empty() {
        return format!("when a file{place} is read");
    }
    let shown: Vec<_> = applies.globs.iter().take(GLOBS_SHOWN_MAX).collect();
    let mut globs = shown.iter().map(|glob| glob.as_str());
    let mut words = globs.next().unwrap_or_default().to_owned();
    globs.for_each(|glob| words += &format!(", {glob}"));
    let more = applies.globs.len() - shown.len();
    if more > 0 {
        words += &format!(" and {}", counted(more as u64, "more glob"));
    }
    format!("with files{place} that match {words}")
}

/// Returns a path from the working directory on. Another path stays whole.
pub(crate) fn below<'p>(path: &'p str, directory: &str) -> &'p str {
    let rest = path.strip_prefix(directory.trim_end_matches('/'));
    let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with('/'));
    rest.map_or(path, |rest| rest.trim_start_matches('/'))
}
