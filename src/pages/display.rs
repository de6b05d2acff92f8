//! Tokens as text.

use crate::core::inventory::TokenView;
use crate::core::web_url::web_url;

/// Shown instead of the band `expired` for a token that still works.
pub(crate) const DUE_FOR_ROTATION: &str = "due for rotation";

/// The name, or the id of a token without one.
pub(crate) fn display_name<'a>(view: &TokenView<'a>) -> &'a str {
    let token = view.token;
    if token.name.is_empty() { &token.id } else { &token.name }
}

/// The link to renew the token, with characters that a URL must not have encoded.
pub(crate) fn manage_url(view: &TokenView<'_>) -> Option<String> {
    view.token.manage_url.as_deref().and_then(web_url).map(Into::into)
}
