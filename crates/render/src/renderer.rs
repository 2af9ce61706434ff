//! The renderers: each number stands for bytes that never change.

/// A version of the rendering. Prompts are kept by context hash and this number, and a pin names the
/// one that rendered its prompt.
///
/// A change that gives other bytes for any snapshot is a new renderer; the old one stays, for the pins
/// that name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Renderer {
    /// Took comments out wherever they stood, and escaped lines that began with `Source:`.
    First,
    /// Knows Markdown: what is code stays.
    Second,
}

impl Renderer {
    /// Every renderer, the oldest first.
    pub const ALL: [Self; 2] = [Self::First, Self::Second];

    /// The one that renders what is pinned from now on.
    pub const CURRENT: Self = Self::Second;

    /// Its number, as it is stored.
    pub fn number(self) -> i64 {
        match self {
            Self::First => 1,
            Self::Second => 2,
        }
    }

    /// The renderer of that number. `None` for one of a later release.
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
