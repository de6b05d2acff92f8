//! Columns that fit a terminal: one line per row, colours, long cells cut.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::core::sanitize::replace_unsafe;

/// A column becomes no narrower than this.
const MIN_WIDTH: usize = 8;
/// The first column, which identifies the row, is not cut while another is wider than this.
const READABLE: usize = 16;
/// Between two columns.
const GAP: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Color {
    Red,
    Yellow,
    Bold,
}

impl Color {
    /// The text in this colour.
    pub(super) fn paint(self, text: &str) -> String {
        let code = match self {
            Self::Red => 31,
            Self::Yellow => 33,
            Self::Bold => 1,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// A column: its header, and whether its cells may be cut.
pub(super) struct Column {
    pub(super) header: &'static str,
    pub(super) may_be_cut: bool,
}

/// A row: its cells, and the colour of the last one.
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    pub(super) color: Option<Color>,
}

/// The width of the columns, side by side, uncut.
pub(super) fn natural_width(columns: &[Column], rows: &[Row]) -> usize {
    let widths = widths(columns, rows);
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

fn widths(columns: &[Column], rows: &[Row]) -> Vec<usize> {
    let of_column = |(number, column): (usize, &Column)| {
        let cells = rows.iter().filter_map(|row| row.cells.get(number));
        cells.map(|cell| replace_unsafe(cell, &[]).width()).chain([column.header.width()]).max().unwrap_or_default()
    };
    columns.iter().enumerate().map(of_column).collect()
}

/// The table. With a width, the widest of the columns that may be cut become narrower until it fits; the first one comes last.
pub(super) fn table(columns: &[Column], rows: &[Row], width: Option<usize>, colored: bool) -> String {
    let mut widths = widths(columns, rows);
    let mut excess = width.map_or(0, |width| natural_width(columns, rows).saturating_sub(width));
    while excess > 0 {
        let widest_from = |first: usize, more_than: usize| {
            let wide = (first..widths.len()).filter(|at| columns[*at].may_be_cut && widths[*at] > more_than);
            wide.max_by_key(|at| widths[*at])
        };
        let Some(widest) = widest_from(1, READABLE).or_else(|| widest_from(0, MIN_WIDTH)) else { break };
        widths[widest] -= 1;
        excess -= 1;
    }
    let headers: Vec<String> = columns.iter().map(|column| column.header.to_owned()).collect();
    let mut text = line(&headers, &widths, colored.then_some(Color::Bold), true);
    for row in rows {
        text += &line(&row.cells, &widths, row.color.filter(|_| colored), false);
    }
    text
}

/// A line; the colour is that of the last cell, or of all.
fn line(cells: &[String], widths: &[usize], color: Option<Color>, all: bool) -> String {
    let last = cells.len().saturating_sub(1);
    let mut text = String::new();
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        // A provider's texts must not reach the terminal as commands, and a line break would start another row.
        let cell = cut(&replace_unsafe(cell, &[]), *width);
        let padding = " ".repeat(if at == last { 0 } else { width - cell.width() + GAP });
        let painted = color.filter(|_| (all || at == last) && !cell.is_empty()).map(|color| color.paint(&cell));
        text += &painted.unwrap_or(cell);
        text += &padding;
    }
    format!("{}\n", text.trim_end())
}

/// The text, or as much of it as fits with an ellipsis.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if short.width() + c.width().unwrap_or_default() >= width {
            break;
        }
        short.push(c);
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column { header: "NAME", may_be_cut: true },
        Column { header: "OWNER", may_be_cut: true },
        Column { header: "STATE", may_be_cut: false },
    ];

    fn row(name: &str, owner: &str) -> Row {
        Row { cells: vec![name.into(), owner.into(), "critical".into()], color: Some(Color::Red) }
    }

    #[test]
    fn table_cuts_the_widest_column_until_it_fits() {
        let rows = [row("a-token-with-a-very-long-name", "Jane"), row("名前の長いトークンです", "Platform Team")];
        let text = table(&COLUMNS, &rows, Some(40), false);
        assert_eq!(
            text,
            "NAME             OWNER          STATE\na-token-with-a…  Jane           critical\n\
             名前の長いトー…  Platform Team  critical\n"
        );
        assert!(text.lines().all(|line| line.width() <= 40), "{text}");
        assert_eq!(table(&COLUMNS, &rows, None, false).lines().next().map(str::trim_end).map(str::len), Some(51));
    }

    #[test]
    fn first_column_is_cut_last() {
        let rows = [row("access token of meridian/fleet-firmware", "Platform Engineering, Oslo")];
        let text = table(&COLUMNS, &rows, Some(68), false);
        assert!(text.contains("access token of meridian/fleet-firmware  Platform Enginee…  critical"), "{text}");
    }

    #[test]
    fn table_never_becomes_narrower_than_readable_columns() {
        let text = table(&COLUMNS, &[row("a-token-with-a-long-name", "Platform Team")], Some(10), false);
        assert!(text.contains("a-token…  Platfor…  critical"), "{text}");
    }

    #[test]
    fn colour_is_that_of_the_state_and_names_cannot_bring_their_own() {
        let text = table(&COLUMNS, &[row("x\u{1b}[2J\ny", "Jane")], None, true);
        assert!(text.contains("\u{1b}[31mcritical\u{1b}[0m\n"), "{text}");
        assert_eq!(text.matches("[2J").count(), 1);
        assert!(!text.contains("\u{1b}[2J") && text.lines().count() == 2, "{text}");
    }
}
