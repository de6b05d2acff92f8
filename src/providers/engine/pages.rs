//! One request with all its pages: each answer is judged, read and cut into rows.

use tokio::task::yield_now;

use super::build_request;
use super::context::{CollectContext, TURN};
use super::next_page;
use super::next_page::{PageResponse, PageState};
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::MalformedRow;
use crate::core::sanitize::{is_unsafe_char, truncate};
use crate::http::client;
use crate::http::page_guard::SeenPages;
use crate::providers::language::expression::{Expression, Val, Variables};
use crate::providers::language::provider::{Request, Rows};
use crate::providers::language::template_vars::TemplateVars;
use crate::providers::language::value;

/// The most rows of one walk through pages: as many as the most pages have where each has a hundred. What pages bring is held
/// until the last has come.
const MOST_ROWS: u64 = 1_000_000;

/// One page of an answer.
pub(super) struct Page {
    /// The whole answer.
    pub(super) body: Val,
    /// What expressions see of it.
    pub(super) variables: Variables,
    /// What `take` has made of the rows, each with the position of its row.
    pub(super) taken: Vec<(u64, Val)>,
    /// Rows that `take` could not read.
    pub(super) odd: Vec<MalformedRow>,
}

/// A walk through the pages of one request.
pub(super) struct Pages<'r> {
    round: &'r CollectContext<'r>,
    request: &'r Request,
    names: Vec<Val>,
    first: client::Request,
    upcoming: Option<Result<client::Request, Failure>>,
    position: PageState,
    trail: SeenPages,
    /// Rows on the pages before.
    before: u64,
}

impl<'r> CollectContext<'r> {
    /// The pages of a request, to be asked one after the other.
    ///
    /// # Errors
    /// Where no request can be made of these names.
    pub(super) fn pages(&'r self, request: &'r Request, names: TemplateVars<'_>) -> Result<Pages<'r>, Failure> {
        let composed = build_request::compose(request, &self.provider.headers, &names)?;
        let first = next_page::first(request.next.as_ref(), &composed);
        Ok(Pages {
            round: self,
            request,
            names: names.named.iter().map(|named| named.value.clone()).collect(),
            upcoming: Some(Ok(first.clone())),
            first,
            position: PageState::default(),
            trail: SeenPages::default(),
            before: 0,
        })
    }

    /// The one answer, or the first page, of a request; none where it means that there is nothing.
    ///
    /// # Errors
    /// Where there is no answer, or it is none that the definition can read.
    pub(super) async fn answer(
        &'r self,
        request: &'r Request,
        names: TemplateVars<'_>,
    ) -> Result<Option<Page>, Failure> {
        self.pages(request, names)?.next().await
    }
}

impl Pages<'_> {
    /// The next page; none after the last, and where the answer means that there is nothing.
    ///
    /// # Errors
    /// Where there is no answer, or it is none that the definition can read, or pages do not end.
    pub(super) async fn next(&mut self) -> Result<Option<Page>, Failure> {
        let Some(request) = self.upcoming.take().transpose()? else { return Ok(None) };
        let named = |failure: Failure| Failure { what: format!("{}: {}", title(&request), failure.what), ..failure };
        self.trail.step(&next_page::identity(&request, self.request.next.as_ref())).map_err(named)?;
        let reply = self.round.session.send(&request).await?;
        let mut variables = self.variables(&reply);
        let Some(body) = self.judge(&request, &reply, &mut variables)? else { return Ok(None) };
        let rows = rows(&self.request.rows, &variables, &body)
            .map_err(|what| Failure::new(Reason::Decode, format!("{}: {what}", title(&request))))?;
        within_limit(self.before + rows.len() as u64).map_err(named)?;
        variables.rows = Val::from(rows.len());
        let answered = PageResponse {
            url: &reply.url,
            headers: &reply.headers,
            body: &body,
            variables: &variables,
            rows: rows.len() as u64,
        };
        let onward = self.position.onward(self.request.next.as_ref(), &self.first, &answered);
        self.upcoming = onward.map_err(named).transpose();
        let (taken, odd) = self.take(rows, &variables).await;
        Ok(Some(Page { body, variables, taken, odd }))
    }

    fn variables(&self, reply: &client::Reply) -> Variables {
        Variables {
            settings: self.round.settings.clone(),
            maps: self.round.tables.swept(),
            headers: headers(&reply.headers),
            status: Val::from(usize::from(reply.status)),
            names: self.names.clone(),
            ..Variables::default()
        }
    }

    /// The answer; none where it means that there is nothing.
    fn judge(
        &self,
        request: &client::Request,
        reply: &client::Reply,
        variables: &mut Variables,
    ) -> Result<Option<Val>, Failure> {
        let body = value::decode(&reply.body);
        variables.body = body.clone().unwrap_or_default();
        if self.request.none.iter().any(|nothing| nothing.is(reply.status, variables)) {
            return Ok(None);
        }
        let refused = |reason: Reason, what: &str| Failure {
            provider_message: body.as_ref().and_then(|_| self.words(variables)),
            ..Failure::new(reason, format!("{}: {what}", title(request)))
        };
        if let Some(reason) = reply.refusal() {
            return Err(refused(reason, &format!("{} after {}", reply.status, attempts(reply.attempts))));
        }
        if value::has_too_many(&reply.body) {
            let what = format!("the answer has more than {} values", value::MOST_VALUES);
            return Err(refused(Reason::TooLarge, &what));
        }
        let Some(body) = &body else {
            return Err(Failure::new(Reason::Decode, format!("{}: {}", title(request), no_json(&reply.headers))));
        };
        if self.request.failed.as_ref().is_some_and(|failed| failed.truth(variables, body.clone())) {
            let what = format!("{}, but the definition's `failed` is true of the answer", reply.status);
            return Err(refused(Reason::Decode, &what));
        }
        Ok(Some(body.clone()))
    }

    /// The provider's own words on a refusal.
    fn words(&self, variables: &Variables) -> Option<String> {
        words(self.round.provider.error.as_ref(), variables).filter(|words| !self.round.session.betrays(words))
    }

    async fn take(&mut self, rows: Vec<Val>, variables: &Variables) -> (Vec<(u64, Val)>, Vec<MalformedRow>) {
        let (mut taken, mut odd) = (Vec::with_capacity(rows.len()), Vec::new());
        for (number, row) in rows.into_iter().enumerate() {
            self.before += 1;
            let position = self.before;
            match &self.request.take {
                None => taken.push((position, row)),
                Some(take) => match take.run(variables, row) {
                    Ok(values) => taken.extend(values.into_iter().map(|value| (position, value))),
                    Err(_) => odd.push(MalformedRow { position, id: None, field: "take" }),
                },
            }
            if number % TURN == TURN - 1 {
                yield_now().await;
            }
        }
        (taken, odd)
    }
}

/// Whether a walk may have so many rows.
fn within_limit(rows: u64) -> Result<(), Failure> {
    if rows <= MOST_ROWS {
        return Ok(());
    }
    Err(Failure::new(Reason::TooLarge, format!("the listing has not ended after {MOST_ROWS} rows")))
}

/// What a message calls a request. The query stays out: what it holds can be long, and stands in the definition.
pub(super) fn title(request: &client::Request) -> String {
    format!("{} {}{}", request.method, request.url.origin().ascii_serialization(), truncate(request.url.path()))
}

pub(super) fn attempts(count: u32) -> String {
    if count == 1 { "1 attempt".to_owned() } else { format!("{count} attempts") }
}

/// The provider's own words, if the definition's `error` finds a text: on one line, and cut where they get long.
pub(super) fn words(error: Option<&Expression>, variables: &Variables) -> Option<String> {
    let found = error?.first(variables, variables.body.clone()).ok()??;
    let Val::TStr(bytes) = found else { return None };
    let text = String::from_utf8_lossy(&bytes).replace(is_unsafe_char, " ");
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(truncate(&line)).filter(|line| !line.is_empty())
}

fn rows(rows: &Rows, variables: &Variables, body: &Val) -> Result<Vec<Val>, &'static str> {
    match rows {
        Rows::Whole => Ok(vec![body.clone()]),
        Rows::List(list) => match list.first(variables, body.clone()) {
            Ok(Some(Val::Arr(list))) => Ok(std::sync::Arc::unwrap_or_clone(list)),
            _ => Err("the answer has no list where the definition's `rows` looks for it"),
        },
        Rows::One(one) => match one.first(variables, body.clone()) {
            Ok(Some(object @ Val::Obj(_))) => Ok(vec![object]),
            _ => Err("the answer has no object where the definition's `row` looks for it"),
        },
    }
}

fn no_json(headers: &http::HeaderMap) -> String {
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "" => "answered something that is not JSON".to_owned(),
        "text/html" => "answered text/html, not JSON: perhaps a login page".to_owned(),
        json if json.ends_with("json") => "answered JSON that cannot be read".to_owned(),
        other => format!("answered {other}, not JSON"),
    }
}

/// The answer's headers, their names in lower case; those that come several times, as one.
fn headers(headers: &http::HeaderMap) -> Val {
    value::object(headers.keys().map(|name| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (value::val(name.as_str()), value::val(&values.join(", ")))
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_end() {
        assert_eq!(within_limit(MOST_ROWS), Ok(()));
        let failure = within_limit(MOST_ROWS + 1).unwrap_err();
        assert_eq!(
            (failure.reason, failure.what.as_str()),
            (Reason::TooLarge, "the listing has not ended after 1000000 rows")
        );
    }
}
