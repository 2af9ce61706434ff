//! The limits of a snapshot and of the texts in it, and how messages name them.

/// Greatest size of an instruction file, in bytes. Of real ones, one in 300 is larger than 64 KiB, and
/// tools cut them to budgets of their own.
pub const INSTRUCTION_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Greatest size of a `SKILL.md`, in bytes. A model reads the whole of it when it uses the skill.
pub const SKILL_MD_BYTES_MAX: u64 = 1024 * 1024;

/// Greatest size of a blob that an agent uploads ahead of a push, in bytes. Every file that a snapshot
/// pins fits.
pub const BLOB_UPLOAD_BYTES_MAX: u64 = 1024 * 1024;

const _: () = assert!(
    BLOB_UPLOAD_BYTES_MAX >= INSTRUCTION_FILE_BYTES_MAX
        && BLOB_UPLOAD_BYTES_MAX >= SKILL_MD_BYTES_MAX
        && BLOB_UPLOAD_BYTES_MAX >= SKILL_FILE_BYTES_MAX
);

/// Greatest size of an MCP configuration, in bytes. No honest configuration comes near it.
pub const MCP_CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// Greatest size of a supporting file that is pinned with its skill, in bytes.
pub const SKILL_FILE_BYTES_MAX: u64 = 512 * 1024;

/// Greatest number of supporting files pinned with one skill. The MCP Skills extension requires it of
/// hosts.
pub const SKILL_FILES_MAX: usize = 512;

/// Greatest size of all supporting files pinned with one skill, in bytes. The MCP Skills extension
/// requires it of hosts.
pub const SKILL_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Greatest number of unpinned files listed in one skill, including the summary of omitted files. A
/// thousand skills with this number still fit into a push.
pub const SKILL_UNPINNED_MAX: usize = 32;

/// Greatest number of files listed in one skill.
pub const SKILL_LISTED_MAX: usize = SKILL_FILES_MAX + SKILL_UNPINNED_MAX;

/// Greatest depth below a skill's directory that is scanned.
pub const SKILL_DEPTH_MAX: usize = 16;

/// Greatest number of files of all skills in one snapshot, including each `SKILL.md`.
pub const SNAPSHOT_SKILL_FILES_MAX: usize = 4_096;

/// Greatest size of the files of all skills in one snapshot, including each `SKILL.md`, in bytes.
pub const SNAPSHOT_SKILL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Greatest size of what one snapshot adds to a prompt, in bytes: instruction files, and the names and
/// descriptions of skills.
pub const SNAPSHOT_PROMPT_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Greatest number of `ok` resources in one snapshot.
pub const SNAPSHOT_RESOURCES_MAX: usize = 1_000;

/// Greatest number of resources listed in one snapshot, including unused ones. The snapshot's error
/// gives the number of the others.
pub const SNAPSHOT_LISTED_MAX: usize = 2_000;

/// Greatest number of tools of one MCP server.
pub const SERVER_TOOLS_MAX: usize = 128;

/// Greatest size of one MCP server's tools as canonical JSON, in bytes.
pub const SERVER_TOOLS_BYTES_MAX: u64 = 256 * 1024;

/// Greatest size of all MCP servers' tools in one snapshot as canonical JSON, in bytes.
pub const SNAPSHOT_TOOLS_BYTES_MAX: u64 = 1024 * 1024;

/// Greatest length of a source and of the path of a skill's file, in bytes of UTF-8.
pub const SOURCE_BYTES_MAX: usize = 1_024;

/// The greatest number of globs that say which files one instruction file is for. The braces of one glob stand for many.
pub const GLOBS_MAX: usize = 1_000;

/// The longest of these globs, in bytes, because a longer one matches no path that is a source.
pub const GLOB_BYTES_MAX: usize = SOURCE_BYTES_MAX;

/// Greatest length of the error of a resource or of a snapshot, in bytes of UTF-8.
pub const ERROR_BYTES_MAX: usize = 4_096;

/// The greatest size of the reason for which an agent polls files. It is one sentence, and lists show it.
pub const POLLING_BYTES_MAX: usize = 500;

/// Greatest length of a fact about a workspace, in bytes of UTF-8.
pub const FACT_BYTES_MAX: usize = 1_024;

/// Greatest length of a skill's name, in characters (Agent Skills specification).
pub const SKILL_NAME_CHARS_MAX: usize = 64;

/// Greatest size of a frontmatter that is parsed, in bytes. Honest ones have a few hundred, and every
/// scan and push parses each one.
pub const FRONTMATTER_BYTES_MAX: usize = 64 * 1024;

/// Greatest length of a skill's description, in characters (Agent Skills specification).
pub const SKILL_DESCRIPTION_CHARS_MAX: usize = 1_024;

/// Greatest length of a skill's `compatibility`, in characters (Agent Skills specification).
pub const SKILL_COMPATIBILITY_CHARS_MAX: usize = 500;

/// Greatest length of a text that a person or a client chooses as a name, in characters: the name of
/// a user or an agent, a chat's title, a turn's reference.
pub const CHOSEN_NAME_CHARS_MAX: usize = 200;

/// Greatest size of one agent's uploads that wait for a push, in bytes.
pub const AGENT_UPLOAD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Greatest number of one agent's uploads that wait for a push. A snapshot names fewer bodies.
pub const AGENT_UPLOADS_MAX: u64 = 8_192;

/// Returns the longest prefix of `text` with at most `bytes_max` bytes and only whole characters.
pub fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Returns the size of `text` as a JSON string, in bytes, including the quotes.
pub fn json_bytes(text: &str) -> u64 {
    let escaped = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        ..=0x1f => 6,
        _ => 1,
    });
    escaped.sum::<u64>() + 2
}

/// Formats a number of bytes for people, in the largest unit that gives at least 1. Rounds down to a
/// tenth.
pub fn format_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let fits = |power: &usize| bytes >> (10 * power) > 0;
    let Some(power) = (1..=UNITS.len()).rev().find(fits) else {
        return format!("{bytes} bytes");
    };
    let tenths = (u128::from(bytes) * 10) >> (10 * power);
    let unit = UNITS[power - 1];
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {unit}"),
        (whole, tenth) => format!("{whole}.{tenth} {unit}"),
    }
}

/// Returns why a text is refused: it has more than `bytes_max` bytes, or a NUL, which PostgreSQL
/// cannot store. Returns `None` if it is sound.
pub fn text_fault(text: &str, bytes_max: usize) -> Option<String> {
    if text.len() > bytes_max {
        let length = text.len();
        return Some(format!(
            "it has {length} bytes, and at most {bytes_max} are taken"
        ));
    }
    text.contains('\0')
        .then(|| "it holds a NUL character, which no text may".to_owned())
}

/// Returns why a list of `count` items is refused: it has more than `count_max`. Returns
/// `None` if it is sound.
pub fn count_fault(count: usize, count_max: usize) -> Option<String> {
    (count > count_max).then(|| format!("there are {count}, and at most {count_max} are taken"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_falls_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("aé", 9), "aé");
    }

    #[test]
    fn a_text_is_as_long_as_its_json() {
        for text in ["", "a\"\\b\u{1}\n\r\t\u{8}\u{c}\u{7f}\u{e9}"] {
            let json = serde_json::to_string(text).expect("a text is JSON");
            assert_eq!(json_bytes(text), json.len() as u64);
        }
    }

    #[test]
    fn bytes_are_formatted_for_people() {
        let check = |bytes, expected: &str| assert_eq!(format_bytes(bytes), expected);
        check(0, "0 bytes");
        check(1_023, "1023 bytes");
        check(1_024, "1 KiB");
        check(1_536, "1.5 KiB");
        check(10 << 30, "10 GiB");
        check(u64::MAX, "15.9 EiB");
    }
}
