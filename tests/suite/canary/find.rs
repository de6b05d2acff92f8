//! Looks for secrets in whatever the program has let out, in every spelling in which they may stand there.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use url::form_urlencoded::byte_serialize;

/// A place where nothing secret may stand, and what stands there.
pub struct Place {
    pub name: String,
    pub content: Vec<u8>,
}

/// So many characters at the head of a secret are looked for by themselves: a message may have been cut.
const HEAD: usize = 20;

/// The ways in which a secret may be written.
pub fn spellings(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let inner = |quoted: String| quoted.as_bytes()[1..quoted.len() - 1].to_vec();
    let percent: String = byte_serialize(secret.as_bytes()).collect();
    let hex = secret.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let mut url = url::Url::parse("http://h/").unwrap();
    url.set_query(Some(secret));
    let mut found = vec![
        ("as it is", secret.as_bytes().to_vec()),
        ("its head", secret.chars().take(HEAD).collect::<String>().into_bytes()),
        ("percent-encoded", percent.clone().into_bytes()),
        ("percent-encoded as a URL is", url.query().unwrap().as_bytes().to_vec()),
        ("percent-encoded in lower case", percent.to_ascii_lowercase().into_bytes()),
        ("as JSON", inner(serde_json::to_string(secret).unwrap())),
        ("as Rust shows it", inner(format!("{secret:?}"))),
        ("in HTML", secret.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").into_bytes()),
        ("in hexadecimal", hex.clone().into_bytes()),
        ("in large hexadecimal", hex.to_ascii_uppercase().into_bytes()),
    ];
    // In base64 three bytes become four: it depends on what stands before. What its neighbours change is left away.
    for before in 0..3 {
        let padded = [&vec![b'x'; before][..], secret.as_bytes()].concat();
        for (name, encoded) in [
            ("in base64", BASE64_STANDARD_NO_PAD.encode(&padded)),
            ("in base64 for URLs", BASE64_URL_SAFE_NO_PAD.encode(&padded)),
        ] {
            let (from, to) = ((before * 4).div_ceil(3), encoded.len() - 2);
            found.push((name, encoded.as_bytes()[from..to].to_vec()));
        }
    }
    found
}

/// Every secret that stands somewhere, a line each.
pub fn found(secrets: &[(&'static str, String)], places: &[Place]) -> Vec<String> {
    // Every spelling is Unicode, and the standard library's search in texts is fast.
    let texts: Vec<_> = places.iter().map(|place| (&place.name, String::from_utf8_lossy(&place.content))).collect();
    let mut found = Vec::new();
    for (name, secret) in secrets {
        for (spelling, needle) in spellings(secret) {
            let needle = String::from_utf8(needle).unwrap();
            let holding = texts.iter().filter(|(_, text)| text.contains(&needle));
            found.extend(holding.map(|(place, _)| format!("{name}, {spelling}: {place}")));
        }
    }
    found
}

#[test]
fn a_secret_is_found_in_every_spelling() {
    let secrets = [("planted", "cnry-planted-Qz7~/+%26\"x<&ü".to_owned())];
    for (spelling, needle) in spellings(&secrets[0].1) {
        for around in [b"" as &[u8], b"level=info msg=\"x\xff"] {
            let content = [around, &needle, around].concat();
            let places = [Place { name: "a line of the log".into(), content }];
            let found = found(&secrets, &places);
            assert!(found.iter().any(|line| line.contains(spelling)), "{spelling}: {found:?}");
        }
    }
    let basic = BASE64_STANDARD_NO_PAD.encode(format!("jane:{}", secrets[0].1));
    assert!(!found(&secrets, &[Place { name: "a header".into(), content: basic.into_bytes() }]).is_empty());
    assert!(found(&secrets, &[Place { name: "a page".into(), content: b"nothing of it: cnry".to_vec() }]).is_empty());
}
