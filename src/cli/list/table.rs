//! `list` for people: columns that fit the terminal.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use crate::cli::columns::{self, Color, Column, Row};
use crate::cli::terminal::Terminal;
use crate::core::inventory::TokenView;
use crate::core::lead::Band;
use crate::core::token::{Expiry, State};
use crate::exposition::Labels;
use crate::pages::display::DUE_FOR_ROTATION;
use crate::pages::humanize::{duration, relative, rfc3339};

/// The number of the column that a narrow terminal does without.
const KIND: usize = 1;
/// The number of the column that a narrow terminal shows as a date.
const EXPIRES: usize = 4;
/// The length of a date.
const DATE: usize = "2027-01-31".len();

pub(in crate::cli) fn table(views: &[TokenView<'_>], labels: Labels, terminal: Terminal, now: DateTime<Utc>) -> String {
    let column = |header, may_be_cut| Column { header, may_be_cut };
    let mut columns = vec![
        column("NAME", true),
        column("KIND", true),
        column("OWNER", true),
        column("SOURCE", true),
        column("EXPIRES", false),
        column("", false),
        column("STATE", false),
    ];
    let mut rows: Vec<Row> = views.iter().map(|view| row(view, labels, now)).collect();
    let is_too_wide = |columns: &[Column], rows: &[Row]| {
        terminal.width.is_some_and(|width| columns::natural_width(columns, rows) > width)
    };
    if is_too_wide(&columns, &rows) {
        rows.iter_mut().for_each(|row| row.cells[EXPIRES].truncate(DATE));
    }
    if is_too_wide(&columns, &rows) && terminal.width.is_some_and(|width| width < 100) {
        columns.remove(KIND);
        rows.iter_mut().for_each(|row| drop(row.cells.remove(KIND)));
    }
    columns::table(&columns, &rows, terminal.width, terminal.colored)
}

fn row(view: &TokenView<'_>, labels: Labels, now: DateTime<Utc>) -> Row {
    let owner = labels.owner_name(view).or(labels.owner_email(view).map(Cow::Borrowed)).unwrap_or_default();
    let state = match (view.state, view.band) {
        (State::Active, Some(Band::Expired)) => DUE_FOR_ROTATION,
        (State::Active, Some(band)) => band.label(),
        (state, _) => state.label(),
    };
    let cells = vec![
        view.token.name.to_string(),
        view.token.kind.to_string(),
        owner.into_owned(),
        view.source.to_owned(),
        view.expires.timestamp().map(rfc3339).unwrap_or_default(),
        time_left(view.expires, now),
        state.to_owned(),
    ];
    Row { cells, color: color(view) }
}

fn time_left(expires: Expiry, now: DateTime<Utc>) -> String {
    match expires {
        Expiry::Policy(at) if at <= now => format!("{} overdue", duration(now - at)),
        Expiry::At(at) | Expiry::Policy(at) => relative(at, now),
        expires => expires.label().to_owned(),
    }
}

/// As urgent as its band.
pub(in crate::cli) fn color(view: &TokenView<'_>) -> Option<Color> {
    match (view.band, view.state) {
        (Some(Band::Warning), _) => Some(Color::Yellow),
        (Some(Band::Critical | Band::Expired), _) | (None, State::Expired) => Some(Color::Red),
        (None, _) => None,
    }
}
