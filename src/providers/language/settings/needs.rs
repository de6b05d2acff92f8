//! The settings and parts of a credential without which a scheme or a listing certainly cannot work.

use crate::providers::language::provider::{AuthMethod, AuthScheme, Body, Listing, Login, Request, SignedJwt, Step};
use crate::providers::language::template::Template;

/// The parts of the credential that a scheme uses; the single secret's name is empty.
pub(super) fn parts(scheme: &AuthScheme) -> Vec<String> {
    if scheme.json_parts.is_some() { vec![String::new()] } else { named_parts(scheme) }
}

/// The parts that the templates of a scheme name.
pub(in crate::providers::language) fn named_parts(scheme: &AuthScheme) -> Vec<String> {
    let mut parts = Vec::new();
    for name in templates(scheme, false).into_iter().flat_map(Template::names).filter(|name| name.head == "credential")
    {
        let part = name.fields.join(".");
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts
}

/// The names that a scheme needs. Of several schemes each needs the settings that it names, as they cannot be required of all
/// sources. The only scheme requires a setting by giving it no default.
pub(super) fn scheme(scheme: &AuthScheme, is_only: bool) -> impl Iterator<Item = String> {
    names(templates(scheme, is_only))
}

/// The names without which a listing that certainly runs cannot send its first request.
pub(super) fn listing(listing: &Listing) -> impl Iterator<Item = String> {
    let first = match (&listing.when, listing.for_each.first()) {
        (Some(_), _) | (None, Some(Step::Values { .. })) => None,
        (None, Some(Step::Request { request, .. })) => Some(&**request),
        (None, None) => Some(&listing.request),
    };
    names(first.map(|request| &request.path).into_iter().collect())
}

fn names(templates: Vec<&Template>) -> impl Iterator<Item = String> {
    let names: Vec<String> = templates.into_iter().flat_map(Template::names).map(|name| name.head.clone()).collect();
    names.into_iter()
}

/// All templates of a scheme whose names must have values.
fn templates(scheme: &AuthScheme, is_only: bool) -> Vec<&Template> {
    let is_needed = |value: &&Template| !is_only || is_needed(value);
    let mut templates = match &scheme.method {
        AuthMethod::Bearer(token) => vec![token],
        AuthMethod::Basic { user, password } => vec![user, password],
        AuthMethod::Unknown(_) => Vec::new(),
        AuthMethod::Headers(headers) => headers.iter().map(|(_, value)| value).filter(is_needed).collect(),
        AuthMethod::GithubApp { app_id, private_key, organization } => vec![app_id, private_key, organization],
        AuthMethod::AwsSigv4 { service, region, keys } => {
            let keys = keys.iter().flat_map(|keys| [&keys.access_key_id, &keys.secret_access_key]);
            [service, region].into_iter().chain(keys).collect()
        }
        AuthMethod::OvhSignature { application_key, application_secret, consumer_key } => {
            vec![application_key, application_secret, consumer_key]
        }
        AuthMethod::AkamaiEdgegrid { client_token, client_secret, access_token } => {
            vec![client_token, client_secret, access_token]
        }
    };
    if let Some(SignedJwt { key, certificate, header, claims, .. }) = &scheme.jwt {
        templates.extend([key].into_iter().chain(certificate));
        templates.extend(header.iter().map(|(_, value)| value));
        templates.extend(claims.iter().flat_map(|(_, value)| value.templates()));
    }
    if let Some(Login { request, basic, .. }) = &scheme.login {
        templates.extend(basic.iter().flat_map(|(user, password)| [user, password]));
        templates.extend(sent(request, is_only));
    }
    templates
}

/// The templates of a login's request.
fn sent(request: &Request, is_only: bool) -> Vec<&Template> {
    let mut templates = vec![&request.path];
    let form: &[(String, Template)] = if let Some(Body::Form(fields)) = &request.body { fields } else { &[] };
    let json = if let Some(Body::Json(json)) = &request.body { json.templates() } else { Vec::new() };
    templates.extend(request.headers.iter().chain(&request.query).map(|(_, value)| value).filter(is_needed));
    let body = form.iter().map(|(_, value)| value).chain(json);
    templates.extend(body.filter(|value| !is_only || is_needed(value)));
    templates
}

/// A header, a parameter or a key of a body that consists only of an unset setting is omitted.
fn is_needed(value: &&Template) -> bool {
    value.only().is_none_or(|name| name.head == "credential")
}
