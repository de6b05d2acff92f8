//! A provider's words made fit to be label values, and parts of pages and mails. Each value that is changed is counted.

use crate::core::address;
use crate::core::sanitize::{is_legible, make_legible};
use crate::core::token::{Owner, Token};
use crate::core::web_url::web_url;

/// The longest text that is kept, in characters.
const LONGEST: usize = 200;
/// The longest identifier. It must stay unique, and some are long for that.
const LONGEST_ID: usize = 500;
/// The longest link. A cut one would lead elsewhere.
const LONGEST_LINK: usize = 2000;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AdjustmentCounts {
    /// Values that something was taken out of.
    pub(super) cleaned: u64,
    /// Values that were cut.
    pub(super) cut: u64,
    /// Addresses that were left out.
    pub(super) refused: u64,
}

impl AdjustmentCounts {
    /// Makes every text of a token fit, and gives back the room that it does not need.
    pub(super) fn clean(&mut self, token: &mut Token) {
        self.id(&mut token.id);
        self.text(&mut token.name);
        self.text(&mut token.kind);
        self.owner(&mut token.owner);
        for scope in &mut token.scopes {
            self.text(scope);
        }
        token.scopes.retain(|scope| !scope.is_empty());
        token.scopes.shrink_to_fit();
        self.link(&mut token.manage_url);
        self.labels(token);
    }

    fn id(&mut self, id: &mut String) {
        self.strip(id);
        if id.chars().count() > LONGEST_ID {
            let checksum = format!("…{:08x}", crc32fast::hash(id.as_bytes()));
            truncate(id, LONGEST_ID - checksum.chars().count());
            id.push_str(&checksum);
            self.cut += 1;
        }
        id.shrink_to_fit();
    }

    fn text(&mut self, text: &mut String) {
        self.strip(text);
        if text.chars().count() > LONGEST {
            truncate(text, LONGEST - 1);
            text.push('…');
            self.cut += 1;
        }
        text.shrink_to_fit();
    }

    fn optional(&mut self, text: &mut Option<String>) {
        if let Some(text) = text {
            self.text(text);
        }
        text.take_if(|text| text.is_empty());
    }

    fn owner(&mut self, owner: &mut Option<Owner>) {
        if let Some(owner) = owner {
            self.optional(&mut owner.id);
            self.optional(&mut owner.name);
            let told = owner.email.take().filter(|email| !email.trim().is_empty());
            owner.email = told.as_deref().and_then(address::bare);
            self.refused += u64::from(told.is_some() && owner.email.is_none());
        }
        owner.take_if(|owner| *owner == Owner::default());
    }

    /// A link that a browser would not open, but run, is left out; so is one that is too long, and one with a user in it,
    /// whose host is not the one that people read. A host that is not written in ASCII gets its true name (`xn--…`): its
    /// letters may look like another's.
    fn link(&mut self, link: &mut Option<String>) {
        let Some(text) = link.take().filter(|text| !text.is_empty()) else { return };
        let fit = web_address(&text);
        self.cleaned += u64::from(fit.as_ref() != Some(&text));
        let is_long = |url: &String| url.chars().count() > LONGEST_LINK;
        self.cut += u64::from(fit.as_ref().is_some_and(is_long));
        *link = fit.filter(|url| !is_long(url));
        if let Some(url) = link {
            url.shrink_to_fit();
        }
    }

    fn labels(&mut self, token: &mut Token) {
        if token.labels.keys().any(|name| !is_clean(name) || name.chars().count() > LONGEST) {
            let labels = std::mem::take(&mut token.labels);
            token.labels = labels
                .into_iter()
                .map(|(mut name, value)| {
                    self.text(&mut name);
                    (name, value)
                })
                .collect();
        }
        for value in token.labels.values_mut() {
            self.text(value);
        }
        token.labels.retain(|name, value| !name.is_empty() && !value.is_empty());
    }

    /// Takes out what must not be in a label value, and the blanks around it.
    fn strip(&mut self, text: &mut String) {
        if is_clean(text) {
            return;
        }
        make_legible(text);
        let trimmed = text.trim();
        if trimmed.len() < text.len() {
            *text = trimmed.to_owned();
        }
        self.cleaned += 1;
    }
}

fn truncate(text: &mut String, characters: usize) {
    if let Some((at, _)) = text.char_indices().nth(characters) {
        text.truncate(at);
    }
}

/// A sign for what could not be read was put there when the answer was decoded: it stays, and counts.
fn is_clean(text: &str) -> bool {
    text.trim().len() == text.len() && is_legible(text) && !text.contains(char::REPLACEMENT_CHARACTER)
}

/// The address of a page, if it is one of the web and names nothing but host and place. As it stands where that is ASCII.
fn web_address(text: &str) -> Option<String> {
    let mut text = text.to_owned();
    make_legible(&mut text);
    let text = text.trim();
    let url = web_url(text)?;
    Some(if text.is_ascii() { text.to_owned() } else { url.into() })
}
