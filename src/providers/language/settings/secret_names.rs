//! Names of settings under which people would write a secret into the configuration.

/// Last words of names of secrets.
const SECRET_NOUNS: [&str; 9] =
    ["password", "passwd", "passphrase", "secret", "token", "bearer", "credential", "apikey", "cookie"];

/// The words before `key` in names of secrets. An access key and an application key are public at some vendors.
const SECRET_KEYS: [&str; 6] = ["api", "auth", "encryption", "private", "secret", "signing"];

/// Whether a name is that of a secret, such as `client_secret` or `apiKey`, and not that of something about one, such as `token_name`.
pub(in crate::providers::language) fn is_secret_name(name: &str) -> bool {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && words.ends_with(|last: char| last.is_lowercase()) {
            words.push(' ');
        }
        words.push(if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { ' ' });
    }
    let mut words = words.split_whitespace().rev();
    let last = words.next().unwrap_or_default().trim_end_matches('s');
    let before = words.next().unwrap_or_default();
    SECRET_NOUNS.iter().any(|noun| last.ends_with(noun)) || last == "key" && SECRET_KEYS.contains(&before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_name_is_one_whose_last_word_is_a_secret() {
        for name in [
            "password",
            "admin_password",
            "passphrase",
            "secret",
            "client_secret",
            "client-secrets",
            "token",
            "tokens",
            "api_token",
            "apiToken",
            "accessToken",
            "credentials",
            "api_key",
            "api-keys",
            "apikey",
            "apiKey",
            "privateKey",
            "signing_key",
            "session_cookie",
            "mypassword",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "token_name",
            "token_id",
            "token_prefix",
            "key_id",
            "key_label",
            "owner_keys",
            "expiry_keys",
            "application_key",
            "access_key",
            "secret_mounts",
            "all_secrets_of",
            "tokenizer",
            "url",
            "users",
            "keys",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
