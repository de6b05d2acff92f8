//! Fills in a definition's request: its content, and the label of its scope.

use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::core::failure::{Failure, Reason};
use crate::core::sanitize::{is_unsafe_char, truncate};
use crate::http::client;
use crate::providers::language::provider::{Body, JsonTemplate, Method, Request};
use crate::providers::language::template::{Name, Template};
use crate::providers::language::template_vars::TemplateVars;
use crate::providers::language::value;

/// The request as it is sent, without the credential. `general` are the headers of every request of the provider.
///
/// # Errors
/// Reason `mapping` if a value cannot be part of the path, `internal` if the result is not a URL.
pub(super) fn build_request(
    request: &Request,
    general: &[(String, Template)],
    vars: &TemplateVars<'_>,
) -> Result<client::Request, Failure> {
    let mut url = join_url(vars, &request.base, &fill_path(request, vars)?)?;
    set_query(&mut url, &fill_all(&request.query, vars));
    // A header of the request replaces the provider's of the same name, and removes it if it is empty.
    let is_replaced = |name: &str| request.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let inherited = general.iter().filter(|(name, _)| !is_replaced(name));
    Ok(client::Request {
        method: match request.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
        },
        url,
        headers: fill_headers(inherited.chain(&request.headers), vars),
        credential: Vec::new(),
        body: match &request.body {
            None => client::Body::Empty,
            Some(Body::Json(template)) => client::Body::Json(fill_json(template, vars).unwrap_or_else(|| json!({}))),
            Some(Body::Form(fields)) => client::Body::Form(fill_all(fields, vars)),
        },
        retry: request.retry.clone(),
    })
}

/// The URL of a path under the setting `base`.
///
/// # Errors
/// Reason `internal` if they do not form a URL.
pub(super) fn join_url(vars: &TemplateVars<'_>, base: &str, path: &str) -> Result<Url, Failure> {
    let prefix = value::field(vars.settings, base).and_then(value::scalar).unwrap_or_default();
    Url::parse(&format!("{}{path}", prefix.trim_end_matches('/')))
        .map_err(|_| Failure::new(Reason::Internal, format!("`{base}` and the path {path} do not form a URL")))
}

/// The headers that are not empty.
pub(super) fn fill_headers<'t>(
    headers: impl IntoIterator<Item = &'t (String, Template)>,
    vars: &TemplateVars<'_>,
) -> Vec<(String, String)> {
    let mut filled = fill_all(headers, vars);
    filled.retain(|(_, value)| !value.is_empty());
    filled
}

/// The templates by name, without those that are a single name without a value.
fn fill_all<'t>(
    templates: impl IntoIterator<Item = &'t (String, Template)>,
    vars: &TemplateVars<'_>,
) -> Vec<(String, String)> {
    templates.into_iter().filter_map(|(name, template)| Some((name.clone(), vars.fill(template)?))).collect()
}

/// A template that is a single name keeps the type of its value; without a value its key or element is omitted, and so is a map or
/// a list in which nothing is left.
pub(super) fn fill_json(template: &JsonTemplate, vars: &TemplateVars<'_>) -> Option<Value> {
    Some(match template {
        JsonTemplate::Plain(value) => value.clone(),
        JsonTemplate::Text(template) => match template.only() {
            Some(name) => value::to_json(&vars.value(name)?),
            None => vars.fill(template).unwrap_or_default().into(),
        },
        JsonTemplate::List(list) => {
            let filled: Vec<Value> = list.iter().filter_map(|element| fill_json(element, vars)).collect();
            return (list.is_empty() || !filled.is_empty()).then(|| filled.into());
        }
        JsonTemplate::Map(map) => {
            let entry = |(key, element): &(String, JsonTemplate)| Some((key.clone(), fill_json(element, vars)?));
            let filled: serde_json::Map<String, Value> = map.iter().filter_map(entry).collect();
            return (map.is_empty() || !filled.is_empty()).then(|| filled.into());
        }
    })
}

fn fill_path(request: &Request, vars: &TemplateVars<'_>) -> Result<String, Failure> {
    let filled = request.path.fill_path(&|name| vars.text(name));
    filled.map_err(|error| Failure::new(Reason::Mapping, format!("cannot build the request path: {error}")))
}

/// Sets a query parameter, in place of all with its name.
pub(super) fn set_query_param(url: &mut Url, name: &str, value: &str) {
    let mut query: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(other, _)| other != name).collect();
    query.push((name.to_owned(), value.to_owned()));
    set_query(url, &query);
}

/// A space becomes `%20`, not `+`, which not every server decodes.
fn set_query(url: &mut Url, pairs: &[(String, String)]) {
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish().replace('+', "%20");
    url.set_query(Some(&*query).filter(|query| !query.is_empty()));
}

/// The label of the request's scope: its path, then the fan-out elements that other parts of the request name.
///
/// `/api/v4/projects/124/access_tokens`; `/v1/auth/token/lookup-accessor cMSTw…`.
///
/// # Errors
/// Reason `mapping` if a value cannot be part of the path.
pub(super) fn scope_label(request: &Request, vars: &TemplateVars<'_>) -> Result<String, Failure> {
    let mut label = fill_path(request, vars)?;
    for name in names_outside_path(request) {
        let is_element = vars.elements.iter().any(|element| element.name == name.head);
        if is_element && let Some(text) = vars.text(name).filter(|text| !text.is_empty()) {
            label.push(' ');
            label.push_str(&text.replace(is_unsafe_char, " "));
        }
    }
    Ok(truncate(&label))
}

/// The names in query, headers and body that the path does not have, each once.
fn names_outside_path(request: &Request) -> Vec<&Name> {
    let form: &[(String, Template)] = if let Some(Body::Form(fields)) = &request.body { fields } else { &[] };
    let json = if let Some(Body::Json(json)) = &request.body { json.templates() } else { Vec::new() };
    let named = request.query.iter().chain(&request.headers).chain(form).map(|(_, template)| template);
    let mut found: Vec<&Name> = Vec::new();
    for name in named.chain(json).flat_map(Template::names) {
        let is_same = |other: &Name| other.head == name.head && other.fields == name.fields;
        if !request.path.names().chain(found.iter().copied()).any(is_same) {
            found.push(name);
        }
    }
    found
}
