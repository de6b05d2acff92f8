//! Finds secrets in the file itself, from which they would get into a repository, a backup or a screenshot.
//!
//! Only what is plainly a secret is refused: a value with a name that can mean nothing else, the form of a known vendor's
//! token, a private key, a URL with a password.

use crate::schema::reader::{Reader, element_paths, join};
use crate::schema::yaml::{Kind, Node};

/// Names of secrets. A provider's setting never has one of them: a definition has `{credential}` for it.
const NAMES: &str = "access_token api_key api_secret api_token apikey app_secret auth_token bearer_token \
                     client_secret credential credentials passphrase passwd password personal_access_token \
                     private_key refresh_token secret secret_access_key secret_id secret_key token";

/// The prefixes of well-known vendors' tokens.
const PREFIXES: &str = "ATATT ATBB ATCTT HRKU- dckr_pat_ dop_v1_ gho_ ghp_ ghr_ ghs_ ghu_ github_pat_ gldt- glpat- \
                     glrt- hvb. hvs. npm_ pypi- shpat_ sk-ant- sk_live_ tskey- xoxb- xoxp-";

/// The key of a source with further headers.
pub(super) const HEADERS: &str = "headers";

/// What to do instead.
pub(super) const REMEDY: &str =
    "use a file or an environment variable: `credential: {file: PATH}` or `credential: {env: NAME}`";

/// Whether a text has the form of a secret.
pub(super) fn looks_like_secret(text: &str) -> bool {
    let text = text.trim();
    let long_word =
        |rest: &str| rest.len() >= 16 && rest.chars().all(|c| c.is_ascii_alphanumeric() || "-_=.".contains(c));
    let is_jwt = || text.starts_with("eyJ") && text.matches('.').count() == 2 && long_word(text);
    text.contains("PRIVATE KEY-----")
        || PREFIXES.split(' ').any(|prefix| text.strip_prefix(prefix).is_some_and(long_word))
        || is_jwt()
}

/// Whether this is the name of a secret, or a misspelling of one.
pub(super) fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let is_plural = |known: &str| name.strip_suffix('s') == Some(known);
    let length = name.chars().count();
    let is_misspelt = |known: &str| {
        // The lengths are compared first because the distance is slow for every key of a long list.
        known.len() >= 8
            && known.len().abs_diff(length) <= 1
            && strsim::damerau_levenshtein(&name, known) <= 1
            && !is_plural(known)
    };
    NAMES.split(' ').any(|known| known == name || is_misspelt(known))
}

/// Words in the names of headers with a secret.
const HEADER_WORDS: [&str; 15] = [
    "token",
    "secret",
    "key",
    "keys",
    "apikey",
    "accesskey",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "credentials",
    "authorization",
    "auth",
    "cookie",
    "bearer",
];

/// Last words in the names of headers that say something about a secret.
const HEADER_FACTS: [&str; 7] = ["id", "name", "type", "kind", "version", "provider", "method"];

/// Whether a header of this name has a secret: `X-Api-Key` and `X-Auth-Token`, but not `X-Key-Id`.
pub(super) fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let is_fact = words.last().is_some_and(|last| HEADER_FACTS.contains(last));
    let is_secret = |word: &&str| {
        HEADER_WORDS.contains(word)
            || ["token", "secret", "password", "apikey", "authorization"].iter().any(|end| word.ends_with(end))
    };
    !is_fact && words.iter().any(is_secret)
}

/// Whether a URL, well-formed or not, holds a password: `https://user:password@host`.
pub(super) fn has_password(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).is_some_and(|(_, word)| !word.is_empty())
    })
}

/// Reports every secret in the file. `credential` has its own reader.
pub(super) fn report(reader: &mut Reader, root: &Node) {
    visit(reader, root, "", "");
}

fn visit(reader: &mut Reader, node: &Node, path: &str, key: &str) {
    let problem = match &node.kind {
        Kind::Map(entries) => {
            // A source's headers and, anywhere in it, a credential have readers of their own.
            let is_source = key == "sources";
            let is_read_elsewhere = |name: &str| match name {
                "credential" => path.starts_with("sources"),
                HEADERS => is_source,
                _ => false,
            };
            for (key, value) in entries.iter().filter(|(key, _)| !is_read_elsewhere(&key.name)) {
                // The names under `labels` are free: `token: ci` says what a token is for.
                let name = if path.ends_with("labels") { "" } else { &key.name };
                visit(reader, value, &join(path, &key.name), name);
            }
            return;
        }
        Kind::List(_) => {
            let is_secret = |name: &Node| name.as_text().is_some_and(looks_like_secret);
            element_paths(node, path, is_secret).for_each(|(path, element)| visit(reader, element, &path, key));
            return;
        }
        Kind::Text(text) if has_password(text) && key == "proxy" => {
            "the URL contains a password; omit `proxy`, and set the variable HTTPS_PROXY".to_owned()
        }
        Kind::Text(text) if has_password(text) => format!("the URL contains a password; {REMEDY}"),
        Kind::Text(text) if !text.is_empty() && (names_secret(key) || looks_like_secret(text)) => {
            format!("secrets are not allowed in the configuration; {REMEDY}")
        }
        Kind::Number(_) if names_secret(key) => format!("secrets are not allowed in the configuration; {REMEDY}"),
        _ => return,
    };
    reader.secret(node.at, format!("{path}: {problem}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_like_secret_knows_the_forms_of_vendors() {
        let secrets = [
            "ghp_0123456789abcdefghij",
            "glpat-0123456789abcdefghij",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        ];
        let others =
            ["ghp_short", "^ghp_", "npm_config_registry", "-----BEGIN CERTIFICATE-----", "eyJ.", "hvs.example.com"];
        for text in secrets {
            assert!(looks_like_secret(text), "{text}");
        }
        for text in others {
            assert!(!looks_like_secret(text), "{text}");
        }
    }

    #[test]
    fn secret_header_is_one_with_the_word_unless_the_last_one_is_a_fact() {
        for name in [
            "Authorization",
            "Proxy-Authorization",
            "X-Api-Key",
            "apikey",
            "X-Auth",
            "x-auth-token",
            "XAuthToken",
            "CF-Access-Client-Secret",
            "Cookie",
            "X_API_KEY",
            "Ocp-Apim-Subscription-Key",
            "X-Password",
        ] {
            assert!(is_secret_header(name), "{name}");
        }
        for name in ["CF-Access-Client-Id", "X-Key-Id", "X-Token-Type", "X-Team", "X-Monkey", "Authority", "X-Keyboard"]
        {
            assert!(!is_secret_header(name), "{name}");
        }
    }

    #[test]
    fn names_secret_knows_names_and_their_misspellings() {
        for name in ["password", "pasword", "api-key", "API_TOKEN", "clientsecret", "token"] {
            assert!(names_secret(name), "{name}");
        }
        for name in ["tokens", "api-tokens", "token_name", "key_label", "application_key", "url", "credential_file", ""]
        {
            assert!(!names_secret(name), "{name}");
        }
    }
}
