//! `calendar-url`: the URL of a calendar, with its key.

use super::args::CalendarUrlArgs;
use super::exit::{Exit, Failure, invalid};
use super::print;
use crate::core::web_url::web_url;
use crate::pages::calendar_key::CalendarKey;
use crate::pages::path::CALENDAR;

pub(super) fn run(args: &CalendarUrlArgs) -> Result<Exit, Failure> {
    let filter = args.filter.filter(&args.sources)?;
    let key = CalendarKey::load(&args.key_file)?;
    let mut url = web_url(&args.url)
        .filter(|url| url.query().is_none() && url.fragment().is_none())
        .ok_or_else(|| invalid("--web.external-url", "expected a URL such as `https://example.com/tokens/`"))?;
    let path = format!("{}{CALENDAR}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    let unread = || invalid("--web.calendar-key-file", "cannot be read");
    url.set_query(Some(&key.query(&filter).ok_or_else(unread)?));
    print::output(&format!("{url}\n"))?;
    Ok(Exit::Success)
}
