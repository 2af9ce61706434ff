//! Tables with aligned columns and without borders.

use comfy_table::{TableStyle, presets::NOTHING};

/// A table with a heading.
pub struct Table {
    table: comfy_table::Table,
    rows: usize,
}

impl Table {
    /// Creates an empty table with a heading.
    pub fn new(heading: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        let style: TableStyle = NOTHING;
        table.load_style(style);
        table.set_header(heading.iter().map(|name| name.to_uppercase()));
        Self { table, rows: 0 }
    }

    /// Adds a row. Each cell becomes one line with control characters escaped.
    pub fn row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let cells = cells
            .into_iter()
            .map(|cell| super::line(cell.as_ref()).into_owned());
        self.table.add_row(cells.collect::<Vec<_>>());
        self.rows += 1;
    }

    /// Returns whether the table has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Returns the table as text. Each line ends with a line feed and has no trailing blanks.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in self.table.to_string().lines() {
            let line = line.strip_prefix(' ').unwrap_or(line);
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_cells_are_one_line() {
        let mut table = Table::new(&["id", "title"]);
        assert!(table.is_empty());
        table.row(["1", "é"]);
        table.row(["12345678", "a\nb"]);
        assert_eq!(
            table.text(),
            "ID        TITLE\n1         é\n12345678  a\\nb\n"
        );
    }
}
