//! The lists of skills in which a client names each with its description.

use ctxpin_model::limits::cut;
use ctxpin_model::profile::Profile;

use crate::frame::{Ahead, CLAUDE_SKILLS};

/// A skill in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'s> {
    pub name: &'s str,
    /// Where the description begins in the string. Where it ends depends on the description.
    pub at: usize,
    /// What the list has behind a description.
    ends: &'static [&'static str],
}

/// What begins and ends the lists of a client, and those of ctxpin.
const CODEX: (&str, &str) = ("### Available skills\n", "</skills_instructions>");
const OPENCODE: (&str, &str) = ("<available_skills>\n", "</available_skills>");
const OURS: (&str, &str) = ("<available-skills>\n", "</available-skills>");

/// What the lists have behind a description.
const LINE_ENDS: &[&str] = &["\n"];
const CODEX_ENDS: &[&str] = &[" (file: ", "\n"];
const ELEMENT_ENDS: &[&str] = &["</description>", "\n</description>"];

/// What a client writes where it shortened a description.
const ELLIPSES: [&str; 2] = ["…", "..."];

/// Returns the skills that a string at an instruction place lists, or `None` if it has no list.
pub fn items(client: Profile, text: &str) -> Option<Vec<Item<'_>>> {
    let own = match client {
        Profile::ClaudeCode => Some((CLAUDE_SKILLS, "</system-reminder>", LINE_ENDS)),
        Profile::Codex => Some((CODEX.0, CODEX.1, CODEX_ENDS)),
        Profile::Opencode => Some((OPENCODE.0, OPENCODE.1, ELEMENT_ENDS)),
        Profile::Neutral => None,
    };
    let mut items = None;
    for (begin, end, ends) in own.into_iter().chain([(OURS.0, OURS.1, LINE_ENDS)]) {
        let Some(begin) = text.find(begin).map(|at| at + begin.len()) else {
            continue;
        };
        let end = text[begin..].find(end).map_or(text.len(), |at| begin + at);
        let items = items.get_or_insert_with(Vec::new);
        match ends == ELEMENT_ENDS {
            true => elements(text, begin, end, items),
            false => lines(text, begin, end, ends, items),
        }
    }
    items
}

fn lines<'s>(
    text: &'s str,
    begin: usize,
    end: usize,
    ends: &'static [&'static str],
    items: &mut Vec<Item<'s>>,
) {
    let mut at = begin;
    for line in text[begin..end].split_inclusive('\n') {
        if let Some(item) = line.strip_prefix("- ") {
            let item = item.trim_end_matches('\n');
            let (name, behind) = item.split_once(':').unwrap_or((item, ""));
            let blanks = behind.len() - behind.trim_start_matches(' ').len();
            let colon = usize::from(name.len() < item.len());
            // Claude Code has the name of the frontmatter behind that of the directory.
            let is_named_twice = name.ends_with(')');
            let own = name.split_once(" (").filter(|_| is_named_twice);
            items.push(Item {
                name: own.map_or(name, |(own, _)| own),
                at: at + "- ".len() + name.len() + colon + blanks,
                ends,
            });
        }
        at += line.len();
    }
}

fn elements<'s>(text: &'s str, begin: usize, end: usize, items: &mut Vec<Item<'s>>) {
    const NAME: &str = "<name>";
    const DESCRIPTION: &str = "<description>";
    let text = &text[..end];
    let [mut names, mut ends, mut descriptions] =
        [NAME, "</name>", DESCRIPTION].map(|mark| Ahead::new(text, mark));
    let mut at = begin;
    while let Some(name) = names.from(at).map(|found| found + NAME.len())
        && let Some(name_end) = ends.from(name)
    {
        at = name_end;
        let description = descriptions.from(at);
        items.push(Item {
            name: &text[name..name_end],
            at: description.map_or(end, |found| found + DESCRIPTION.len()),
            ends: ELEMENT_ENDS,
        });
    }
}

/// How much of a description a list gives. More is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    /// It is another description.
    Other,
    /// So many of its first bytes.
    First(usize),
    Whole,
}

/// The longest beginning of a description that is compared, in bytes. Clients give fewer.
pub const DESCRIPTION_BYTES_MAX: usize = 4_096;

/// Returns how much of `description` an item of a list in a string has, compared up to [`DESCRIPTION_BYTES_MAX`].
pub fn share(text: &str, item: &Item<'_>, description: &str) -> Share {
    let at = item.at;
    let compared = cut(description, DESCRIPTION_BYTES_MAX);
    let here = text.as_bytes().get(at..).unwrap_or_default();
    let pairs = here.iter().zip(compared.as_bytes());
    let common = pairs.take_while(|(a, b)| a == b).count();
    let common = compared.floor_char_boundary(common);
    let behind = |length: usize| &text[(at + length).min(text.len())..];
    let ends = |length: usize, marks: &[&str]| {
        let behind = behind(length);
        marks.iter().any(|mark| behind.starts_with(mark))
    };
    // A mark may begin with the blank that the description goes on with.
    let trimmed = compared[..common].trim_end().len();
    let is_end = behind(common).is_empty() || ends(common, item.ends) || ends(trimmed, item.ends);
    if common == compared.len() && (is_end || compared.len() < description.len()) {
        return Share::Whole;
    }
    match is_end || ends(common, &ELLIPSES) || ends(trimmed, &ELLIPSES) {
        true => Share::First(trimmed),
        false => Share::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(client: Profile, text: &str, expected: &[(&str, &str, Share)]) {
        let items = items(client, text).unwrap();
        let found: Vec<_> = items
            .iter()
            .zip(expected)
            .map(|(item, (_, description, _))| (item.name, share(text, item, description)))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, _, share)| (*name, *share))
            .collect();
        assert_eq!(items.len(), expected.len());
        assert_eq!(found, expected);
    }

    #[test]
    fn each_client_has_a_list_of_its_own() {
        check(
            Profile::ClaudeCode,
            "Agents.\n\nThe following skills are available for use with the Skill tool:\n\n- one: Does a thing\n\
             - two: Does…\n- three\n- four: Was: changed\n- five (other-name): Does a thing\n",
            &[
                ("one", "Does a thing", Share::Whole),
                ("two", "Does another", Share::First(4)),
                ("three", "Has none", Share::First(0)),
                ("four", "Is changed", Share::Other),
                ("five", "Does a thing", Share::Whole),
            ],
        );
        check(
            Profile::Codex,
            "### Available skills\n- one: Does a thing (file: r1/one/SKILL.md)\n</skills_instructions>- no: x",
            &[("one", "Does a thing", Share::Whole)],
        );
        check(
            Profile::Opencode,
            "<available_skills>\n  <skill>\n    <name>one</name>\n    <description>Does a thing</description>\n  \
             </skill>\n</available_skills>",
            &[("one", "Does a thing", Share::Whole)],
        );
        check(
            Profile::Codex,
            "<available-skills>\nRead them.\n\n- one: Does a thing\n</available-skills>",
            &[("one", "Does a thing", Share::Whole)],
        );
        assert_eq!(items(Profile::ClaudeCode, "none"), None);
    }

    fn check_share(ends: &'static [&'static str], text: &str, expected: Share) {
        let item = Item {
            name: "",
            at: 0,
            ends,
        };
        assert_eq!(share(text, &item, "many words\nmore"), expected, "{text}");
    }

    #[test]
    fn a_cut_may_be_before_a_blank_or_in_a_word() {
        let check = |text, expected| check_share(CODEX_ENDS, text, expected);
        check("many (file: r1/x/SKILL.md)", Share::First(4));
        check("many  (file: r1/x/SKILL.md)", Share::First(4));
        check("many wor (file: r1/x/SKILL.md)", Share::First(8));
        check("many …", Share::First(4));
        check("many words...", Share::First(10));
        check("many", Share::First(4));
    }

    #[test]
    fn a_description_that_goes_on_otherwise_is_another() {
        let check = |ends, text| check_share(ends, text, Share::Other);
        check(CODEX_ENDS, "many others (file: r1/x/SKILL.md)");
        check(LINE_ENDS, "many words\nmore, and evil\n");
        check(LINE_ENDS, "many - evil");
        check(LINE_ENDS, "many words (file: evil)");
        check(ELEMENT_ENDS, "many words\nevil</description>");
        check_share(
            ELEMENT_ENDS,
            "many words\nmore\n</description>",
            Share::Whole,
        );
        check_share(LINE_ENDS, "many words\nmore", Share::Whole);
    }
}
