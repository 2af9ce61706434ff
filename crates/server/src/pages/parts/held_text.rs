//! Where a text is that a turn had.

use ctxpin_model::held_text::HeldText;

/// Returns the path of a text that a turn had.
pub(crate) fn text_path(turn: &str, held: &HeldText) -> String {
    format!("{turn}/texts/{}/{}", held.id(), held.content.hex())
}

/// Returns which pin or head has a text, in words.
pub(crate) fn holder(held: &HeldText) -> String {
    match (held.pin, held.head) {
        (Some(pin), _) => format!("pin {pin}"),
        (None, Some(head)) => format!("head {head} of the workspace"),
        (None, None) => "nothing".to_owned(),
    }
}
