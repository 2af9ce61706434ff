//! The words of an enum as the choices of a form.

/// A word to choose.
pub(crate) struct WordChoice {
    /// The word that the form sends.
    pub word: &'static str,
    /// What it means to a person.
    pub words: &'static str,
    pub is_chosen: bool,
}
