//! The renderers. The bytes of each number never change.

/// A version of the rendering. The server stores prompts by context hash and this number, and a pin names
/// the renderer of its prompt.
///
/// A change that gives other bytes for any snapshot is a new renderer. The old one stays, because pins
/// name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Renderer {
    /// Removes all comments, even those in code, and escapes lines that begin with `Source:`.
    First,
    /// Reads Markdown and keeps code.
    Second,
}

impl Renderer {
    /// All renderers, the oldest first.
    pub const ALL: [Self; 2] = [Self::First, Self::Second];

    /// The renderer of new pins.
    pub const CURRENT: Self = Self::Second;

    /// Returns the number that the server stores.
    pub fn number(self) -> i64 {
        match self {
            Self::First => 1,
            Self::Second => 2,
        }
    }

    /// Returns the renderer of a number. Returns `None` for a number of a later release.
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|renderer| renderer.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::Renderer;

    #[test]
    fn numbers_are_for_ever() {
        let numbers = Renderer::ALL.map(Renderer::number);
        assert_eq!(numbers, [1, 2]);
        for renderer in Renderer::ALL {
            assert_eq!(Renderer::of_number(renderer.number()), Some(renderer));
        }
        assert_eq!(Renderer::of_number(3), None);
        assert_eq!(Renderer::CURRENT, Renderer::ALL[1]);
    }
}
