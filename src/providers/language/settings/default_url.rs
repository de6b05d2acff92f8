//! Defaults of URLs that name other settings, such as `https://ssm.{region}.amazonaws.com`.

use crate::providers::language::template::{Name, Template};
use crate::schema::yaml::Node;

/// Whether the default of a URL names a setting. A URL has no braces.
pub(in crate::providers::language) fn is_template(default: &Node) -> bool {
    default.as_text().is_some_and(|text| text.contains('{'))
}

/// The URL with these values. `None` if one of them is unset.
///
/// # Errors
/// If a value is not letters, digits and hyphens: with a `/` or a dot the credential would go to another host.
pub(in crate::providers::language) fn filled(
    template: &Template,
    value: &dyn Fn(&Name) -> Option<String>,
) -> Result<Option<String>, &'static str> {
    let values: Vec<Option<String>> = template.names().map(value).collect();
    if values.iter().any(|value| value.as_deref().unwrap_or_default().is_empty()) {
        return Ok(None);
    }
    let is_label = |value: &String| value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !values.iter().flatten().all(is_label) {
        return Err("expected letters, digits and hyphens");
    }
    super::base_url(&template.fill(value).unwrap_or_default()).map(Some)
}
