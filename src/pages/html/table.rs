//! Tables that become cards on a phone.

use maud::{Markup, html};

/// A column.
pub(super) struct Column {
    label: &'static str,
    class: &'static str,
    sort: Option<SortLink>,
}

/// A link that sorts by a column.
pub(super) struct SortLink {
    pub(super) href: String,
    /// The present order, if it is by this column: `ascending` or `descending`.
    pub(super) order: Option<&'static str>,
}

impl Column {
    pub(super) const fn text(label: &'static str) -> Self {
        Self { label, class: "", sort: None }
    }

    /// Aligned to the right.
    pub(super) const fn number(label: &'static str) -> Self {
        Self { label, class: "number", sort: None }
    }

    pub(super) fn sorted_by(self, sort: SortLink) -> Self {
        Self { sort: Some(sort), ..self }
    }
}

/// A table; the first cell of each row is its header. The roles are stated because a style that makes cards of the rows would
/// remove them: <https://www.w3.org/TR/html-aria/#el-table>.
pub(super) fn table(caption: &Markup, columns: &[Column], rows: impl IntoIterator<Item = Vec<Markup>>) -> Markup {
    html! {
        table role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" {
                    @for column in columns { (header(column)) }
                }
            }
            tbody role="rowgroup" {
                @for row in rows {
                    tr role="row" {
                        @for (number, (column, cell)) in columns.iter().zip(row).enumerate() {
                            @if number == 0 {
                                th role="rowheader" scope="row" { (cell) }
                            } @else {
                                td.(column.class) role="cell" data-label=(column.label) { (cell) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn header(column: &Column) -> Markup {
    let order = column.sort.as_ref().and_then(|sort| sort.order);
    html! {
        th.(column.class) role="columnheader" scope="col" aria-sort=[order] {
            @match &column.sort {
                Some(sort) => a href=(sort.href) {
                    (column.label)
                    span.order aria-hidden="true" { (order.map_or("", |order| if order == "ascending" { " ▲" } else { " ▼" })) }
                },
                None => (column.label),
            }
        }
    }
}
