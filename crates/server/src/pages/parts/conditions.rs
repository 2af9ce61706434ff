//! The files with which an instruction file comes, in words.

use ctxpin_model::resource::Applies;

use super::number::counted;

/// The most globs of one file that the page shows.
const GLOBS_SHOWN_MAX: usize = 5;

/// The most directories of one file that the page shows.
const WAYS_SHOWN_MAX: usize = 3;

/// Returns with which files an instruction file comes, in words. Paths begin at the working directory.
pub(crate) fn when(applies: &Applies, directory: &str) -> String {
    let mut ways = applies.ways();
    let shown = ways.by_ref().take(WAYS_SHOWN_MAX);
    let shown = shown.map(|(below, globs)| files_for(below, globs, directory));
    let mut words = shown.collect::<Vec<_>>().join(", or ");
    let more = ways.count();
    if more > 0 {
        words += &format!(", or with {}", counted(more as u64, "more place"));
    }
    words
}

fn files_for(directory_below: &str, globs: &[String], directory: &str) -> String {
    let below = below(directory_below, directory);
    let place = match below.is_empty() {
        true => String::new(),
        false => format!(" below {below}"),
    };
    if globs.is_empty() {
        return format!("when a file{place} is read");
    }
    let shown: Vec<_> = globs.iter().take(GLOBS_SHOWN_MAX).collect();
    let more = globs.len() - shown.len();
    let mut globs = shown.iter().map(|glob| glob.as_str());
    let mut words = globs.next().unwrap_or_default().to_owned();
    globs.for_each(|glob| words += &format!(", {glob}"));
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

#[cfg(test)]
mod tests {
    use ctxpin_model::resource::Also;

    use super::*;

    #[test]
    fn a_file_of_many_directories_has_a_short_condition() {
        let also = |number: usize| Also {
            below: format!("/w/p{number}"),
            globs: vec!["*.ts".into(); number % 2],
            behind: None,
        };
        let check = |count, expected: &str| {
            let mut applies = Applies::to("/w", vec!["*.rs".into()]);
            applies.also = (0..count).map(also).collect();
            assert_eq!(when(&applies, "/w"), expected);
        };
        check(0, "with files that match *.rs");
        check(
            2,
            "with files that match *.rs, or when a file below p0 is read, or with files below p1 that match *.ts",
        );
        check(
            5,
            "with files that match *.rs, or when a file below p0 is read, or with files below p1 that match *.ts, or \
             with 3 more places",
        );
    }
}
