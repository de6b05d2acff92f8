//! Makes a provider's texts fit for labels, pages and mails, and counts the changes.

use std::sync::Arc;

use crate::core::address;
use crate::core::adjustment::{Adjustment, Adjustments};
use crate::core::sanitize::{MAX_TEXT_LEN, is_displayable, sanitize};
use crate::core::token::{Owner, Token};
use crate::core::web_url::web_url;

/// In characters. Identifiers must stay unique, and some vendors' are long.
const MAX_ID_LEN: usize = 500;
/// A longer link is omitted: a truncated one would lead elsewhere.
const MAX_LINK_LEN: usize = 2000;

/// Normalizes tokens and counts the adjustments.
pub(super) struct Normalizer<'c>(pub(super) &'c mut Adjustments);

impl Normalizer<'_> {
    fn count(&mut self, adjustment: Adjustment) {
        *self.0.entry(adjustment).or_default() += 1;
    }

    /// Normalizes every text of a token and releases unused capacity.
    pub(super) fn normalize(&mut self, token: &mut Token) {
        let id_suffix = |id: &str| format!("…{:08x}", crc32fast::hash(id.as_bytes()));
        let id = self.limited(&token.id, MAX_ID_LEN, id_suffix);
        replace(&mut token.id, id);
        let (name, kind) = (self.changed(&token.name), self.changed(&token.kind));
        replace(&mut token.name, name);
        replace(&mut token.kind, kind);
        self.owner(&mut token.owner);
        self.scopes(&mut token.scopes);
        self.link(&mut token.manage_url);
        if !token.labels.is_empty() {
            let labels =
                Arc::unwrap_or_clone(std::mem::take(&mut token.labels)).into_iter().map(|(mut name, mut value)| {
                    self.text(&mut name);
                    self.text(&mut value);
                    (name, value)
                });
            token.labels = Arc::new(labels.filter(|(name, value)| !name.is_empty() && !value.is_empty()).collect());
        }
    }

    fn scopes(&mut self, scopes: &mut Arc<Vec<String>>) {
        if scopes.is_empty() {
            return;
        }
        let scopes = Arc::make_mut(scopes);
        for scope in scopes.iter_mut() {
            self.text(scope);
        }
        scopes.retain(|scope| !scope.is_empty());
        scopes.shrink_to_fit();
    }

    fn text(&mut self, text: &mut String) {
        let changed = self.changed(text);
        replace(text, changed);
        text.shrink_to_fit();
    }

    /// The normalized text, if it differs.
    fn changed(&mut self, text: &str) -> Option<String> {
        self.limited(text, MAX_TEXT_LEN, |_| "…".to_owned())
    }

    /// The text without unsafe characters; one that is too long is truncated and gets a suffix. `None` if it stays.
    fn limited(&mut self, text: &str, max: usize, suffix: impl Fn(&str) -> String) -> Option<String> {
        let safe = self.safe(text);
        let text = safe.as_deref().unwrap_or(text);
        if text.chars().count() <= max {
            return safe;
        }
        self.count(Adjustment::CutValue);
        let suffix = suffix(text);
        let end = text.char_indices().nth(max - suffix.chars().count()).map_or(text.len(), |(end, _)| end);
        Some(format!("{}{suffix}", &text[..end]))
    }

    fn owner(&mut self, reported: &mut Option<triomphe::Arc<Owner>>) {
        if let Some(owner) = reported {
            let owner = triomphe::Arc::make_mut(owner);
            for text in [&mut owner.id, &mut owner.name] {
                if let Some(text) = text {
                    let changed = self.changed(text);
                    replace(text, changed);
                }
                text.take_if(|text| text.is_empty());
            }
            let reported = owner.email.take().filter(|email| !email.trim().is_empty());
            owner.email = reported.as_deref().and_then(address::normalize).map(Into::into);
            if reported.is_some() && owner.email.is_none() {
                self.count(Adjustment::RefusedAddress);
            }
        }
        reported.take_if(|owner| owner.is_nobody());
    }

    /// Omits a link that is too long or not to a web page. A host outside of ASCII is shown in its `xn--…` form, since its
    /// letters may look like those of another host.
    fn link(&mut self, link: &mut Option<Arc<str>>) {
        let Some(text) = link.take().filter(|text| !text.is_empty()) else { return };
        let normalized = normalize_link(&text);
        if normalized.as_deref() != Some(&*text) {
            self.count(Adjustment::CleanedValue);
        }
        let is_long = |url: &String| url.chars().count() > MAX_LINK_LEN;
        if normalized.as_ref().is_some_and(is_long) {
            self.count(Adjustment::CutValue);
        }
        *link = normalized.filter(|url| !is_long(url)).map(Arc::from);
    }

    /// The text without characters that must not be in a label value, and without surrounding blanks. `None` if it has none.
    fn safe(&mut self, text: &str) -> Option<String> {
        // Decoding has replaced unreadable bytes by this character: it stays, and is counted.
        let is_clean = text.trim().len() == text.len() && !text.contains(char::REPLACEMENT_CHARACTER);
        if is_clean && is_displayable(text) {
            return None;
        }
        let mut safe = text.to_owned();
        sanitize(&mut safe);
        self.count(Adjustment::CleanedValue);
        Some(safe.trim().to_owned())
    }
}

fn replace<T: From<String>>(text: &mut T, by: Option<String>) {
    if let Some(by) = by {
        *text = by.into();
    }
}

/// The link, unchanged if it is ASCII, if it leads to a web page.
fn normalize_link(text: &str) -> Option<String> {
    let mut text = text.to_owned();
    sanitize(&mut text);
    let text = text.trim();
    let url = web_url(text)?;
    Some(if text.is_ascii() { text.to_owned() } else { url.into() })
}
