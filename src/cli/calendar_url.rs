//! `calendar-url`: the URL of a calendar, with its key.

use super::args::CalendarUrlArgs;
use super::exit::{Exit, Failure, invalid};
use super::print;
use crate::pages::calendar_key::CalendarKey;
use crate::pages::path::CALENDAR;

pub(super) fn run(args: &CalendarUrlArgs) -> Result<Exit, Failure> {
    let filter = args.filter.filter(&args.sources)?;
    let key = CalendarKey::load(&args.key_file)?;
    let unread = || invalid("--web.calendar-key-file", "cannot be read");
    let query = key.query(&filter).ok_or_else(unread)?;
    print::output(&format!("{}{CALENDAR}?{query}\n", args.url))?;
    Ok(Exit::Success)
}
