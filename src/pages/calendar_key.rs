//! The key in the URL of a calendar, which opens this one calendar without a login: calendar programs cannot log in.
//!
//! It is an HMAC-SHA256 of the calendar's filter, so that a key for one owner opens nothing else. The file with the secret is read
//! at each request: a changed file revokes the keys at once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use axum::http::Uri;
use ring::hmac;

use super::filter::{self, Filter, Parameters};
use super::path::{CALENDAR, RoutePrefix};
use crate::schema::diagnostic::{Diagnostic, Diagnostics};

/// The shortest secret, in bytes.
const MIN_SECRET: usize = 32;

/// The parameter with the key.
const NAME: &str = "key";

/// Makes and verifies keys.
pub struct CalendarKey {
    file: PathBuf,
}

impl CalendarKey {
    /// # Errors
    /// If the file has no usable secret.
    pub fn load(file: &Path) -> Result<Self, Diagnostics> {
        let key = Self { file: file.to_owned() };
        let problem = match key.secrets() {
            Err(error) => error.to_string(),
            Ok(secrets) if secrets.is_empty() => {
                format!("no line with at least {MIN_SECRET} bytes; write one with `openssl rand -hex 32`")
            }
            Ok(_) => return Ok(key),
        };
        Err(Diagnostic::in_file(file.display().to_string(), problem).into())
    }

    /// The secrets, a line each. The first one makes keys; the others stay valid for calendars that use them.
    fn secrets(&self) -> io::Result<Vec<hmac::Key>> {
        let content = fs::read_to_string(&self.file)?;
        let lines = content.lines().map(str::trim).filter(|line| line.len() >= MIN_SECRET);
        Ok(lines.map(|line| hmac::Key::new(hmac::HMAC_SHA256, line.as_bytes())).collect())
    }

    /// The query string of a calendar, with its key; `None` if the file cannot be read.
    pub fn query(&self, filter: &Filter) -> Option<String> {
        let tag = hmac::sign(self.secrets().ok()?.first()?, scope(filter).as_bytes());
        let key: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Some(filter::query_string(&[filter, &KeyParameter { value: Some(key) }]))
    }

    /// Whether a request is for a calendar, with the key of exactly this one.
    pub fn opens(&self, prefix: &RoutePrefix, uri: &Uri) -> bool {
        let (mut filter, mut key) = (Filter::default(), KeyParameter::default());
        let is_calendar = uri.path() == CALENDAR || uri.path() == prefix.with(CALENDAR);
        is_calendar
            && filter::parse(uri.query().unwrap_or_default(), &mut [&mut filter, &mut key]).is_ok()
            && key.value.as_deref().and_then(bytes).is_some_and(|tag| {
                let scope = scope(&filter);
                let secrets = self.secrets().unwrap_or_default();
                // Compares in constant time.
                secrets.iter().any(|secret| hmac::verify(secret, scope.as_bytes(), &tag).is_ok())
            })
    }
}

/// The text that is signed. Equal filters have equal texts.
fn scope(filter: &Filter) -> String {
    format!("{CALENDAR}?{}", filter::query_string(&[filter]))
}

/// The bytes of a text in hexadecimal digits.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// `key`, at most once.
#[derive(Default)]
pub(super) struct KeyParameter {
    value: Option<String>,
}

impl Parameters for KeyParameter {
    fn names(&self) -> &'static [&'static str] {
        &[NAME]
    }

    fn set(&mut self, _: &str, value: &str) -> Result<(), String> {
        match self.value.replace(value.to_owned()) {
            None => Ok(()),
            Some(_) => Err("given twice".to_owned()),
        }
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        self.value.iter().map(|value| (NAME, value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn opens(key: &CalendarKey, uri: &str) -> bool {
        key.opens(&"/tokens".parse().unwrap(), &uri.parse().unwrap())
    }

    #[test]
    fn key_opens_exactly_its_calendar() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        let (old, new) = ("o".repeat(32), "n".repeat(64));
        fs::write(&file, format!("{old}\n")).unwrap();
        let key = CalendarKey::load(&file).unwrap();
        let filter = |query: &str| {
            let mut filter = Filter::default();
            filter::parse(query, &mut [&mut filter]).unwrap();
            filter
        };
        let query = key.query(&filter("owner=Jane&owner=Bob")).unwrap();
        let (scope, tag) = query.rsplit_once("&key=").unwrap();
        assert_eq!((scope, tag.len()), ("owner=bob&owner=jane", 64));
        for (uri, expected) in [
            (format!("/calendar.ics?{query}"), true),
            (format!("/tokens/calendar.ics?{query}"), true),
            (format!("/calendar.ics?key={tag}&owner=JANE&owner=bob&team="), true),
            (format!("/calendar.ics?key={}&{scope}", tag.to_uppercase()), true),
            (format!("/other/calendar.ics?{query}"), false),
            (format!("/api/v1/tokens?{query}"), false),
            (format!("/calendar.ics?{query}&owner=eve"), false),
            (format!("/calendar.ics?owner=jane&key={tag}"), false),
            (format!("/calendar.ics?key={tag}"), false),
            (format!("/calendar.ics?{query}&key={tag}"), false),
            (format!("/calendar.ics?{scope}&key={}", &tag[..62]), false),
            (format!("/calendar.ics?{scope}&key={}0", &tag[..63]), tag.ends_with('0')),
            (format!("/calendar.ics?{scope}&key=ä"), false),
            (format!("/calendar.ics?{scope}&key="), false),
            (format!("/calendar.ics?{scope}"), false),
        ] {
            let uri = uri.replace('ä', "%C3%A4");
            assert_eq!(opens(&key, &uri), expected, "{uri}");
        }
        let all = key.query(&Filter::default()).unwrap();
        assert!(
            opens(&key, &format!("/calendar.ics?{all}")) && !opens(&key, &format!("/calendar.ics?owner=jane&{all}"))
        );

        fs::write(&file, format!("{new}\n{old}\n")).unwrap();
        assert!(opens(&key, &format!("/calendar.ics?{query}")), "the old secret stays until it is removed");
        let renewed = key.query(&filter(scope)).unwrap();
        assert!(renewed != query && opens(&key, &format!("/calendar.ics?{renewed}")));
        fs::write(&file, &new).unwrap();
        assert!(!opens(&key, &format!("/calendar.ics?{query}")), "revoked");
        assert!(opens(&key, &format!("/calendar.ics?{renewed}")));
        fs::remove_file(&file).unwrap();
        assert!(!opens(&key, &format!("/calendar.ics?{renewed}")) && key.query(&Filter::default()).is_none());
    }

    #[test]
    fn short_secret_is_an_error_without_the_secret() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        fs::write(&file, "hunter2\n").unwrap();
        let error = CalendarKey::load(&file).err().unwrap().to_string();
        assert!(
            error.ends_with("key: no line with at least 32 bytes; write one with `openssl rand -hex 32`"),
            "{error}"
        );
        assert!(!error.contains("hunter2"));
    }
}
