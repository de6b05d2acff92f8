//! Errors of the store as one sentence: the problem and the remedy, never a secret.

use std::error::Error as _;

use object_store::Error;
use object_store::client::HttpErrorKind;

use super::client::{Refusal, Unanswered};
use super::location::{Location, Service};
use crate::storage::shared::StoreError;

/// What was requested; decides which permission a refusal lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    List,
    Get,
    Put,
    Delete,
}

impl Operation {
    fn permission(self, service: Service) -> &'static str {
        match (service, self) {
            (Service::S3, Self::List) => "s3:ListBucket on the bucket",
            (Service::S3, Self::Get) => {
                "s3:GetObject on the prefix, and s3:ListBucket on the bucket, without which a missing object is refused too"
            }
            (Service::S3, Self::Put) => "s3:PutObject on the prefix",
            (Service::S3, Self::Delete) => "s3:DeleteObject on the prefix",
            (Service::Azure, _) => "the role Storage Blob Data Contributor on the container",
            (Service::Google, _) => "the role Storage Object User on the bucket",
            (Service::Directory, _) => "read and write access to the directory",
        }
    }
}

/// The error of a request to the store.
pub(super) fn store_error(location: &Location, operation: Operation, error: &Error) -> StoreError {
    let (temporary, problem) = explain(location, operation, error);
    let text = format!("{location}: {problem}");
    if temporary { StoreError::Unavailable(text) } else { StoreError::Refused(text) }
}

/// Whether the object does not exist, as opposed to its bucket.
pub(super) fn is_missing_object(error: &Error) -> bool {
    let names_bucket = |code: &str| matches!(code, "NoSuchBucket" | "ContainerNotFound" | "ResourceNotFound");
    matches!(error, Error::NotFound { .. }) && !refusal(error).is_some_and(|refusal| names_bucket(&refusal.code))
}

/// Finds the response of the service in an error.
fn refusal(error: &Error) -> Option<Refusal> {
    Refusal::find(&error.to_string())
}

/// Finds the cause of a request without a response.
fn unanswered(error: &Error) -> Option<&Unanswered> {
    let mut cause = error.source();
    while let Some(source) = cause {
        if let Some(found) = source.downcast_ref::<Unanswered>() {
            return Some(found);
        }
        cause = source.source();
    }
    None
}

/// Whether it may be over by itself, and the problem with its remedy.
fn explain(location: &Location, operation: Operation, error: &Error) -> (bool, String) {
    let service = location.service;
    if let Some(unanswered) = unanswered(error) {
        return (true, explain_unanswered(service, unanswered));
    }
    if let Some(refusal) = refusal(error) {
        return explain_refusal(service, operation, &refusal);
    }
    if service == Service::Directory {
        return (true, format!("{}; the directory must be writable", root_cause(error)));
    }
    match error {
        Error::NotImplemented { .. } | Error::NotSupported { .. } => {
            (false, "the store does not support conditional puts; use another one".to_owned())
        }
        // The text of any other error may quote a response.
        _ => (true, format!("the response is not one of {}; check the address of the store", name(service))),
    }
}

fn explain_unanswered(service: Service, unanswered: &Unanswered) -> String {
    let Unanswered { host, what, kind, issues_credentials } = unanswered;
    if *issues_credentials {
        let (key, role) = match service {
            Service::S3 => ("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "IRSA"),
            Service::Azure => ("AZURE_STORAGE_ACCOUNT_KEY", "a workload identity"),
            Service::Google | Service::Directory => ("GOOGLE_APPLICATION_CREDENTIALS", "a workload identity"),
        };
        return format!(
            "no credentials: {host} of the machine's own role does not respond ({what}); set {key}, or use {role}"
        );
    }
    let endpoint = match service {
        Service::S3 => "AWS_ENDPOINT_URL and AWS_REGION",
        Service::Azure => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_ENDPOINT",
        Service::Google | Service::Directory => "the network",
    };
    let lower = what.to_ascii_lowercase();
    if lower.contains("scheme is not allowed") {
        let prefix = service.variables();
        return format!(
            "the address of {host} is http://, which sends data unencrypted; use https://, or set {prefix}ALLOW_HTTP=true"
        );
    }
    if lower.contains("certificate") {
        return format!("{host}: {what}; set SSL_CERT_FILE to a PEM file with the CA of the store");
    }
    match kind {
        HttpErrorKind::Timeout => format!("{host}: {what}; check the network and {endpoint}"),
        _ => format!("cannot connect to {host}: {what}; check the network and {endpoint}"),
    }
}

fn explain_refusal(service: Service, operation: Operation, refusal: &Refusal) -> (bool, String) {
    let Refusal { status, code } = refusal;
    let answer =
        if code.is_empty() { format!("refused with {status}") } else { format!("refused with {status} {code}") };
    let term = service.bucket_term();
    let remedy = match (status, code.as_str()) {
        (_, "NoSuchBucket" | "ContainerNotFound") => {
            return (false, format!("the {term} does not exist; create it, or correct --storage.url"));
        }
        (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "AuthenticationFailed" | "InvalidClientTokenId")
        | (401, _) => "check the credentials of the store and the clock of this machine".to_owned(),
        (_, "ExpiredToken" | "ExpiredTokenException" | "invalid_grant") => {
            "the credentials expired; renew them, or use a role".to_owned()
        }
        (_, "RequestTimeTooSkewed") => "correct the clock of this machine".to_owned(),
        (_, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")
        | (300..=399, _) => match service {
            Service::S3 => "the bucket is in another region; set AWS_REGION".to_owned(),
            _ => "the address of the store redirects; correct it".to_owned(),
        },
        (403, _) => format!("the credentials lack {}", operation.permission(service)),
        (404, _) => "check --storage.url and the address of the store".to_owned(),
        (408 | 429 | 500..=599, _) => return (true, format!("{answer}; it is retried")),
        // Conditional puts treat these as another writer; in other requests they are temporary.
        (409 | 412, _) => return (true, format!("{answer}; it is retried")),
        _ => "check --storage.url and the settings of the store".to_owned(),
    };
    (false, format!("{answer}; {remedy}"))
}

/// The vendor's name.
fn name(service: Service) -> &'static str {
    match service {
        Service::S3 => "S3",
        Service::Azure => "Azure Blob Storage",
        Service::Google => "Google Cloud Storage",
        Service::Directory => "a directory",
    }
}

fn root_cause(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
