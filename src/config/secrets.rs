//! Finds secrets that stand in the file itself, where they would end in a repository, a backup or a screenshot.
//!
//! Only what plainly is one is refused: a value under a name that can mean nothing else, a text in the form of a known
//! vendor's token, a private key, a URL with a password. What stands under a source's `credential` is read there.

use super::config_reader::ConfigReader;
use super::source;
use super::values::under;
use crate::schema::yaml::{Kind, Node};

/// Names under which nothing but a secret stands. A provider's setting is never called so: a definition has
/// `{credential}` for it.
const NAMES: &[&str] = &[
    "access_token",
    "api_key",
    "api_secret",
    "api_token",
    "apikey",
    "app_secret",
    "auth_token",
    "bearer_token",
    "client_secret",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "personal_access_token",
    "private_key",
    "refresh_token",
    "secret",
    "secret_access_key",
    "secret_id",
    "secret_key",
    "token",
];

/// How the tokens of well-known vendors begin; a token of this form is recognised wherever it stands.
const BEGINNINGS: &[&str] = &[
    "ATATT",
    "ATBB",
    "ATCTT",
    "HRKU-",
    "dckr_pat_",
    "dop_v1_",
    "gho_",
    "ghp_",
    "ghr_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "gldt-",
    "glpat-",
    "glrt-",
    "hvb.",
    "hvs.",
    "npm_",
    "pypi-",
    "shpat_",
    "sk-ant-",
    "sk_live_",
    "tskey-",
    "xoxb-",
    "xoxp-",
];

/// The way out, for a message.
pub(super) const WAY_OUT: &str = "put it in a file or a variable, and write `credential: {file: PATH}` or \
                                  `credential: {env: NAME}`";

/// Whether a text has the form of a secret.
pub(super) fn looks_like_one(text: &str) -> bool {
    let text = text.trim();
    let long_word =
        |rest: &str| rest.len() >= 16 && rest.chars().all(|c| c.is_ascii_alphanumeric() || "-_=.".contains(c));
    let is_jwt = || text.starts_with("eyJ") && text.matches('.').count() == 2 && long_word(text);
    text.contains("PRIVATE KEY-----")
        || BEGINNINGS.iter().any(|beginning| text.strip_prefix(beginning).is_some_and(long_word))
        || is_jwt()
}

/// Whether nothing but a secret is called so, or it is a slip of such a name.
pub(super) fn names_one(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let is_plural = |known: &str| name.strip_suffix('s') == Some(known);
    let slip = |known: &str| known.len() >= 8 && strsim::damerau_levenshtein(&name, known) <= 1 && !is_plural(known);
    NAMES.iter().any(|known| *known == name || slip(known))
}

/// Whether a URL, well-formed or not, holds a password: `https://user:password@host`.
pub(super) fn has_password(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).is_some_and(|(_, word)| !word.is_empty())
    })
}

/// Notes every secret in the file.
pub(super) fn refuse(reading: &mut ConfigReader, root: &Node) {
    walk(reading, root, "", "");
}

fn walk(reading: &mut ConfigReader, node: &Node, what: &str, key: &str) {
    match &node.kind {
        Kind::Map(entries) => {
            for (key, value) in entries {
                if is_read_elsewhere(what, &key.name) {
                    continue;
                }
                // Under `labels` stand names that a person has chosen: `token: ci` says what a token is for.
                let name = if what.ends_with("labels") { "" } else { &key.name };
                walk(reading, value, &under(what, &key.name), name);
            }
        }
        Kind::List(list) if what == "sources" => {
            for (index, node) in list.iter().enumerate() {
                walk(reading, node, &source::called(node, index), "");
            }
        }
        Kind::List(list) => {
            for (index, node) in list.iter().enumerate() {
                walk(reading, node, &format!("{what}[{index}]"), key);
            }
        }
        Kind::Text(text) if has_password(text) => {
            let way_out = if key == "proxy" { "leave `proxy` out, and set the variable HTTPS_PROXY" } else { WAY_OUT };
            reading.secret(node.at, format!("{what}: a password stands in the URL; {way_out}"));
        }
        Kind::Text(text) if !text.is_empty() && (names_one(key) || looks_like_one(text)) => {
            reading.secret(node.at, format!("{what}: a secret stands in the configuration; {WAY_OUT}"));
        }
        Kind::Number(_) if names_one(key) => {
            reading.secret(node.at, format!("{what}: a secret stands in the configuration; {WAY_OUT}"));
        }
        _ => {}
    }
}

/// Whether this is a source's `credential`.
fn is_read_elsewhere(what: &str, key: &str) -> bool {
    key == "credential" && what.starts_with("sources")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_form() {
        let secrets = [
            "ghp_0123456789abcdefghij",
            "glpat-0123456789abcdefghij",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        ];
        let others =
            ["ghp_short", "^ghp_", "npm_config_registry", "-----BEGIN CERTIFICATE-----", "eyJ.", "hvs.example.com"];
        for text in secrets {
            assert!(looks_like_one(text), "{text}");
        }
        for text in others {
            assert!(!looks_like_one(text), "{text}");
        }
    }

    #[test]
    fn a_secret_is_known_by_its_name_and_slips_of_it() {
        for name in ["password", "pasword", "api-key", "API_TOKEN", "clientsecret", "token"] {
            assert!(names_one(name), "{name}");
        }
        for name in ["tokens", "api-tokens", "token_name", "key_label", "application_key", "url", "credential_file", ""]
        {
            assert!(!names_one(name), "{name}");
        }
    }
}
