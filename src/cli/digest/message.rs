//! A mail as a message: headers, plain text and HTML.

use std::fmt::Write as _;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use ring::digest::{SHA256, digest};

/// What is sent.
pub(super) struct Content {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// Builds the message. The address alone is the recipient: its owner chooses a display name.
///
/// # Errors
/// If the address is invalid.
pub(super) fn build(from: &Mailbox, to: &str, week: &str, content: Content) -> Result<Message, String> {
    let address: Address = to.parse().map_err(|_| "the address is invalid".to_owned())?;
    // Automatic replies, such as of an absent person, must not answer it (RFC 3834).
    let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
    Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, address))
        .date_now()
        .message_id(Some(message_id(from, to, week)))
        .subject(content.subject)
        .raw_header(automatic)
        .multipart(
            MultiPart::alternative()
                .singlepart(SinglePart::plain(content.text))
                .singlepart(SinglePart::html(content.html)),
        )
        .map_err(|error| error.to_string())
}

/// The same for each attempt of a week, so that servers which compare them drop a mail that is sent twice.
fn message_id(from: &Mailbox, to: &str, week: &str) -> String {
    let hash = digest(&SHA256, format!("{week}\n{to}").as_bytes());
    let hex = hash.as_ref()[..16].iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("<digest.{week}.{hex}@{}>", from.email.domain())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn message(subject: &str, to: &str) -> Result<String, String> {
        let content = Content { subject: subject.to_owned(), text: "a".to_owned(), html: "<p>a".to_owned() };
        let from = "Tokens <tokens@example.com>".parse().unwrap();
        let message = build(&from, to, "2026-W48", content)?;
        Ok(String::from_utf8(message.formatted()).unwrap())
    }

    /// Names of headers before the first part.
    fn headers(message: &str) -> Vec<&str> {
        let head = message.split("\r\n\r\n").next().unwrap();
        let lines = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
        lines.map(|line| line.split(':').next().unwrap()).collect()
    }

    #[test]
    fn hostile_subject_adds_no_header() {
        let expected = headers(&message("plain", "jane@example.com").unwrap()).join(" ");
        assert!(expected.contains("From To Date Message-ID Subject Auto-Submitted"), "{expected}");
        for subject in [
            "a\r\nBcc: x@evil.example",
            "a\nBcc: x@evil.example",
            "a\r\n\r\n<html>",
            "ä\r\nBcc: x@evil.example",
            "a\u{2028}Bcc: x@evil.example",
            &"long ".repeat(100),
        ] {
            let message = message(subject, "jane@example.com").unwrap();
            assert_eq!(headers(&message).join(" "), expected, "{subject:?}: {message}");
        }
    }

    #[test]
    fn only_one_address_is_a_recipient() {
        for to in [
            "jane@example.com, x@evil.example",
            "jane@example.com\r\nBcc: x@evil.example",
            "Jane <jane@example.com>",
            "",
        ] {
            assert!(message("a", to).is_err(), "{to}");
        }
    }

    #[test]
    fn message_id_depends_on_week_and_recipient_alone() {
        let from = "tokens@example.com".parse().unwrap();
        let id = message_id(&from, "jane@example.com", "2026-W48");
        assert!(id.starts_with("<digest.2026-W48.") && id.ends_with("@example.com>"), "{id}");
        assert_eq!(id, message_id(&from, "jane@example.com", "2026-W48"));
        assert_ne!(id, message_id(&from, "jane@example.com", "2026-W49"));
        assert_ne!(id, message_id(&from, "joe@example.com", "2026-W48"));
    }
}
