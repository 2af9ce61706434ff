//! Removes characters that no reader sees.

use std::ops::Range;

use super::edit::Edit;
use crate::treated::Reason;

/// The emoji at the beginning of a subdivision's flag.
const BLACK_FLAG: char = '\u{1F3F4}';

/// The tag character at the end of a subdivision's flag.
const TAG_END: char = '\u{E007F}';

/// The numbers of tag characters between the two: a region of 2 letters or 3 digits and a subdivision of 1
/// to 3 (Unicode Technical Standard 51, annex C).
const FLAG_TAGS_MIN: usize = 3;
const FLAG_TAGS_MAX: usize = 6;

/// Replaces characters that cannot be removed.
pub(super) const MARK: &str = "\u{FFFD}";

const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';

/// Returns the edits that make line ends LF and remove a byte order mark.
pub(super) fn line_ends(text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mark = '\u{FEFF}';
    if text.starts_with(mark) {
        edits.push(Edit::cut(0..mark.len_utf8(), Reason::Invisible));
    }
    for (at, _) in text.match_indices('\r') {
        let is_pair = text[at + 1..].starts_with('\n');
        edits.push(Edit::replace(at..at + 1, if is_pair { "" } else { "\n" }));
    }
    edits
}

/// Returns the edits that remove what no reader sees: control characters other than tab and LF, characters
/// with the property `Default_Ignorable_Code_Point`, and interlinear annotation. Keeps what writing needs:
/// U+200C, U+200D between two emoji and after a virama, a variation selector after a character that has the
/// form, and the tags of a subdivision's flag. A character that ends a line elsewhere than in Markdown
/// becomes a space between two words.
pub(super) fn unseen(text: &str) -> Vec<Edit> {
    edits(text, |_| false)
}

/// Returns the edits of [`unseen`], but with U+FFFD in place of each run of characters for whose offsets `goes`
/// returns false. A character that means something only after a marked one is marked with it.
pub(super) fn marked(text: &str, goes: impl Fn(usize) -> bool) -> Vec<Edit> {
    edits(text, |at| !goes(at))
}

fn edits(text: &str, is_marked: impl Fn(usize) -> bool) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    let mut replace = |range: Range<usize>, put: &'static str, kept: &mut Option<char>| {
        let put = if is_marked(range.start) { MARK } else { put };
        *kept = put.chars().next().or(*kept);
        match edits.last_mut() {
            Some(last) if put == MARK && last.put == MARK && last.range.end == range.start => {
                last.range.end = range.end;
            }
            _ => edits.push(Edit {
                range,
                put,
                reason: Some(Reason::Invisible),
            }),
        }
    };
    let mut kept: Option<char> = None;
    let mut at = 0;
    while at < text.len() {
        // Most texts consist mostly of such runs.
        let plain = text.as_bytes()[at..].iter();
        let run = plain.take_while(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t'));
        let run = run.count();
        if run > 0 {
            at += run;
            kept = text[..at].chars().next_back();
        }
        let mut rest = text[at..].chars();
        let Some(c) = rest.next() else { break };
        let end = at + c.len_utf8();
        let next = rest.next();
        if c == BLACK_FLAG {
            kept = Some(c);
            let (tags, is_flag) = flag_tags(&text[end..]);
            if is_flag {
                at = end + tags;
                kept = Some(TAG_END);
                continue;
            }
        } else if ends_line_elsewhere(c) {
            let is_word = |c: Option<char>| c.is_some_and(|c| !c.is_whitespace());
            let parts_words = is_word(kept) && is_word(next);
            replace(at..end, if parts_words { " " } else { "" }, &mut kept);
        } else if is_kept(c, kept, next) {
            kept = Some(c);
        } else {
            replace(at..end, "", &mut kept);
        }
        at = end;
    }
    edits
}

/// Characters that end a line in Unicode or on a printer, but not in Markdown.
fn ends_line_elsewhere(c: char) -> bool {
    matches!(c, '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_kept(c: char, before: Option<char>, after: Option<char>) -> bool {
    if c == ZERO_WIDTH_JOINER {
        let joins = before.is_some_and(ends_emoji) && after.is_some_and(is_pictographic);
        return joins || before.is_some_and(is_virama);
    }
    if is_variation_selector(c) {
        return before.is_some_and(|base| varies(base, c));
    }
    !is_hidden(c)
}

/// Returns how many bytes of tag characters follow a black flag, and whether they make it the flag of a
/// subdivision.
fn flag_tags(text: &str) -> (usize, bool) {
    let mut bytes = 0;
    for (count, c) in text.chars().enumerate() {
        bytes += c.len_utf8();
        let is_letter = matches!(c, '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}');
        if c == TAG_END {
            return (bytes, (FLAG_TAGS_MIN..=FLAG_TAGS_MAX).contains(&count));
        }
        if !is_letter || count == FLAG_TAGS_MAX {
            break;
        }
    }
    (bytes, false)
}

/// Returns whether a character selects a form of the one before it.
fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Returns whether a variation selector can mean something after `base`: those of the Ideographic Variation
/// Database after ideographs, those of Mongolian after its letters, and the others after the characters in
/// Unicode's `StandardizedVariants.txt` and `emoji-variation-sequences.txt` (16.0).
fn varies(base: char, selector: char) -> bool {
    match selector {
        '\u{E0100}'..='\u{E01EF}' => is_ideograph(base),
        '\u{180B}'..='\u{180D}' | '\u{180F}' => {
            matches!(base, '\u{1820}'..='\u{1878}' | '\u{1880}'..='\u{18AA}')
        }
        '\u{FE00}' => is_ideograph(base) || has_form(base) || is_fullwidth_mark(base),
        '\u{FE01}' => is_ideograph(base) || is_fullwidth_mark(base),
        '\u{FE02}' => is_ideograph(base),
        '\u{FE0E}' | '\u{FE0F}' => has_variations(base),
        _ => false,
    }
}

/// Unicode's `Unified_Ideograph` (PropList.txt 16.0), with room for future characters in its planes.
fn is_ideograph(c: char) -> bool {
    matches!(c,
        '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{FA0E}' | '\u{FA0F}' | '\u{FA11}'
        | '\u{FA13}' | '\u{FA14}' | '\u{FA1F}' | '\u{FA21}' | '\u{FA23}' | '\u{FA24}'
        | '\u{FA27}'..='\u{FA29}' | '\u{20000}'..='\u{2EE5D}' | '\u{30000}'..='\u{3FFFD}')
}

/// Marks of East Asian writing that stand in a corner or in the middle.
fn is_fullwidth_mark(c: char) -> bool {
    matches!(
        c,
        '\u{3001}'
            | '\u{3002}'
            | '\u{FF01}'
            | '\u{FF0C}'
            | '\u{FF0E}'
            | '\u{FF1A}'
            | '\u{FF1B}'
            | '\u{FF1F}'
    )
}

/// Other characters with a form that U+FE00 selects: the zero with a stroke, signs of mathematics, letters
/// of Myanmar, Phags-pa and Manichaean.
fn has_form(c: char) -> bool {
    matches!(c,
        '0' | '\u{2205}' | '\u{2229}' | '\u{222A}' | '\u{2268}' | '\u{2269}' | '\u{2272}' | '\u{2273}'
        | '\u{228A}' | '\u{228B}' | '\u{2293}'..='\u{2295}' | '\u{2297}' | '\u{229C}' | '\u{22DA}'
        | '\u{22DB}' | '\u{2A3C}' | '\u{2A3D}' | '\u{2A9D}' | '\u{2A9E}' | '\u{2AAC}' | '\u{2AAD}'
        | '\u{2ACB}' | '\u{2ACC}' | '\u{1000}' | '\u{1002}' | '\u{1004}' | '\u{1010}' | '\u{1011}'
        | '\u{1015}' | '\u{1019}' | '\u{101A}' | '\u{101C}' | '\u{101D}' | '\u{1022}' | '\u{1031}'
        | '\u{1075}' | '\u{1078}' | '\u{107A}' | '\u{1080}' | '\u{AA60}'..='\u{AA66}'
        | '\u{AA6B}'..='\u{AA6C}' | '\u{AA6F}' | '\u{AA7A}' | '\u{A856}' | '\u{A85C}'
        | '\u{A85E}'..='\u{A860}' | '\u{A868}' | '\u{10AC5}' | '\u{10AC6}' | '\u{10AD6}'
        | '\u{10AD7}' | '\u{10AE1}')
}

/// Returns whether the choice between text and emoji can mean something after `c`. In ASCII, it does only
/// after the characters of keycaps (Unicode's `emoji-variation-sequences.txt`).
fn has_variations(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_digit() || c == '#' || c == '*';
    }
    !(c.is_whitespace() || is_unseen(c) || is_tag(c) || c == '\u{FFFD}')
}

/// Returns whether `c` stays in some places although it is invisible.
pub(super) fn is_unseen(c: char) -> bool {
    matches!(c, ZERO_WIDTH_NON_JOINER | ZERO_WIDTH_JOINER) || is_variation_selector(c)
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{E0000}'..='\u{E00FF}')
}

fn is_hidden(c: char) -> bool {
    match c {
        '\t' | '\n' => false,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' => {
            true
        }
        '\u{180B}'..='\u{180F}' | '\u{200B}' | '\u{200D}'..='\u{200F}' => true,
        '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' => true,
        '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' => true,
        '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}' => true,
        other => other.is_control(),
    }
}

/// Returns whether `c` can end an emoji: a picture, its variation selector or its skin tone.
fn ends_emoji(c: char) -> bool {
    is_pictographic(c) || c == '\u{FE0F}' || matches!(c, '\u{1F3FB}'..='\u{1F3FF}')
}

/// Unicode's `Extended_Pictographic` (emoji-data.txt 15.1): characters that can be joined into one emoji.
fn is_pictographic(c: char) -> bool {
    matches!(c,
        '\u{A9}' | '\u{AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}'
        | '\u{2194}'..='\u{2199}' | '\u{21A9}' | '\u{21AA}' | '\u{231A}' | '\u{231B}' | '\u{2328}'
        | '\u{2388}' | '\u{23CF}' | '\u{23E9}'..='\u{23F3}' | '\u{23F8}'..='\u{23FA}' | '\u{24C2}'
        | '\u{25AA}' | '\u{25AB}' | '\u{25B6}' | '\u{25C0}' | '\u{25FB}'..='\u{25FE}'
        | '\u{2600}'..='\u{2605}' | '\u{2607}'..='\u{2612}' | '\u{2614}'..='\u{2685}'
        | '\u{2690}'..='\u{2705}' | '\u{2708}'..='\u{2712}' | '\u{2714}' | '\u{2716}' | '\u{271D}'
        | '\u{2721}' | '\u{2728}' | '\u{2733}' | '\u{2734}' | '\u{2744}' | '\u{2747}' | '\u{274C}'
        | '\u{274E}' | '\u{2753}'..='\u{2755}' | '\u{2757}' | '\u{2763}'..='\u{2767}'
        | '\u{2795}'..='\u{2797}' | '\u{27A1}' | '\u{27B0}' | '\u{27BF}' | '\u{2934}' | '\u{2935}'
        | '\u{2B05}'..='\u{2B07}' | '\u{2B1B}' | '\u{2B1C}' | '\u{2B50}' | '\u{2B55}' | '\u{3030}'
        | '\u{303D}' | '\u{3297}' | '\u{3299}' | '\u{1F000}'..='\u{1F0FF}'
        | '\u{1F10D}'..='\u{1F10F}' | '\u{1F12F}' | '\u{1F16C}'..='\u{1F171}' | '\u{1F17E}'
        | '\u{1F17F}' | '\u{1F18E}' | '\u{1F191}'..='\u{1F19A}' | '\u{1F1AD}'..='\u{1F1E5}'
        | '\u{1F201}'..='\u{1F20F}' | '\u{1F21A}' | '\u{1F22F}' | '\u{1F232}'..='\u{1F23A}'
        | '\u{1F23C}'..='\u{1F23F}' | '\u{1F249}'..='\u{1F3FA}' | '\u{1F400}'..='\u{1F53D}'
        | '\u{1F546}'..='\u{1F64F}' | '\u{1F680}'..='\u{1F6FF}' | '\u{1F774}'..='\u{1F77F}'
        | '\u{1F7D5}'..='\u{1F7FF}' | '\u{1F80C}'..='\u{1F80F}' | '\u{1F848}'..='\u{1F84F}'
        | '\u{1F85A}'..='\u{1F85F}' | '\u{1F888}'..='\u{1F88F}' | '\u{1F8AE}'..='\u{1F8FF}'
        | '\u{1F90C}'..='\u{1F93A}' | '\u{1F93C}'..='\u{1F945}' | '\u{1F947}'..='\u{1FAFF}'
        | '\u{1FC00}'..='\u{1FFFD}')
}

/// The signs that join two consonants in scripts that have one (Unicode's canonical combining class 9,
/// UnicodeData.txt 15.1). U+200D after one selects the form of the joined consonants.
fn is_virama(c: char) -> bool {
    matches!(
        c,
        '\u{94D}'
            | '\u{9CD}'
            | '\u{A4D}'
            | '\u{ACD}'
            | '\u{B4D}'
            | '\u{BCD}'
            | '\u{C4D}'
            | '\u{CCD}'
            | '\u{D3B}'
            | '\u{D3C}'
            | '\u{D4D}'
            | '\u{DCA}'
            | '\u{E3A}'
            | '\u{EBA}'
            | '\u{F84}'
            | '\u{1039}'
            | '\u{103A}'
            | '\u{1714}'
            | '\u{1715}'
            | '\u{1734}'
            | '\u{17D2}'
            | '\u{1A60}'
            | '\u{1B44}'
            | '\u{1BAA}'
            | '\u{1BAB}'
            | '\u{1BF2}'
            | '\u{1BF3}'
            | '\u{2D7F}'
            | '\u{A806}'
            | '\u{A82C}'
            | '\u{A8C4}'
            | '\u{A953}'
            | '\u{A9C0}'
            | '\u{AAF6}'
            | '\u{ABED}'
            | '\u{10A3F}'
            | '\u{11046}'
            | '\u{11070}'
            | '\u{1107F}'
            | '\u{110B9}'
            | '\u{11133}'
            | '\u{11134}'
            | '\u{111C0}'
            | '\u{11235}'
            | '\u{112EA}'
            | '\u{1134D}'
            | '\u{11442}'
            | '\u{114C2}'
            | '\u{115BF}'
            | '\u{1163F}'
            | '\u{116B6}'
            | '\u{1172B}'
            | '\u{11839}'
            | '\u{1193D}'
            | '\u{1193E}'
            | '\u{119E0}'
            | '\u{11A34}'
            | '\u{11A47}'
            | '\u{11A99}'
            | '\u{11C3F}'
            | '\u{11D44}'
            | '\u{11D45}'
            | '\u{11D97}'
            | '\u{11F41}'
            | '\u{11F42}'
    )
}
