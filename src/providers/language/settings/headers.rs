//! The further headers of a source: those that its requests have anyway, and the origin to which they go.

use serde_json::{Map, Value};
use url::Url;

use super::needs;
use crate::providers::language::provider::{
    AuthMethod, AuthScheme, OwnCredential, Pagination, ParamLocation, Provider, Request, Step,
};
use crate::providers::language::template::Template;
use crate::providers::language::value;

const AUTHORIZATION: &str = "Authorization";

/// The URL to whose origin the headers go: the setting `url`, or that of the first listing if no listing is requested from it.
pub(super) fn own_url(provider: &Provider, listings: &[usize], settings: &Map<String, Value>) -> Option<Url> {
    let values = value::from_json(&settings.clone().into());
    let listings = listings.iter().filter_map(|number| provider.listings.get(*number));
    let bases: Vec<&str> =
        listings.filter(|listing| needs::runs(listing, &values)).map(|listing| listing.request.base.as_str()).collect();
    let own = bases.iter().find(|base| **base == "url").or(bases.first()).copied().unwrap_or("url");
    Url::parse(settings.get(own)?.as_str()?).ok()
}

/// Why a source cannot have this header, in addition to those of its requests.
pub(super) fn problem(provider: &Provider, scheme: &AuthScheme, name: &str, url: Option<&Url>) -> Option<String> {
    let is = |other: &str| other.eq_ignore_ascii_case(name);
    let amazon = "x-amz-";
    let begins_as_amazons = name.get(..amazon.len()).is_some_and(|start| start.eq_ignore_ascii_case(amazon));
    if names(provider, scheme).into_iter().any(is) {
        let other = if is(AUTHORIZATION) { ", such as `Proxy-Authorization`" } else { "" };
        return Some(format!(
            "the requests of `{}` have this header already; remove it, and let the gateway accept another one{other}",
            provider.name
        ));
    }
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    if matches!(scheme.method, AuthMethod::AwsSigv4 { .. }) && begins_as_amazons {
        return Some("AWS requires that headers that begin with `X-Amz-` are signed; remove it".to_owned());
    }
    if is("Proxy-Authorization") && url.is_some_and(|url| url.scheme() == "http") {
        return Some("with plain http the first proxy on the way takes this header; use https".to_owned());
    }
    None
}

/// The names of the headers that the definition sets with this scheme.
fn names<'p>(provider: &'p Provider, scheme: &'p AuthScheme) -> Vec<&'p str> {
    let mut names = match &scheme.method {
        AuthMethod::Headers(headers) => of(headers).collect(),
        AuthMethod::OvhSignature { .. } => {
            vec!["X-Ovh-Application", "X-Ovh-Consumer", "X-Ovh-Timestamp", "X-Ovh-Signature"]
        }
        AuthMethod::Bearer(_)
        | AuthMethod::Basic { .. }
        | AuthMethod::GithubApp { .. }
        | AuthMethod::AwsSigv4 { .. }
        | AuthMethod::AkamaiEdgegrid { .. } => vec![AUTHORIZATION],
        AuthMethod::ClientCertificate | AuthMethod::Unknown(_) => Vec::new(),
    };
    names.extend(of(&provider.headers));
    let login = scheme.login.as_ref();
    names.extend(login.and_then(|login| login.basic.as_ref()).map(|_| AUTHORIZATION));
    for request in requests(provider).into_iter().chain(login.map(|login| &login.request)) {
        names.extend(of(&request.headers));
        names.extend(request.next.as_ref().and_then(page_header));
    }
    names
}

fn of(headers: &[(String, Template)]) -> impl Iterator<Item = &str> {
    headers.iter().map(|(name, _)| name.as_str())
}

/// The header with the cursor or the number of the next page.
fn page_header(next: &Pagination) -> Option<&str> {
    match next {
        Pagination::Cursor { parameter, at: ParamLocation::Header, .. }
        | Pagination::Page { parameter, at: ParamLocation::Header, .. }
        | Pagination::Offset { parameter, at: ParamLocation::Header, .. } => Some(parameter),
        _ => None,
    }
}

/// All requests but those of logins.
fn requests(provider: &Provider) -> Vec<&Request> {
    let mut requests: Vec<&Request> = provider.maps.iter().map(|map| &map.request).collect();
    for listing in &provider.listings {
        requests.extend(listing.require.iter().map(|require| &require.request));
        requests.extend(listing.for_each.iter().filter_map(|step| match step {
            Step::Request { request, .. } => Some(&**request),
            Step::Values { .. } => None,
        }));
        requests.push(&listing.request);
    }
    if let Some(OwnCredential::Request { request, .. }) = &provider.own {
        requests.push(request);
    }
    requests.extend(provider.identify.iter().filter_map(|way| way.request()));
    requests
}
