//! How much of a long text and of a long list a page shows. A browser lays both out before it shows anything.

/// The most bytes of a text that a page shows. A link leads to all of it.
pub(crate) const TEXT_BYTES_MAX: usize = 128 * 1024;

/// The room of a page for a text that comes in pieces.
pub(crate) struct TextRoom {
    left: usize,
    is_cut: bool,
}

impl TextRoom {
    pub fn new() -> Self {
        Self {
            left: TEXT_BYTES_MAX,
            is_cut: false,
        }
    }

    /// Returns as much of the next piece as fits. Nothing fits after a piece that was cut.
    pub fn take<'t>(&mut self, piece: &'t str) -> &'t str {
        let fits = match self.is_cut {
            true => 0,
            false => piece.floor_char_boundary(self.left),
        };
        self.is_cut |= fits < piece.len();
        self.left -= fits;
        &piece[..fits]
    }

    /// Returns whether a piece was cut.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

/// The most items of a list that a page shows whole. A snapshot uses as many resources.
pub(crate) const ITEMS_MAX: usize = 1_000;

/// The most bytes of the texts of a list. A page has each text several times, and escapes it.
const LIST_BYTES_MAX: usize = 80 * 1024;

/// The room of a page for a list of what a workspace has.
pub(crate) struct ListRoom {
    items: usize,
    bytes: usize,
}

impl ListRoom {
    pub fn new(items_max: usize) -> Self {
        Self {
            items: items_max,
            bytes: LIST_BYTES_MAX,
        }
    }

    /// Takes the room of the next item, whose texts have that many bytes. Returns `false` if the item does not fit, and
    /// for each item after it.
    pub fn takes(&mut self, bytes: usize) -> bool {
        let left = self.items.checked_sub(1).zip(self.bytes.checked_sub(bytes));
        (self.items, self.bytes) = left.unwrap_or((0, 0));
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_with_the_first_item_that_does_not_fit() {
        let check = |items_max, sizes: &[usize], expected: &[bool]| {
            let mut room = ListRoom::new(items_max);
            let taken: Vec<_> = sizes.iter().map(|size| room.takes(*size)).collect();
            assert_eq!(taken, expected, "{sizes:?}");
        };
        check(2, &[1, 0, 0], &[true, true, false]);
        check(9, &[LIST_BYTES_MAX, 0, 1, 0], &[true, true, false, false]);
    }

    #[test]
    fn what_does_not_fit_is_cut_between_characters() {
        let mut room = TextRoom::new();
        assert_eq!(room.take("äöü"), "äöü");
        let long = "ä".repeat(TEXT_BYTES_MAX);
        assert_eq!(room.take(&long).len(), TEXT_BYTES_MAX - 6);
        assert!(room.is_cut());
        assert_eq!(room.take("x"), "");

        let mut room = TextRoom::new();
        assert_eq!(room.take(&long[..TEXT_BYTES_MAX]).len(), TEXT_BYTES_MAX);
        assert_eq!(room.take(""), "");
        assert!(!room.is_cut());
        assert_eq!(room.take("x"), "");
        assert!(room.is_cut());
    }
}
