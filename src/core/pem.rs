//! PEM as it arrives from secret stores, environment variables and YAML: in one line, with escaped line breaks, indented, in
//! quotes, in base64, or with a byte order mark. <https://www.rfc-editor.org/rfc/rfc7468>

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// The blocks of a text, each in lines of 64 characters; the text itself if it has none.
pub fn normalize(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '"' | '\''));
    if !text.contains(BEGIN) {
        let decoded = decode(text).map(|text| normalize(&text)).filter(|text| text.contains(BEGIN));
        return decoded.unwrap_or_else(|| text.to_owned());
    }
    let text = text.replace("\\\\n", "\n").replace("\\r", "").replace("\\n", "\n").replace("\\t", " ");
    let mut blocks = String::new();
    let mut rest = text.as_str();
    while let Some((block, after)) = first_block(rest) {
        blocks.push_str(&block);
        rest = after;
    }
    // A damaged block stays as it is, so that parsing reports it.
    if rest.contains(BEGIN) {
        blocks.push_str(rest.trim_start());
    }
    if blocks.is_empty() { text } else { blocks }
}

/// Why a text is not a private key in PEM: its form, without its content.
pub fn describe_key(text: &str) -> &'static str {
    let normal = normalize(text);
    let has = |mark: &str| normal.contains(mark);
    if has("BEGIN OPENSSH PRIVATE KEY") {
        "an OpenSSH key; convert a copy with `ssh-keygen -p -m PEM -f FILE`"
    } else if has("PuTTY-User-Key-File") {
        "a PuTTY key; export it in OpenSSL's format"
    } else if has("ENCRYPTED") {
        "a key that is encrypted with a passphrase; use one that is not"
    } else if has("BEGIN EC PRIVATE KEY") {
        "an elliptic curve key"
    } else if has("PUBLIC KEY-----") {
        "a public key; use the private one"
    } else if has("BEGIN CERTIFICATE") {
        "a certificate; use its private key"
    } else if has(BEGIN) && !has("-----END ") {
        "a PEM block without its END line; copy the whole file"
    } else if has(BEGIN) {
        "a damaged PEM block; copy the file again"
    } else if normal.starts_with("SHA256:") {
        "a key's fingerprint; use the key itself"
    } else if normal.starts_with(['/', '~']) || normal.ends_with(".pem") {
        "the path of a file; write `credential: {file: PATH}`"
    } else if decode(text).is_some() {
        "base64 without a key in it"
    } else {
        "text without a PEM block"
    }
}

/// The first block, and the rest of the text.
fn first_block(text: &str) -> Option<(String, &str)> {
    let (_, after) = text.split_once(BEGIN)?;
    let (label, after) = after.split_once(DASHES)?;
    let (body, after) = after.split_once(&format!("-----END {label}{DASHES}"))?;
    let lines = body.split('\n').map(str::trim).filter(|line| !line.is_empty());
    // Headers, as of an encrypted key in OpenSSL's old form, keep their lines.
    let lines: Vec<String> = if body.contains(':') {
        lines.map(|line| if line.starts_with("DEK-Info") { format!("{line}\n") } else { line.to_owned() }).collect()
    } else {
        let body: Vec<char> = lines.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect();
        body.chunks(64).map(|line| line.iter().collect()).collect()
    };
    Some((format!("{BEGIN}{label}{DASHES}\n{}\n-----END {label}{DASHES}\n", lines.join("\n")), after))
}

/// Base64, in one line or several, as text.
fn decode(text: &str) -> Option<String> {
    let text: String = text.split_whitespace().collect::<String>().replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - text.len() % 4) % 4);
    let bytes = BASE64_STANDARD.decode(text + &padding).ok().filter(|bytes| !bytes.is_empty())?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> String {
        let lines = ["A".repeat(64), "B".repeat(64), "CD+/==".to_owned()];
        format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", lines.join("\n"))
    }

    #[test]
    fn normalize_restores_every_form_of_a_key() {
        let key = key();
        let one_line = key.replace('\n', "\\n");
        let forms = [
            key.clone(),
            key.replace('\n', "\r\n"),
            one_line.clone(),
            format!("\"{one_line}\""),
            format!("'{}'\n", key.replace('\n', "\\\\n")),
            key.replace('\n', "\\r\\n"),
            key.replace('\n', " "),
            key.replace('\n', ""),
            format!("\u{feff}{key}"),
            key.lines().map(|line| format!("    {line}\n")).collect(),
            BASE64_STANDARD.encode(&key),
            BASE64_STANDARD.encode(&one_line),
            BASE64_STANDARD.encode(BASE64_STANDARD.encode(&key)),
            BASE64_STANDARD
                .encode(&key)
                .as_bytes()
                .chunks(76)
                .map(|line| String::from_utf8_lossy(line) + "\n")
                .collect(),
            BASE64_STANDARD.encode(&key).trim_end_matches('=').to_owned(),
            format!("Bag Attributes\n    friendlyName: x\n{key}"),
        ];
        for form in forms {
            assert_eq!(normalize(&form), key, "{form}");
        }
        assert_eq!(normalize(&key.repeat(2)), key.repeat(2));
        assert_eq!(normalize("no key"), "no key");
        let cut = format!("{key}{}", &key[..50]);
        assert_eq!(normalize(&cut), cut, "a damaged block is not lost");
    }

    #[test]
    fn describe_key_names_the_form_without_the_content() {
        let block = |label: &str| format!("-----BEGIN {label}-----\nU0VDUkVU\n-----END {label}-----\n");
        let cases = [
            (block("OPENSSH PRIVATE KEY"), "OpenSSH"),
            (block("EC PRIVATE KEY"), "elliptic curve"),
            (block("ENCRYPTED PRIVATE KEY"), "passphrase"),
            (block("PUBLIC KEY"), "public key"),
            (block("CERTIFICATE"), "certificate"),
            (block("RSA PRIVATE KEY"), "damaged"),
            ("-----BEGIN RSA PRIVATE KEY-----\nU0VDUkVU".to_owned(), "without its END line"),
            ("PuTTY-User-Key-File-3: ssh-rsa".to_owned(), "PuTTY"),
            ("/etc/keys/app.private-key.pem".to_owned(), "path"),
            ("SHA256:U0VDUkVU".to_owned(), "fingerprint"),
            (BASE64_STANDARD.encode("SECRET words"), "base64"),
            ("SECRET".repeat(3) + "!", "without a PEM block"),
        ];
        for (text, form) in cases {
            let described = describe_key(&text);
            assert!(described.contains(form) && !described.contains("SECRET"), "{text}: {described}");
        }
    }
}
