//! The settings and parts of a credential without which a scheme or a listing certainly cannot work.

use crate::providers::language::expression::{Val, Variables};
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

/// The names without which a listing cannot begin, if it runs with these settings: those of its first request, or those from which
/// its first step does not get a list.
pub(super) fn listing(listing: &Listing, settings: &Val) -> Vec<String> {
    let variables = Variables { settings: settings.clone(), ..Variables::default() };
    if !runs(listing, settings) {
        return Vec::new();
    }
    let request = match listing.for_each.first() {
        Some(Step::Values { list, .. }) => {
            let is_list = matches!(list.first(&variables, Val::Null), Ok(Some(Val::Arr(_))));
            return if is_list { Vec::new() } else { list.settings().to_vec() };
        }
        Some(Step::Request { request, .. }) => request,
        None => &listing.request,
    };
    names(vec![&request.path]).chain([request.base.clone()]).collect()
}

/// Whether a listing runs with these settings.
pub(super) fn runs(listing: &Listing, settings: &Val) -> bool {
    let variables = Variables { settings: settings.clone(), ..Variables::default() };
    listing.when.as_ref().is_none_or(|when| when.truth(&variables, Val::Null))
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
        AuthMethod::ClientCertificate | AuthMethod::Unknown(_) => Vec::new(),
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
