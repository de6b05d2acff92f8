//! The certificates of a source: checked when the configuration is, and read anew at each collection.

use std::path::PathBuf;
use std::sync::Arc;

use super::config_reader::ConfigReader;
use super::environment::Environment;
use super::values::Values;
use crate::core::certificates::{Certificates, SharedCertificates, TlsMaterial};
use crate::core::failure::{Failure, Reason};
use crate::core::secret::Secret;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
const KEY: &str = "PRIVATE KEY-----";
const LOCKED_KEY: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// The files of one source.
struct Files {
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    surroundings: Arc<dyn Environment>,
}

impl Certificates for Files {
    fn read(&self) -> Result<TlsMaterial, Failure> {
        let ca = self.content("ca_file", self.ca.as_ref())?;
        let certificate = self.content("cert_file", self.certificate.as_ref())?;
        let key = self.content("key_file", self.key.as_ref())?;
        let identity = certificate.map(|certificate| match key {
            Some(key) => Secret::new(format!("{}\n{key}", certificate.trim_end())),
            None => Secret::new(certificate),
        });
        Ok(TlsMaterial { ca: ca.map(String::into_bytes), identity })
    }
}

impl Files {
    fn content(&self, name: &str, path: Option<&PathBuf>) -> Result<Option<String>, Failure> {
        let Some(path) = path else { return Ok(None) };
        let problem = match self.surroundings.read_file(path).map(String::from_utf8) {
            Ok(Ok(content)) => return Ok(Some(content)),
            Ok(Err(_)) => "is no PEM text".to_owned(),
            Err(error) => format!("cannot be read: {error}"),
        };
        Err(Failure::new(Reason::Tls, format!("tls.{name}: the file {} {problem}", path.display())))
    }
}

/// Reads a source's `tls`, and checks what the files hold now.
pub(super) fn read(reading: &mut ConfigReader, values: &Values<'_>) -> SharedCertificates {
    if let Some(ca) = content(reading, values, "ca_file") {
        expect(reading, values, "ca_file", &ca, CERTIFICATE, "certificate");
    }
    check_identity(reading, values);
    let path = |name| values.text(name).map(|written| reading.path(&written));
    Arc::new(Files {
        ca: path("ca_file"),
        certificate: path("cert_file"),
        key: path("key_file"),
        surroundings: Arc::clone(reading.surroundings()),
    })
}

/// Checks the client certificate with its key.
fn check_identity(reading: &mut ConfigReader, values: &Values<'_>) {
    if !values.given("cert_file") {
        if values.given("key_file") {
            let message = format!("{}: a key needs its certificate in `cert_file`", values.name("key_file"));
            reading.error(values.place("key_file"), message);
        }
        return;
    }
    let Some(certificate) = content(reading, values, "cert_file") else { return };
    expect(reading, values, "cert_file", &certificate, CERTIFICATE, "certificate");
    if !values.given("key_file") {
        if !certificate.contains(KEY) {
            let message = format!("{}: a certificate needs its key in `key_file`", values.name("cert_file"));
            reading.error(values.place("cert_file"), message);
        }
        return;
    }
    let Some(key) = content(reading, values, "key_file") else { return };
    if key.contains(LOCKED_KEY) || key.contains("Proc-Type: 4,ENCRYPTED") {
        let message = format!("{}: the key is locked with a passphrase; give one without", values.name("key_file"));
        reading.error(values.place("key_file"), message);
    } else {
        expect(reading, values, "key_file", &key, KEY, "private key");
    }
}

/// Reads the file that a key names.
fn content(reading: &mut ConfigReader, values: &Values<'_>, key: &str) -> Option<String> {
    let path = reading.path(&values.text(key)?);
    let problem = match reading.surroundings().read_file(&path) {
        Ok(content) => match String::from_utf8(content) {
            Ok(content) => return Some(content),
            Err(_) => "is no PEM text; write a DER file as PEM first".to_owned(),
        },
        Err(error) => format!("cannot be read: {error}; let the exporter's user read it, or leave `{key}` out"),
    };
    reading.error(values.place(key), format!("{}: the file {} {problem}", values.name(key), path.display()));
    None
}

/// Notes that a file holds something else.
fn expect(reading: &mut ConfigReader, values: &Values<'_>, key: &str, content: &str, mark: &str, kind: &str) {
    if !content.contains(mark) {
        let message = format!("{}: the file holds no {kind} in PEM form", values.name(key));
        reading.error(values.place(key), message);
    }
}
