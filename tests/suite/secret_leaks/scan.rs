//! Finds secrets in the outputs of the exporter, in every encoding.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use url::form_urlencoded::byte_serialize;

/// Something that the exporter wrote, which must not contain a secret.
pub struct Output {
    pub name: String,
    pub content: Vec<u8>,
}

/// Length of the prefix that is searched for by itself: a message may have been truncated.
const PREFIX: usize = 20;

/// A secret in every encoding.
fn encodings(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let inner = |quoted: String| quoted.as_bytes()[1..quoted.len() - 1].to_vec();
    let percent: String = byte_serialize(secret.as_bytes()).collect();
    let hex = secret.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let mut url = url::Url::parse("http://h/").unwrap();
    url.set_query(Some(secret));
    let mut found = vec![
        ("verbatim", secret.as_bytes().to_vec()),
        ("prefix", secret.chars().take(PREFIX).collect::<String>().into_bytes()),
        ("percent-encoded", percent.clone().into_bytes()),
        ("percent-encoded as in a URL", url.query().unwrap().as_bytes().to_vec()),
        ("percent-encoded in lower case", percent.to_ascii_lowercase().into_bytes()),
        ("as JSON", inner(serde_json::to_string(secret).unwrap())),
        ("as Rust's Debug", inner(format!("{secret:?}"))),
        ("in HTML", secret.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").into_bytes()),
        ("in hexadecimal", hex.clone().into_bytes()),
        ("in large hexadecimal", hex.to_ascii_uppercase().into_bytes()),
    ];
    // Base64 encodes three bytes as four characters, so the offset matters. Characters that depend on the neighbours are omitted.
    for offset in 0..3 {
        let padded = [&vec![b'x'; offset][..], secret.as_bytes()].concat();
        for (name, encoded) in [
            ("in base64", BASE64_STANDARD_NO_PAD.encode(&padded)),
            ("in base64 for URLs", BASE64_URL_SAFE_NO_PAD.encode(&padded)),
        ] {
            let (from, to) = ((offset * 4).div_ceil(3), encoded.len() - 2);
            found.push((name, encoded.as_bytes()[from..to].to_vec()));
        }
    }
    found
}

/// Every occurrence of a secret, one line each.
pub fn find(secrets: &[(&'static str, String)], outputs: &[Output]) -> Vec<String> {
    // Every encoding is Unicode, and the standard library searches texts fast.
    let texts: Vec<_> = outputs.iter().map(|output| (&output.name, String::from_utf8_lossy(&output.content))).collect();
    let mut found = Vec::new();
    for (name, secret) in secrets {
        for (encoding, needle) in encodings(secret) {
            let needle = String::from_utf8(needle).unwrap();
            let matches = texts.iter().filter(|(_, text)| text.contains(&needle));
            found.extend(matches.map(|(output, _)| format!("{name}, {encoding}: {output}")));
        }
    }
    found
}

#[test]
fn find_recognises_every_encoding() {
    let secrets = [("planted", "cnry-planted-Qz7~/+%26\"x<&ü".to_owned())];
    for (encoding, needle) in encodings(&secrets[0].1) {
        for around in [b"" as &[u8], b"level=info msg=\"x\xff"] {
            let content = [around, &needle, around].concat();
            let outputs = [Output { name: "a log line".into(), content }];
            let found = find(&secrets, &outputs);
            assert!(found.iter().any(|line| line.contains(encoding)), "{encoding}: {found:?}");
        }
    }
    let basic = BASE64_STANDARD_NO_PAD.encode(format!("jane:{}", secrets[0].1));
    assert!(!find(&secrets, &[Output { name: "a header".into(), content: basic.into_bytes() }]).is_empty());
    assert!(find(&secrets, &[Output { name: "a page".into(), content: b"no secret: cnry".to_vec() }]).is_empty());
}
