//! Every expression of a provider: which maps they read, what makes two requests the same, what no test has reached.

use super::expression::Expression;
use super::provider::{Listing, LookupFill, Map, OwnCredential, Pagination, Provider, Request, Rows, Step, TokenMap};
use super::template_vars::FanOutVar;
use crate::http::client;
use crate::providers::engine::next_page;

impl Provider {
    /// Every expression, in the order of the definition's keys.
    pub fn expressions(&self) -> Vec<&Expression> {
        let mut all: Vec<&Expression> = self.error.iter().collect();
        for login in self.schemes.iter().filter_map(|scheme| scheme.login.as_ref()) {
            all.push(&login.token);
            all.extend(&login.lifetime);
        }
        match &self.own {
            Some(OwnCredential::Request { when, request, expires_at }) => {
                all.extend(when);
                all.extend(of_request(request));
                all.push(expires_at);
            }
            Some(OwnCredential::Listing { when, is, hint, .. }) => all.extend([when, is, hint].into_iter().flatten()),
            None => {}
        }
        all.extend(self.maps.iter().flat_map(of_map));
        all.extend(self.listings.iter().flat_map(of_listing));
        all
    }
}

/// The maps, by number, that a listing's expressions read.
pub(in crate::providers) fn maps_read(listing: &Listing, maps: &[Map]) -> Vec<usize> {
    let read: Vec<&String> = of_listing(listing).into_iter().flat_map(Expression::maps).collect();
    (0..maps.len()).filter(|number| read.contains(&&maps[*number].name)).collect()
}

/// What makes two fan-out requests the same: what is sent, what is made of the answer, and with what.
pub(in crate::providers) fn identity(request: &Request, composed: &client::Request, named: &[FanOutVar<'_>]) -> String {
    let mut identity = format!("{} {}", composed.method, next_page::identity(composed, None));
    for (name, value) in &composed.headers {
        identity.extend(["\n", name, ": ", value]);
    }
    for expression in of_request(request) {
        identity.extend(["\n", expression.code()]);
    }
    for element in named {
        identity.extend(["\n", element.name, "=", &element.value.to_string()]);
    }
    identity
}

fn of_request(request: &Request) -> Vec<&Expression> {
    let mut all = Vec::new();
    match &request.rows {
        Rows::List(rows) | Rows::One(rows) => all.push(rows),
        Rows::Whole => {}
    }
    all.extend(&request.take);
    match &request.next {
        Some(Pagination::Url(next) | Pagination::Cursor { cursor: next, .. }) => all.push(next),
        Some(Pagination::Page { last, .. } | Pagination::Offset { last, .. }) => all.extend(last),
        Some(Pagination::Link) | None => {}
    }
    all.extend(request.none.iter().filter_map(|nothing| nothing.condition.as_ref()));
    all.extend(&request.failed);
    all
}

fn of_map(map: &Map) -> Vec<&Expression> {
    let mut all = of_request(&map.request);
    match &map.fill {
        LookupFill::All(key) | LookupFill::PerKey { key, .. } => all.push(key),
    }
    all.push(&map.value);
    all
}

fn of_listing(listing: &Listing) -> Vec<&Expression> {
    let mut all: Vec<&Expression> = listing.when.iter().collect();
    if let Some(require) = &listing.require {
        all.extend(of_request(&require.request));
        all.push(&require.that);
    }
    for step in &listing.for_each {
        match step {
            Step::Values { list, .. } => all.push(list),
            Step::Request { request, .. } => all.extend(of_request(request)),
        }
    }
    all.extend(of_request(&listing.request));
    all.extend(of_token(&listing.token));
    all
}

fn of_token(map: &TokenMap) -> Vec<&Expression> {
    let optional = [
        &map.name,
        &map.kind,
        &map.owner,
        &map.created_at,
        &map.last_used_at,
        &map.lifetime,
        &map.scopes,
        &map.disabled,
        &map.manage_url,
        &map.labels,
    ];
    [&map.id, &map.expires_at].into_iter().chain(optional.into_iter().flatten()).collect()
}
