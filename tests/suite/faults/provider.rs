//! Four correct providers: pages by `Link` header, by cursor, by offset within a fan-out, and by a URL in the response.

use serde_json::{Value, json};
use url::Url;

/// The credential of all sources. It must appear only in requests to its provider.
pub(super) const CREDENTIAL: &str = "DO-NOT-LEAK-THE-CREDENTIAL";

/// A provider with the URL of the next page in the response: no built-in definition has that.
pub(super) const PLAIN: &str = "
format: 1
provider: plain
title: Plain
docs: https://plain.example/docs
expiry: a timestamp
permission: any
settings: {url: {type: url, help: the address}}
auth: bearer
listings:
  - name: tokens
    kind: token
    get: /tokens
    next: {url: .next}
    rows: .tokens
    token: {id: .id, name: .name, expires_at: .expires_at}
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    Gitlab,
    Atlassian,
    Bitbucket,
    Plain,
}

/// The part of a listing that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Not the list of tokens.
    Other,
    FirstPage,
    NextPage,
}

/// The sequence of the pages of a list of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Paging {
    Correct,
    /// The second page is followed by itself.
    Loop,
    /// Each page is followed by another, with other tokens.
    Endless,
    /// The first page says that there is more, but not where.
    CutOff,
    /// Each page has the tokens of the first one.
    Ignored,
    /// A token of the first page is removed while the list is read, so that one is on neither page.
    Shrinking,
    /// The second page has a link under this URL, as from a server behind a reverse proxy.
    ForeignOrigin(String),
}

#[derive(Clone, Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn new(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { status, headers, body: body.into() }
    }

    pub(super) fn json(body: &Value) -> Self {
        Self::new(200, &[("Content-Type", "application/json")], body.to_string())
    }
}

/// The number of tokens on the first and on the second page of each list.
const PAGES: [u64; 2] = [4, 2];

impl Provider {
    /// The providers that faults are tested with.
    pub(super) const ALL: [Self; 3] = [Self::Gitlab, Self::Atlassian, Self::Bitbucket];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gitlab => "gitlab",
            Self::Atlassian => "atlassian-cloud",
            Self::Bitbucket => "bitbucket-data-center",
            Self::Plain => "plain",
        }
    }

    /// Settings of the source.
    pub(super) fn settings(self) -> &'static str {
        match self {
            Self::Gitlab => "admin: true, listings: [instance]",
            Self::Atlassian => "org_id: o, listings: [api-tokens]",
            Self::Bitbucket => "username: admin, listings: [user]",
            Self::Plain => "listings: [tokens]",
        }
    }

    pub(super) fn tokens(self, users: u64) -> u64 {
        match self {
            Self::Bitbucket => PAGES[0] + PAGES[1] + users - 1,
            _ => PAGES[0] + PAGES[1],
        }
    }

    /// Whether a request's head carries the credential.
    pub(super) fn accepts(self, head: &str) -> bool {
        let head = head.to_ascii_lowercase();
        let credential = CREDENTIAL.to_ascii_lowercase();
        match self {
            Self::Gitlab => head.contains(&format!("private-token: {credential}")),
            Self::Bitbucket => head.contains("authorization: basic "),
            Self::Atlassian | Self::Plain => head.contains(&format!("authorization: bearer {credential}")),
        }
    }

    pub(super) fn part(self, target: &str) -> Part {
        let list = match self {
            Self::Gitlab => "/api/v4/personal_access_tokens?",
            Self::Atlassian => "/admin/api-access/v1/orgs/o/api-tokens?",
            Self::Bitbucket => "/rest/access-tokens/latest/users/",
            Self::Plain => "/tokens",
        };
        if !target.starts_with(list) {
            Part::Other
        } else if page(target) > 1 {
            Part::NextPage
        } else {
            Part::FirstPage
        }
    }

    /// The response to `GET target` at `origin`.
    pub(super) fn respond(self, target: &str, origin: &str, paging: &Paging, users: u64) -> Response {
        match (self, self.part(target)) {
            (Self::Bitbucket, Part::Other) => {
                let users: Vec<_> = (1..=users).map(|user| json!({"slug": format!("u{user}"), "name": "x"})).collect();
                Response::json(&json!({"isLastPage": true, "values": users}))
            }
            (Self::Gitlab, Part::Other) if target.contains("/users") => {
                Response::json(&json!([{"id": 1, "username": "ada"}]))
            }
            (Self::Gitlab, Part::Other) if target.ends_with("/self") => {
                Response::json(&json!({"expires_at": "2099-01-01"}))
            }
            (_, Part::Other) => Response::json(&json!([])),
            (Self::Bitbucket, _) if !target.contains("/users/u1?") => {
                let id = target.split(['/', '?']).find(|part| part.starts_with('u') && *part != "users");
                Response::json(&json!({"isLastPage": true, "values": [{"id": id, "name": "one"}]}))
            }
            _ => self.list(page(target), origin, paging),
        }
    }

    /// A page of the list of tokens.
    fn list(self, page: u64, origin: &str, paging: &Paging) -> Response {
        let skipped = u64::from(*paging == Paging::Shrinking && page == 2);
        let ids = match page {
            _ if *paging == Paging::Ignored => 1..=PAGES[0],
            1 => 1..=PAGES[0],
            2 => PAGES[0] + 1 + skipped..=PAGES[0] + PAGES[1],
            page => page * 10..=page * 10 + 1,
        };
        let next = match paging {
            Paging::Loop => Some(2),
            Paging::Endless | Paging::Ignored => Some(page + 1),
            Paging::CutOff => None,
            _ => (page == 1).then_some(2),
        };
        let origin = match paging {
            Paging::ForeignOrigin(other) => other,
            _ => origin,
        };
        let rows: Vec<_> = ids.map(|id| self.row(id)).collect();
        match self {
            Self::Gitlab => {
                let mut response = Response::json(&json!(rows));
                let link = |next| format!("<{origin}/api/v4/personal_access_tokens?page={next}>; rel=\"next\"");
                response.headers.extend(next.map(|next| ("Link".to_owned(), link(next))));
                let total = (*paging == Paging::CutOff).then(|| (PAGES[0] + PAGES[1]).to_string());
                response.headers.extend(total.map(|total| ("X-Total".to_owned(), total)));
                response
            }
            Self::Atlassian => {
                Response::json(&json!({"data": rows, "links": {"next": next.map(|next| format!("c{next}"))}}))
            }
            Self::Bitbucket => {
                let is_last = next.is_none() && *paging != Paging::CutOff;
                Response::json(&json!({"isLastPage": is_last, "nextPageStart": next, "values": rows}))
            }
            Self::Plain => {
                let next = next.map(|next| format!("{origin}/tokens?page={next}"));
                Response::json(
                    &json!({"tokens": rows, "next": next, "has_more": next.is_some() || *paging == Paging::CutOff}),
                )
            }
        }
    }

    fn row(self, id: u64) -> Value {
        let name = format!("token-{id}");
        match self {
            Self::Gitlab => json!({"id": id, "name": name, "user_id": 1, "expires_at": "2099-12-31", "scopes": []}),
            Self::Atlassian => json!({"id": format!("t{id}"), "label": name, "expiresAt": "2099-12-31T00:00:00Z"}),
            Self::Bitbucket => json!({"id": id.to_string(), "name": name, "expiryDate": 4_102_444_800_000_u64}),
            Self::Plain => json!({"id": id, "name": name, "expires_at": "2099-12-31T00:00:00Z"}),
        }
    }
}

/// The page number of a request.
fn page(target: &str) -> u64 {
    let url = Url::parse("http://h").unwrap().join(target).unwrap();
    let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let page = value("page").or_else(|| value("start")).or_else(|| value("cursor"));
    page.map_or(1, |page| page.trim_start_matches('c').parse().unwrap())
}
