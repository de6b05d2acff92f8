//! A definition's request with its names filled: what is sent, and what the scope that it stands for is called.

use serde_json::Value;
use url::Url;

use crate::core::failure::{Failure, Reason};
use crate::core::sanitize::{is_unsafe_char, truncate};
use crate::http::client;
use crate::providers::language::provider::{Body, JsonTemplate, Method, Parameter, Request};
use crate::providers::language::template::{Name, Place, Template};
use crate::providers::language::template_vars::TemplateVars;
use crate::providers::language::value;

/// What goes to the provider, without the credential.
///
/// # Errors
/// Reason `mapping` where a value cannot stand in the path, `internal` where the definition makes no request of it.
pub(super) fn compose(
    request: &Request,
    general: &[(String, Template)],
    names: &TemplateVars<'_>,
) -> Result<client::Request, Failure> {
    let path = path(request, names)?;
    let base = value::field(names.settings, &request.base).and_then(value::scalar).unwrap_or_default();
    let mut url = Url::parse(&format!("{}{path}", base.trim_end_matches('/')))
        .map_err(|_| Failure::new(Reason::Internal, format!("`{}` and the path {path} make no URL", request.base)))?;
    for (name, parameter) in &request.query {
        let templates = match parameter {
            Parameter::One(template) => std::slice::from_ref(template),
            Parameter::Several(templates) => templates,
        };
        for template in templates {
            if let Some(value) = plain(template, names)? {
                append(&mut url, name, &value);
            }
        }
    }
    Ok(client::Request {
        method: match request.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
        },
        url,
        headers: headers(&request.headers, general, names)?,
        credential: Vec::new(),
        body: body(request.body.as_ref(), names)?,
    })
}

/// The request's headers over the provider's. An empty one is left out, also where the provider sets it.
fn headers(
    own: &[(String, Template)],
    general: &[(String, Template)],
    names: &TemplateVars<'_>,
) -> Result<Vec<(String, String)>, Failure> {
    let inherited = general.iter().filter(|(name, _)| !own.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)));
    let mut headers = Vec::new();
    for (name, template) in inherited.chain(own) {
        if let Some(value) = plain(template, names)?.filter(|value| !value.is_empty()) {
            headers.push((name.clone(), value));
        }
    }
    Ok(headers)
}

fn body(body: Option<&Body>, names: &TemplateVars<'_>) -> Result<client::Body, Failure> {
    Ok(match body {
        None => client::Body::Empty,
        Some(Body::Json(template)) => client::Body::Json(json(template, names)?),
        Some(Body::Form(fields)) => {
            let mut filled = Vec::new();
            for (name, template) in fields {
                if let Some(value) = plain(template, names)? {
                    filled.push((name.clone(), value));
                }
            }
            client::Body::Form(filled)
        }
    })
}

/// A template that is nothing but one name keeps the type of its value; an unset one is null.
fn json(template: &JsonTemplate, names: &TemplateVars<'_>) -> Result<Value, Failure> {
    Ok(match template {
        JsonTemplate::Plain(value) => value.clone(),
        JsonTemplate::Text(template) => match template.only() {
            Some(name) => names.value(name).as_ref().map_or(Value::Null, value::to_json),
            None => plain(template, names)?.unwrap_or_default().into(),
        },
        JsonTemplate::List(list) => list.iter().map(|element| json(element, names)).collect::<Result<_, _>>()?,
        JsonTemplate::Map(map) => {
            let entries = map.iter().map(|(key, element)| Ok((key.clone(), json(element, names)?)));
            Value::Object(entries.collect::<Result<_, Failure>>()?)
        }
    })
}

/// A template outside of paths; none where it is nothing but one name without a value.
pub(super) fn plain(template: &Template, names: &TemplateVars<'_>) -> Result<Option<String>, Failure> {
    template
        .fill(Place::Plain, &|name| names.text(name))
        .map_err(|refused| Failure::new(Reason::Internal, refused.to_string()))
}

fn path(request: &Request, names: &TemplateVars<'_>) -> Result<String, Failure> {
    let filled = request.path.fill(Place::Path, &|name| names.text(name));
    filled
        .map(Option::unwrap_or_default)
        .map_err(|refused| Failure::new(Reason::Mapping, format!("no path can be made: {refused}")))
}

/// Appends a query parameter. A blank is `%20`, not `+`, which not every server reads as a blank.
pub(super) fn append(url: &mut Url, name: &str, value: &str) {
    let pair = format!("{}={}", encoded(name), encoded(value));
    let query = match url.query() {
        Some(query) if !query.is_empty() => format!("{query}&{pair}"),
        _ => pair,
    };
    url.set_query(Some(&query));
}

/// Sets a query parameter, whether or not it was there.
pub(super) fn replace(url: &mut Url, name: &str, value: &str) {
    let others: Vec<(String, String)> =
        url.query_pairs().filter(|(other, _)| other != name).map(|(key, value)| (key.into(), value.into())).collect();
    url.set_query(None);
    for (key, value) in &others {
        append(url, key, value);
    }
    append(url, name, value);
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// What the request's scope is called: its path, then the elements of the fan-out that it names elsewhere.
///
/// `/api/v4/projects/124/access_tokens`; `/v1/auth/token/lookup-accessor cMSTw…`.
///
/// # Errors
/// Reason `mapping` where a value cannot stand in the path.
pub(super) fn label(request: &Request, names: &TemplateVars<'_>) -> Result<String, Failure> {
    let mut label = path(request, names)?;
    for name in beside_the_path(request) {
        let is_element = names.named.iter().any(|named| named.name == name.head);
        if is_element && let Some(text) = names.text(name).filter(|text| !text.is_empty()) {
            label.push(' ');
            label.extend(text.chars().map(|c| if is_unsafe_char(c) { ' ' } else { c }));
        }
    }
    Ok(truncate(&label))
}

/// The names in query, headers and body that the path does not have, each once.
fn beside_the_path(request: &Request) -> Vec<&Name> {
    let mut templates: Vec<&Template> = Vec::new();
    for (_, parameter) in &request.query {
        match parameter {
            Parameter::One(template) => templates.push(template),
            Parameter::Several(several) => templates.extend(several),
        }
    }
    templates.extend(request.headers.iter().map(|(_, template)| template));
    match &request.body {
        Some(Body::Json(template)) => texts(template, &mut templates),
        Some(Body::Form(fields)) => templates.extend(fields.iter().map(|(_, template)| template)),
        None => {}
    }
    let is_same = |a: &Name, b: &Name| a.head == b.head && a.fields == b.fields;
    let mut found: Vec<&Name> = Vec::new();
    for name in templates.into_iter().flat_map(Template::names) {
        let is_told = request.path.names().any(|other| is_same(other, name));
        if !is_told && !found.iter().any(|other| is_same(other, name)) {
            found.push(name);
        }
    }
    found
}

fn texts<'t>(template: &'t JsonTemplate, into: &mut Vec<&'t Template>) {
    match template {
        JsonTemplate::Plain(_) => {}
        JsonTemplate::Text(template) => into.push(template),
        JsonTemplate::List(list) => list.iter().for_each(|element| texts(element, into)),
        JsonTemplate::Map(map) => map.iter().for_each(|(_, element)| texts(element, into)),
    }
}
