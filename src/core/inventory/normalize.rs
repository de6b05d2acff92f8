//! Makes a provider's texts fit for labels, pages and mails, and counts the changes.

use std::collections::BTreeMap;

use super::source::{Adjustment, zeros};
use crate::core::address;
use crate::core::sanitize::{MAX_TEXT_LEN, is_displayable, sanitize};
use crate::core::token::{Owner, Token};
use crate::core::web_url::web_url;

/// In characters. Identifiers must stay unique, and some vendors' are long.
const MAX_ID_LEN: usize = 500;
/// A longer link is omitted: a truncated one would lead elsewhere.
const MAX_LINK_LEN: usize = 2000;

/// Normalizes tokens and counts the adjustments.
pub(super) struct Normalizer {
    pub(super) counts: BTreeMap<Adjustment, u64>,
}

impl Normalizer {
    pub(super) fn new() -> Self {
        Self { counts: zeros(Adjustment::ALL) }
    }

    pub(super) fn count(&mut self, adjustment: Adjustment) {
        *self.counts.entry(adjustment).or_default() += 1;
    }

    /// Normalizes every text of a token and releases unused capacity.
    pub(super) fn normalize(&mut self, token: &mut Token) {
        self.limit(&mut token.id, MAX_ID_LEN, |id| format!("…{:08x}", crc32fast::hash(id.as_bytes())));
        self.text(&mut token.name);
        self.text(&mut token.kind);
        self.owner(&mut token.owner);
        for scope in &mut token.scopes {
            self.text(scope);
        }
        token.scopes.retain(|scope| !scope.is_empty());
        token.scopes.shrink_to_fit();
        self.link(&mut token.manage_url);
        let labels = std::mem::take(&mut token.labels).into_iter().map(|(mut name, mut value)| {
            self.text(&mut name);
            self.text(&mut value);
            (name, value)
        });
        token.labels = labels.filter(|(name, value)| !name.is_empty() && !value.is_empty()).collect();
    }

    fn text(&mut self, text: &mut String) {
        self.limit(text, MAX_TEXT_LEN, |_| "…".to_owned());
    }

    /// Truncates a text that is too long and appends a suffix to it.
    fn limit(&mut self, text: &mut String, max: usize, suffix: impl Fn(&str) -> String) {
        self.strip_unsafe(text);
        if text.chars().count() > max {
            let suffix = suffix(text);
            if let Some((end, _)) = text.char_indices().nth(max - suffix.chars().count()) {
                text.truncate(end);
            }
            text.push_str(&suffix);
            self.count(Adjustment::CutValue);
        }
        text.shrink_to_fit();
    }

    fn owner(&mut self, owner: &mut Option<Owner>) {
        if let Some(owner) = owner {
            for text in [&mut owner.id, &mut owner.name] {
                if let Some(text) = text {
                    self.text(text);
                }
                text.take_if(|text| text.is_empty());
            }
            let reported = owner.email.take().filter(|email| !email.trim().is_empty());
            owner.email = reported.as_deref().and_then(address::normalize);
            if reported.is_some() && owner.email.is_none() {
                self.count(Adjustment::RefusedAddress);
            }
        }
        owner.take_if(|owner| *owner == Owner::default());
    }

    /// Omits a link that is too long or not to a web page. A host outside of ASCII is shown in its `xn--…` form, since its
    /// letters may look like those of another host.
    fn link(&mut self, link: &mut Option<String>) {
        let Some(text) = link.take().filter(|text| !text.is_empty()) else { return };
        let normalized = normalize_link(&text);
        if normalized.as_ref() != Some(&text) {
            self.count(Adjustment::CleanedValue);
        }
        let is_long = |url: &String| url.chars().count() > MAX_LINK_LEN;
        if normalized.as_ref().is_some_and(is_long) {
            self.count(Adjustment::CutValue);
        }
        *link = normalized.filter(|url| !is_long(url));
        if let Some(url) = link {
            url.shrink_to_fit();
        }
    }

    /// Removes characters that must not be in a label value, and surrounding blanks.
    fn strip_unsafe(&mut self, text: &mut String) {
        // Decoding has replaced unreadable bytes by this character: it stays, and is counted.
        let is_clean = text.trim().len() == text.len() && !text.contains(char::REPLACEMENT_CHARACTER);
        if is_clean && is_displayable(text) {
            return;
        }
        sanitize(text);
        let trimmed = text.trim();
        if trimmed.len() < text.len() {
            *text = trimmed.to_owned();
        }
        self.count(Adjustment::CleanedValue);
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
