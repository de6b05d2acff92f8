//! The certificates of a source, read when the configuration is.

use super::Tls;
use super::reading::Reading;
use super::values::Values;
use crate::core::secret::Secret;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
const KEY: &str = "PRIVATE KEY-----";
const LOCKED_KEY: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// Reads a source's `tls`.
pub(super) fn read(reading: &mut Reading, values: &Values<'_>) -> Tls {
    let ca = content(reading, values, "ca_file");
    if let Some(ca) = &ca {
        expect(reading, values, "ca_file", ca, CERTIFICATE, "a certificate");
    }
    Tls { ca: ca.map(String::into_bytes), identity: identity(reading, values) }
}

/// The client certificate with its key.
fn identity(reading: &mut Reading, values: &Values<'_>) -> Option<Secret> {
    if !values.given("cert_file") {
        if values.given("key_file") {
            let message = format!("{}: a key needs its certificate in `cert_file`", values.name("key_file"));
            reading.mistake(values.place("key_file"), message);
        }
        return None;
    }
    let certificate = content(reading, values, "cert_file")?;
    expect(reading, values, "cert_file", &certificate, CERTIFICATE, "a certificate");
    if !values.given("key_file") {
        if !certificate.contains(KEY) {
            let message = format!("{}: a certificate needs its key in `key_file`", values.name("cert_file"));
            reading.mistake(values.place("cert_file"), message);
        }
        return Some(Secret::new(certificate));
    }
    let key = content(reading, values, "key_file")?;
    if key.contains(LOCKED_KEY) || key.contains("Proc-Type: 4,ENCRYPTED") {
        let message = format!("{}: the key is locked with a passphrase; give one without", values.name("key_file"));
        reading.mistake(values.place("key_file"), message);
    } else {
        expect(reading, values, "key_file", &key, KEY, "a private key");
    }
    Some(Secret::new(format!("{}\n{key}", certificate.trim_end())))
}

/// Reads the file that a key names.
fn content(reading: &mut Reading, values: &Values<'_>, key: &str) -> Option<String> {
    let path = reading.path(&values.text(key)?);
    let problem = match reading.surroundings().read_file(&path) {
        Ok(content) => match String::from_utf8(content) {
            Ok(content) => return Some(content),
            Err(_) => "is no PEM text; write a DER file as PEM first".to_owned(),
        },
        Err(error) => format!("cannot be read: {error}; let the exporter's user read it, or leave `{key}` out"),
    };
    reading.mistake(values.place(key), format!("{}: the file {} {problem}", values.name(key), path.display()));
    None
}

/// Notes that a file holds something else.
fn expect(reading: &mut Reading, values: &Values<'_>, key: &str, content: &str, mark: &str, kind: &str) {
    if !content.contains(mark) {
        let message = format!("{}: the file holds no {} in PEM form", values.name(key), kind.trim_start_matches("a "));
        reading.mistake(values.place(key), message);
    }
}
