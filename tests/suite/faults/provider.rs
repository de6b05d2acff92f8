//! Four providers while they are well: pages by `Link`, by a cursor, by a fan-out with offsets, and by a URL in the answer.

use serde_json::{Value, json};
use url::Url;

/// The credential, in all sources. It must show nowhere but at its provider.
pub(super) const CREDENTIAL: &str = "DO-NOT-LEAK-THE-CREDENTIAL";

/// A provider whose pages are named by URLs in the answers, which none of the program's own has.
pub(super) const PLAIN: &str = "
format: 1
provider: plain
title: Plain
docs: https://plain.example/docs
expiry: an instant
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

/// What of a source's tokens a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Something beside the list of tokens.
    Beside,
    /// The first page of a list of tokens.
    First,
    /// A further page of it.
    Further,
}

/// How the pages of a list of tokens hang together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Paging {
    Well,
    /// The page after the second is the second.
    Circle,
    /// After each page there is another, with other tokens.
    Endless,
    /// A token of the first page goes while the list is read, so that one falls between the pages.
    Shrinks,
    /// The second page is at another origin, which stands here.
    Elsewhere(String),
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { status, headers, body: body.into() }
    }

    pub(super) fn json(body: &Value) -> Self {
        Self::new(200, &[("Content-Type", "application/json")], body.to_string())
    }
}

/// Tokens on the first page of each list, and on the second.
const PAGES: [u64; 2] = [4, 2];

impl Provider {
    /// Those that every fault of an answer is tried on.
    pub(super) const ALL: [Self; 3] = [Self::Gitlab, Self::Atlassian, Self::Bitbucket];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gitlab => "gitlab",
            Self::Atlassian => "atlassian-cloud",
            Self::Bitbucket => "bitbucket-data-center",
            Self::Plain => "plain",
        }
    }

    /// Its settings in the configuration.
    pub(super) fn settings(self) -> &'static str {
        match self {
            Self::Gitlab => "admin: true, listings: [instance]",
            Self::Atlassian => "org_id: o, listings: [api-tokens]",
            Self::Bitbucket => "username: admin, listings: [user]",
            Self::Plain => "listings: [tokens]",
        }
    }

    /// How many tokens it has.
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
            Part::Beside
        } else if page(target) > 1 {
            Part::Further
        } else {
            Part::First
        }
    }

    /// Its answer to `GET target`; `origin` is its own, and it has so many `users`.
    pub(super) fn answer(self, target: &str, origin: &str, paging: &Paging, users: u64) -> Answer {
        match (self, self.part(target)) {
            (Self::Bitbucket, Part::Beside) => {
                let users: Vec<_> = (1..=users).map(|user| json!({"slug": format!("u{user}"), "name": "x"})).collect();
                Answer::json(&json!({"isLastPage": true, "values": users}))
            }
            (Self::Gitlab, Part::Beside) if target.contains("/users") => {
                Answer::json(&json!([{"id": 1, "username": "ada"}]))
            }
            (Self::Gitlab, Part::Beside) if target.ends_with("/self") => {
                Answer::json(&json!({"expires_at": "2099-01-01"}))
            }
            (_, Part::Beside) => Answer::json(&json!([])),
            (Self::Bitbucket, _) if !target.contains("/users/u1?") => {
                let id = target.split(['/', '?']).find(|part| part.starts_with('u') && *part != "users");
                Answer::json(&json!({"isLastPage": true, "values": [{"id": id, "name": "one"}]}))
            }
            _ => self.list(page(target), origin, paging),
        }
    }

    /// A page of the list that has pages.
    fn list(self, page: u64, origin: &str, paging: &Paging) -> Answer {
        let skipped = u64::from(*paging == Paging::Shrinks && page == 2);
        let ids = match page {
            1 => 1..=PAGES[0],
            2 => PAGES[0] + 1 + skipped..=PAGES[0] + PAGES[1],
            further => further * 10..=further * 10 + 1,
        };
        let next = match paging {
            Paging::Circle => Some(2),
            Paging::Endless => Some(page + 1),
            _ => (page == 1).then_some(2),
        };
        let origin = match paging {
            Paging::Elsewhere(other) => other,
            _ => origin,
        };
        let rows: Vec<_> = ids.map(|id| self.row(id)).collect();
        match self {
            Self::Gitlab => {
                let mut answer = Answer::json(&json!(rows));
                let link = |next| format!("<{origin}/api/v4/personal_access_tokens?page={next}>; rel=\"next\"");
                answer.headers.extend(next.map(|next| ("Link".to_owned(), link(next))));
                answer
            }
            Self::Atlassian => {
                Answer::json(&json!({"data": rows, "links": {"next": next.map(|next| format!("c{next}"))}}))
            }
            Self::Bitbucket => {
                Answer::json(&json!({"isLastPage": next.is_none(), "nextPageStart": next, "values": rows}))
            }
            Self::Plain => {
                let next = next.map(|next| format!("{origin}/tokens?page={next}"));
                Answer::json(&json!({"tokens": rows, "next": next}))
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

/// The number of the page that a target asks for.
fn page(target: &str) -> u64 {
    let url = Url::parse("http://h").unwrap().join(target).unwrap();
    let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let told = value("page").or_else(|| value("start")).or_else(|| value("cursor"));
    told.map_or(1, |told| told.trim_start_matches('c').parse().unwrap())
}
