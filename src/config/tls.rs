//! The certificates of a source: checked with the configuration, and read at each collection.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::environment::FileEnvironment;
use crate::core::certificates::{Certificates, SharedCertificates, TlsMaterial};
use crate::core::failure::{Failure, Reason};
use crate::core::pem;
use crate::core::secret::Secret;
use crate::schema::reader::Reader;
use crate::schema::record::Record;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
const KEY: &str = "PRIVATE KEY-----";
const ENCRYPTED_KEY: [&str; 2] = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];

/// What a text in PEM contains.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pem {
    Certificate,
    Key,
}

/// The text in its usual form.
///
/// # Errors
/// Why it is not what it should be. Nothing of it is quoted.
pub(super) fn checked(text: &str, pem: Pem) -> Result<String, String> {
    let text = pem::normalize(text);
    match pem {
        Pem::Certificate if !text.contains(CERTIFICATE) => Err("no certificate in PEM form".to_owned()),
        Pem::Key if !text.contains(KEY) => {
            Err(format!("no private key in PEM form; found {}", pem::describe_key(&text)))
        }
        Pem::Key if ENCRYPTED_KEY.iter().any(|mark| text.contains(mark)) => {
            Err("the key is encrypted with a passphrase; use one that is not".to_owned())
        }
        _ => Ok(text),
    }
}

struct TlsFiles {
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    environment: FileEnvironment,
}

impl TlsFiles {
    fn read_file(&self, key: &str, path: Option<&Path>) -> Result<Option<String>, Failure> {
        let read = path.map(|path| read_pem(&self.environment, path)).transpose();
        read.map_err(|problem| Failure::new(Reason::Tls, format!("tls.{key}: {problem}")))
    }
}

impl Certificates for TlsFiles {
    fn read(&self) -> Result<TlsMaterial, Failure> {
        let ca = self.read_file("ca_file", self.ca.as_deref())?;
        let certificate = self.read_file("cert_file", self.certificate.as_deref())?;
        let key = self.read_file("key_file", self.key.as_deref())?;
        let identity = certificate.map(|certificate| match key {
            Some(key) => Secret::new(format!("{}\n{key}", certificate.trim_end())),
            None => Secret::new(certificate),
        });
        Ok(TlsMaterial { ca: ca.map(String::into_bytes), identity })
    }
}

fn read_pem(environment: &FileEnvironment, path: &Path) -> Result<String, String> {
    environment.read_text(path).map(|text| pem::normalize(&text))
}

/// Reads a source's `tls`, and checks the present content of the files.
pub(super) fn read(reader: &mut Reader, environment: &FileEnvironment, values: &Record<'_>) -> SharedCertificates {
    let mut report = |key: &str, problem: &str| {
        reader.error(values.value_at(key), format!("{}: {problem}", values.path_of(key)));
    };
    let path = |key: &str| values.text(key).map(|written| environment.path(&written));
    let mut content = |key: &str, pem: Pem| {
        let content = environment.read_text(&path(key)?);
        let content =
            content.map_err(|problem| format!("{problem}; expected a PEM file that the exporter's user can read"));
        content.and_then(|content| checked(&content, pem)).inspect_err(|problem| report(key, problem)).ok()
    };
    content("tls.ca_file", Pem::Certificate);
    let certificate = content("tls.cert_file", Pem::Certificate);
    content("tls.key_file", Pem::Key);
    match (values.is_given("tls.cert_file"), values.is_given("tls.key_file")) {
        (false, true) => report("tls.key_file", "a key needs its certificate in `cert_file`"),
        (true, false) if certificate.is_some_and(|certificate| !certificate.contains(KEY)) => {
            report("tls.cert_file", "a certificate needs its key in `key_file`");
        }
        _ => {}
    }
    Arc::new(TlsFiles {
        ca: path("tls.ca_file"),
        certificate: path("tls.cert_file"),
        key: path("tls.key_file"),
        environment: environment.clone(),
    })
}
