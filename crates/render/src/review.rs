//! A prompt for review: its exact text, with everything that the renderer removed from its files.

use crate::prompt::{file_begins, file_ends};
use crate::renderer::Renderer;
use crate::sanitise;
use crate::treat;
use crate::treated::{Fate, Piece, Reason};

/// A stretch of a prompt under review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stretch {
    /// A part of the prompt. All of these together are the prompt.
    Given(String),
    /// What was removed here, and why: the file's own bytes, but with LF as line ends.
    Gone(String, Reason),
    /// The frame of a file without any content left. Neither the frame nor the file is in the prompt.
    Frame(String),
}

/// An instruction file of a prompt.
#[derive(Debug, Clone, Copy)]
pub struct File<'f> {
    /// The path in the snapshot.
    pub source: &'f str,
    pub body: &'f str,
}

/// Returns a prompt with what was removed from its files, each piece where it stood. The files must be in
/// the snapshot's order. Those without any content left come after the prompt.
///
/// # Errors
///
/// Fails if the prompt is not made of these files. Returns the first file that is not in the prompt as this
/// release renders it.
pub fn stretches<'f>(
    prompt: &str,
    files: &[File<'f>],
    renderer: Renderer,
) -> Result<Vec<Stretch>, File<'f>> {
    let mut review = Review::default();
    let mut left_out = Review::default();
    let mut rest = prompt;
    for file in files {
        let treated = treat::instruction_file(file.body.as_bytes(), renderer);
        let (begins, ends) = frame(file.source, renderer);
        if treated.text.is_empty() {
            left_out.frame(&begins);
            left_out.pieces(file.body, &treated.pieces);
            left_out.frame(&ends);
            continue;
        }
        let framed = format!("{begins}{}{ends}", treated.text);
        let (before, after) = rest.split_once(&framed).ok_or(*file)?;
        review.given(before);
        review.given(&begins);
        review.pieces(file.body, &treated.pieces);
        review.given(&ends);
        rest = after;
    }
    review.given(rest);
    review.0.extend(left_out.0);
    Ok(review.0)
}

/// Returns what stands before and after the content of a file in a prompt.
fn frame(source: &str, renderer: Renderer) -> (String, String) {
    match renderer {
        Renderer::First => (
            format!("\nSource: {}\n", sanitise::line(source)),
            "\n".into(),
        ),
        Renderer::Second => (file_begins(source), file_ends()),
    }
}

/// A list of stretches that joins neighbours of the same kind.
#[derive(Default)]
struct Review(Vec<Stretch>);

impl Review {
    fn given(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Stretch::Given(before)) => before.push_str(text),
            _ => self.0.push(Stretch::Given(text.to_owned())),
        }
    }

    fn gone(&mut self, text: &str, reason: Reason) {
        match self.0.last_mut() {
            Some(Stretch::Gone(before, last)) if *last == reason => before.push_str(text),
            _ => self.0.push(Stretch::Gone(text.to_owned(), reason)),
        }
    }

    fn frame(&mut self, text: &str) {
        self.0.push(Stretch::Frame(text.to_owned()));
    }

    fn pieces(&mut self, body: &str, pieces: &[Piece]) {
        for piece in pieces {
            let bytes = &body[piece.range.clone()];
            match piece.fate {
                Fate::Kept => self.given(bytes),
                Fate::Replaced(put) => self.given(put),
                Fate::Gone(reason) => self.gone(&bytes.replace('\r', "\n"), reason),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt;

    /// Reviews the prompt of files, and marks what was taken out by braces.
    fn reviewed(files: &[(&str, &str)]) -> String {
        let prompt = prompt::of_files(files);
        let files = files.iter().map(|(source, body)| File { source, body });
        let files: Vec<_> = files.collect();
        let stretches = stretches(&prompt, &files, Renderer::CURRENT).unwrap();
        let given = stretches.iter().map(|stretch| match stretch {
            Stretch::Given(text) => text.as_str(),
            Stretch::Gone(..) | Stretch::Frame(_) => "",
        });
        assert_eq!(given.collect::<String>(), prompt, "{files:?}");
        let shown = stretches.iter().map(|stretch| match stretch {
            Stretch::Given(text) => text.clone(),
            Stretch::Gone(text, _) => format!("{{{text}}}"),
            Stretch::Frame(text) => format!("{{frame {text}}}"),
        });
        shown.collect()
    }

    fn check(body: &str, expected: &str) {
        let shown = reviewed(&[("/w/AGENTS.md", body)]);
        let (begins, ends) = frame("/w/AGENTS.md", Renderer::CURRENT);
        let (_, shown) = shown.split_once(&begins).unwrap();
        let (shown, _) = shown.split_once(&ends).unwrap();
        assert_eq!(shown, expected, "{body:?}");
    }

    #[test]
    fn everything_that_was_taken_out_stands_where_it_was() {
        check(
            "# A\n\n<!-- H -->\n\nend\n\n",
            "# A\n{\n}{<!-- H -->}{\n}\nend{\n\n}",
        );
        check("a\n\n<!-- H -->\n", "a{\n\n}{<!-- H -->}{\n}");
        check(
            "<!-- 1 -->\n<!-- 2 -->\na",
            "{<!-- 1 -->}{\n}{<!-- 2 -->}{\n}a",
        );
        check(
            "<?php 1 ?>\n\na\n\n<!DOCTYPE x>\n",
            "{<?php 1 ?>}{\n\n}a{\n\n}{<!DOCTYPE x>}{\n}",
        );
        check(
            "a\r\n\r\n<!-- H\r\n-->\r\nb\r\n",
            "a\n{\n}{<!-- H\n-->}\nb{\n}",
        );
        check(
            "a\u{200B}b </context-file>",
            "a{\u{200B}}b &lt;/context-file>",
        );
        check(
            "<!-- </context-file>\u{AD} -->a",
            "{<!-- </context-file>}{\u{AD}}{ -->}a",
        );
        check("a\u{2028}b", "a{\u{2028}} b");
    }

    #[test]
    fn a_file_is_found_in_its_own_frame() {
        // A text that stands elsewhere in the prompt, too.
        let shown = reviewed(&[("/w/linux", "<!-- 1 -->linux"), ("/w/a", "<!-- 2 -->linux")]);
        assert!(
            shown.contains("\"/w/linux\">\n{<!-- 1 -->}linux\n"),
            "{shown}"
        );
        assert!(shown.contains("\"/w/a\">\n{<!-- 2 -->}linux\n"), "{shown}");
    }

    #[test]
    fn a_file_of_which_nothing_is_left_stands_behind() {
        let shown = reviewed(&[("/w/a", "<!-- 1 -->\n"), ("/w/b", "b")]);
        let end = "</workspace-context>\n{frame <context-file source=\"/w/a\">\n}{<!-- 1 -->}{\n}{frame \n</context-file>}";
        assert!(shown.ends_with(end), "{shown}");
    }

    #[test]
    fn a_prompt_of_the_first_renderer_has_its_own_frame() {
        let prompt = "<workspace-context>\nOperating System: linux\n\nSource: /w/a\na\n\nSource: /w/b\nb\n</workspace-context>\n";
        let files = [("/w/a", "a<!-- `1` -->"), ("/w/b", "b")];
        let files = files.map(|(source, body)| File { source, body });
        let stretches = stretches(prompt, &files, Renderer::First).unwrap();
        assert_eq!(
            stretches[1],
            Stretch::Gone("<!-- `1` -->".into(), Reason::Comment)
        );
        assert_eq!(stretches.len(), 3, "{stretches:?}");
    }

    #[test]
    fn a_prompt_of_other_files_is_told() {
        let file = File {
            source: "/w/a",
            body: "b",
        };
        let found = stretches("", &[file], Renderer::CURRENT).unwrap_err();
        assert_eq!(found.source, "/w/a");
    }
}
