//! One request with all its pages: each response is checked, decoded and split into rows.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use tokio::task::yield_now;
use url::Url;

use super::build_request::{build_request, join_url};
use super::messages::{describe, headers_object, undecodable};
use super::next_page::{NextPage, PageResponse, PageState, first_request, page_key};
use super::page_limit::PagePermit;
use super::session::Session;
use super::stated_reason::{Expected, any_reason, stated_reason};
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::{MalformedRow, RowCounts};
use crate::http::client;
use crate::http::page_guard::SeenPages;
use crate::providers::language::expression::{Val, Variables};
use crate::providers::language::provider::{Request, Rows};
use crate::providers::language::template_vars::TemplateVars;
use crate::providers::language::value;

/// The most rows of one request: 100 on each of the most pages. They are held in memory until the last page.
const MAX_ROWS: u64 = 1_000_000;

/// The number of rows, or of cached scopes, after which a task yields to others.
pub(super) const YIELD_EVERY: usize = 256;

/// The usual names of the query parameter with the page size.
const PAGE_SIZES: &str =
    "limit per_page perPage page_size pageSize pagelen size count max maxResults max_results first top $top";

/// One page.
pub(super) struct Page {
    /// The whole response.
    pub(super) body: Val,
    /// The variables of expressions on it.
    pub(super) variables: Variables,
    /// The rows, or what `take` made of them, each with the position of its row.
    pub(super) items: Vec<(u64, Val)>,
    /// Rows on which `take` failed.
    pub(super) malformed: Vec<MalformedRow>,
    pub(super) rows: RowCounts,
    /// Dropped with the page, or before another request is waited for.
    pub(super) permit: PagePermit,
}

/// The pages of one request, as a stream.
pub(super) struct Pages<'r> {
    session: &'r Session<'r>,
    request: &'r Request,
    /// The variables of every page.
    variables: Variables,
    /// The configured base URL.
    base: Url,
    first: client::Request,
    upcoming: Option<Result<NextPage, Failure>>,
    state: PageState,
    seen: SeenPages,
    repetition: Repetition,
    /// Whether the response that failed means that there is nothing, if the same request succeeds for others.
    pub(super) may_be_gone: bool,
    /// Rows on the pages so far.
    rows: u64,
    /// The number of further pages that may be requested.
    remaining: u64,
    /// The length of the longest list in a successful response that means that there is nothing.
    unused_list: Option<u64>,
}

impl<'r> Pages<'r> {
    /// `maps` is the value of `$maps`.
    ///
    /// # Errors
    /// If no request can be built from these variables.
    pub(super) fn new(
        session: &'r Session<'_>,
        request: &'r Request,
        vars: TemplateVars<'_>,
        maps: Val,
    ) -> Result<Self, Failure> {
        let built = build_request(request, &session.account.provider.headers, &vars)?;
        let first = first_request(request.next.as_ref(), built);
        let names = vars.elements.iter().map(|element| element.value.clone()).collect();
        Ok(Self {
            session,
            request,
            base: join_url(&vars, &request.base, "")?,
            variables: Variables { settings: vars.settings.clone(), maps, names, ..Variables::default() },
            upcoming: Some(Ok(NextPage { request: first.clone(), is_probe: false })),
            first,
            state: PageState::default(),
            seen: SeenPages::default(),
            repetition: Repetition::default(),
            may_be_gone: false,
            rows: 0,
            remaining: u64::MAX,
            unused_list: None,
        })
    }

    /// The first pages only.
    pub(super) fn limited(self, pages: u64) -> Self {
        Self { remaining: pages, ..self }
    }

    /// The next page; `None` after the last, or if a response means that there is nothing.
    ///
    /// # Errors
    /// If there is no response, it is unreadable, or the pages exceed a limit.
    pub(super) async fn next(&mut self) -> Result<Option<Page>, Failure> {
        let Some(NextPage { request, is_probe }) = self.upcoming.take().transpose()? else { return Ok(None) };
        let described =
            |failure: Failure| Failure { what: format!("{}: {}", describe(&request), failure.what), ..failure };
        let pagination = self.request.next.as_ref();
        self.seen.visit(&page_key(&request, pagination)).map_err(described)?;
        let reply = self.session.send(&request, Expected { request: self.request, variables: &self.variables }).await?;
        let permit = self.session.account.pages.acquire().await;
        // Beyond the last page some servers return an error, others the last page once more.
        if is_probe && matches!(reply.status, 400 | 404 | 416 | 422) {
            return Ok(None);
        }
        let mut variables = self.variables.clone();
        variables.headers = headers_object(&reply.headers);
        variables.status = Val::from(usize::from(reply.status));
        let checked = check_response(self.session, self.request, &reply, &mut variables);
        self.may_be_gone |= checked.is_err() && may_be_gone(self.request, &reply, &variables);
        let body = match checked.map_err(described)? {
            Checked::Body(body) => body,
            Checked::Empty(decoded) => {
                self.unused_list = decoded.as_ref().filter(|_| reply.failure_reason().is_none()).and_then(longest_list);
                return Ok(None);
            }
        };
        let rows = rows(&self.request.rows, &variables, &body).map_err(described)?;
        variables.rows = Val::from(rows.len());
        check_row_limit(self.rows + rows.len() as u64).map_err(described)?;
        match self.repetition.check(&rows) {
            Err(_) if is_probe => return Ok(None),
            result => result.map_err(described)?,
        }
        let response = PageResponse {
            base: &self.base,
            url: &reply.url,
            headers: &reply.headers,
            body: &body,
            variables: &variables,
            rows: rows.len() as u64,
        };
        self.upcoming = self.state.next_page(self.request, &self.first, &response).map_err(described).transpose();
        self.remaining -= 1;
        let mut counts = RowCounts {
            read: rows.len() as u64,
            single_full_page: self.single_full_page(&request, rows.len() as u64),
            unused_list: if self.rows == 0 && rows.is_empty() { longest_list(&body) } else { None },
            ..RowCounts::default()
        };
        if self.remaining == 0 {
            counts.is_sample = self.upcoming.take().is_some();
        }
        let (items, malformed) = self.map_rows(rows, &variables).await;
        counts.taken = items.len() as u64;
        Ok(Some(Page { body, variables, items, malformed, rows: counts, permit }))
    }

    /// The length of a list in a response that means that there is nothing: a sign that `none` matches too much.
    pub(super) fn unused_list(&self) -> Option<u64> {
        self.unused_list
    }

    /// The page size that the request states, if this is its only page and has as many rows.
    fn single_full_page(&self, request: &client::Request, rows: u64) -> Option<u64> {
        let size = request.url.query_pairs().find(|(name, _)| PAGE_SIZES.split(' ').any(|known| known == name))?.1;
        let size = size.parse().ok().filter(|size| *size == rows && *size > 1)?;
        (self.rows == 0 && self.upcoming.is_none()).then_some(size)
    }

    async fn map_rows(&mut self, rows: Vec<Val>, variables: &Variables) -> (Vec<(u64, Val)>, Vec<MalformedRow>) {
        let (mut items, mut malformed) = (Vec::with_capacity(rows.len()), Vec::new());
        for (number, row) in rows.into_iter().enumerate() {
            self.rows += 1;
            let position = self.rows;
            match self.request.take.as_ref().map(|take| take.run(variables, row.clone())) {
                None => items.push((position, row)),
                Some(Ok(values)) => items.extend(values.into_iter().map(|value| (position, value))),
                Some(Err(_)) => malformed.push(MalformedRow { position, id: None, field: "take" }),
            }
            if number % YIELD_EVERY == YIELD_EVERY - 1 {
                yield_now().await;
            }
        }
        (items, malformed)
    }
}

/// A response that is not a failure.
pub(super) enum Checked {
    /// It means that there is nothing.
    Empty(Option<Val>),
    Body(Val),
}

/// Checks a response, and sets the body in the variables.
///
/// # Errors
/// If it is a failure, or unreadable.
pub(super) fn check_response(
    session: &Session<'_>,
    request: &Request,
    reply: &client::Response,
    variables: &mut Variables,
) -> Result<Checked, Failure> {
    let provider = &session.account.provider;
    let decoded = provider.decode(&reply.body);
    variables.body = decoded.clone().unwrap_or_default();
    let none = request.none.iter().find(|empty| empty.matches(reply.status, variables));
    if none.is_some_and(|empty| !empty.if_others_succeed) {
        return Ok(Checked::Empty(decoded));
    }
    let failure = |reason, what: String| {
        let provider_message = session.provider_message(variables, &reply.headers);
        let remedy = stated_remedy(request, variables, reason);
        let what = remedy.as_ref().map_or(what.clone(), |remedy| format!("{what}; {remedy}"));
        Err(session.with_hint(Failure { provider_message, remedy, ..Failure::new(reason, what) }))
    };
    let is_accepted = request.accepts_2xx && (200..300).contains(&reply.status);
    if let Some(reason) = reply.failure_reason().filter(|_| !is_accepted) {
        return failure(
            stated_reason(request, variables).filter(|_| reason == Reason::Internal).unwrap_or(reason),
            reply.summary(),
        );
    }
    if !provider.is_aws_query && value::has_too_many(&reply.body) {
        return failure(Reason::TooLarge, format!("response exceeds {} JSON values", value::MAX_VALUES));
    }
    let Some(body) = decoded else {
        return failure(Reason::Decode, undecodable(provider.is_aws_query, &reply.headers));
    };
    if let Some(reason) = any_reason(request, variables) {
        let what = format!("{}, but the definition's `failed` matches the response", reply.status);
        return failure(reason, what);
    }
    Ok(Checked::Body(body))
}

/// The remedy that the definition's `failed` states for a failure with this reason.
fn stated_remedy(request: &Request, variables: &Variables, reason: Reason) -> Option<String> {
    let mut stated = request.failed.iter().filter(|failed| failed.reason == reason && failed.remedy.is_some());
    stated.find(|failed| failed.condition.truth(variables, variables.body.clone()))?.remedy.clone()
}

/// Whether a response that failed means that there is nothing, if the same request succeeds for others.
fn may_be_gone(request: &Request, reply: &client::Response, variables: &Variables) -> bool {
    let none = request.none.iter().find(|empty| empty.matches(reply.status, variables));
    none.is_some_and(|empty| empty.if_others_succeed)
}

/// Recognizes a page that was read before: its request differs, but the server ignores what distinguishes it.
#[derive(Default)]
struct Repetition {
    hasher: RandomState,
    pages: u64,
    /// The hashes of the rows of the first and of the previous page: the rows may be large.
    first: Vec<u64>,
    previous: Vec<u64>,
}

impl Repetition {
    /// Adds a page.
    ///
    /// # Errors
    /// Reason `paging`, if most of its rows are those of the first or of the previous page, at the same positions. Not all of
    /// them: the requests themselves can change a field of a row, such as the time of its last use.
    fn check(&mut self, rows: &[Val]) -> Result<(), Failure> {
        let hashes: Vec<u64> = rows.iter().map(|row| self.hasher.hash_one(row)).collect();
        self.pages += 1;
        for (number, earlier) in [(1, &self.first), (self.pages.saturating_sub(1), &self.previous)] {
            let same = hashes.iter().zip(earlier).filter(|(one, other)| one == other).count();
            if same * 2 > hashes.len().max(earlier.len()) {
                let what = format!(
                    "page {} repeats the rows of page {number}: the server ignores the paging parameter; correct `next`",
                    self.pages
                );
                return Err(Failure::new(Reason::Paging, what));
            }
        }
        if self.pages == 1 {
            self.first.clone_from(&hashes);
        }
        self.previous = hashes;
        Ok(())
    }
}

fn check_row_limit(rows: u64) -> Result<(), Failure> {
    if rows <= MAX_ROWS {
        return Ok(());
    }
    Err(Failure::new(Reason::TooLarge, format!("listing exceeds {MAX_ROWS} rows")))
}

fn rows(rows: &Rows, variables: &Variables, body: &Val) -> Result<Vec<Val>, Failure> {
    let (expression, key, expected) = match rows {
        Rows::Whole => return Ok(vec![body.clone()]),
        Rows::List(list) => (list, "rows", "a list"),
        Rows::One(one) => (one, "row", "an object"),
    };
    let found = match (rows, expression.first(variables, body.clone())) {
        (Rows::List(_), Ok(Some(Val::Arr(list)))) => return Ok(Arc::unwrap_or_clone(list)),
        (Rows::One(_), Ok(Some(object @ Val::Obj(_)))) => return Ok(vec![object]),
        (_, Ok(found)) => found.as_ref().map_or("nothing", value::kind),
        (_, Err(_)) => "an error",
    };
    let what = format!("the definition's `{key}` yields {found} for this response; expected {expected}");
    Err(Failure::new(Reason::Decode, what))
}

/// The length of the longest list with elements in a response, at most three levels deep.
fn longest_list(body: &Val) -> Option<u64> {
    fn visit(value: &Val, depth: u8) -> u64 {
        match value {
            Val::Arr(list) => list.len() as u64,
            Val::Obj(object) if depth > 0 => object.values().map(|value| visit(value, depth - 1)).max().unwrap_or(0),
            _ => 0,
        }
    }
    Some(visit(body, 3)).filter(|length| *length > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn check_row_limit_rejects_more_than_a_million_rows() {
        assert_eq!(check_row_limit(MAX_ROWS), Ok(()));
        let failure = check_row_limit(MAX_ROWS + 1).unwrap_err();
        assert_eq!((failure.reason, failure.what.as_str()), (Reason::TooLarge, "listing exceeds 1000000 rows"));
    }

    #[test]
    fn repeated_rows_are_a_failure() {
        let rows = |numbers: &[i64]| numbers.iter().map(|number| Val::from(*number as isize)).collect::<Vec<_>>();
        // The pages, and whether the last of them repeats one.
        let cases: [(&[&[i64]], bool); 12] = [
            (&[&[1, 2]], false),
            (&[&[1, 2], &[3, 4]], false),
            (&[&[1, 2], &[1, 2]], true),
            (&[&[1], &[1]], true),
            (&[&[], &[]], false),
            (&[&[1, 2, 3], &[1, 2, 9]], true),
            (&[&[1, 2, 3], &[4, 5, 6], &[1, 2, 3]], true),
            (&[&[1, 2, 3], &[4, 5, 6], &[4, 5, 6]], true),
            // A row was added or removed while the list was read.
            (&[&[1, 2, 3], &[3, 4, 5]], false),
            (&[&[1, 2, 3], &[5, 6, 7]], false),
            // Each page begins with the same row.
            (&[&[1, 2], &[1, 3]], false),
            (&[&[1, 2], &[1]], false),
        ];
        for (pages, expected) in cases {
            let mut repetition = Repetition::default();
            let (last, before) = pages.split_last().unwrap();
            before.iter().for_each(|page| repetition.check(&rows(page)).unwrap());
            let failure = repetition.check(&rows(last)).err();
            assert_eq!(failure.map(|failure| failure.reason), expected.then_some(Reason::Paging), "{pages:?}");
        }
    }
}
