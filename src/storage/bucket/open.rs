//! From a URL and the environment to a client.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::client::Connector;
use super::limits::Limits;
use super::location::{Location, Service};

/// The crate's default is ten retries in three minutes, longer than a claim lasts.
fn retries(limits: Limits) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(1),
            base: 2.0,
        },
        max_retries: 2,
        retry_timeout: limits.total.saturating_sub(limits.request),
    }
}

/// # Errors
/// If the environment variables of the service are incomplete.
pub(super) fn open(
    location: &Location,
    variables: Vec<(String, String)>,
    limits: Limits,
) -> Result<Arc<dyn ObjectStore>, String> {
    let bucket = location.bucket.as_str();
    let opened: object_store::Result<Arc<dyn ObjectStore>> = match location.service {
        Service::Directory => return directory(&location.directory()),
        Service::S3 => {
            let builder = AmazonS3Builder::new()
                .with_client_options(ClientOptions::new())
                .with_http_connector(Connector(limits.request))
                .with_retry(retries(limits))
                .with_disable_tagging(true);
            let builder = variables.into_iter().fold(builder, |builder, (name, value)| match name.parse() {
                Ok(AmazonS3ConfigKey::Client(key)) if key != object_store::ClientConfigKey::AllowHttp => builder,
                Ok(key) => builder.with_config(key, value),
                Err(_) => builder,
            });
            // One object at a time: the request for many is missing in some servers.
            let builder = builder.with_config(AmazonS3ConfigKey::DisableBulkDelete, "true");
            builder.with_bucket_name(bucket).build().map(|store| Arc::new(store) as _)
        }
        Service::Azure => {
            let builder = MicrosoftAzureBuilder::new()
                .with_client_options(ClientOptions::new())
                .with_http_connector(Connector(limits.request))
                .with_retry(retries(limits))
                .with_disable_tagging(true);
            let builder = variables.into_iter().fold(builder, |builder, (name, value)| match name.parse() {
                Ok(AzureConfigKey::Client(key)) if key != object_store::ClientConfigKey::AllowHttp => builder,
                Ok(key) => builder.with_config(key, value),
                Err(_) => builder,
            });
            builder.with_container_name(bucket).build().map(|store| Arc::new(store) as _)
        }
        Service::Google => {
            let builder = GoogleCloudStorageBuilder::new()
                .with_client_options(ClientOptions::new())
                .with_http_connector(Connector(limits.request))
                .with_retry(retries(limits));
            let builder = variables.into_iter().fold(builder, |builder, (name, value)| match name.parse() {
                Ok(GoogleConfigKey::Client(key)) if key != object_store::ClientConfigKey::AllowHttp => builder,
                Ok(key) => builder.with_config(key, value),
                Err(_) => builder,
            });
            builder.with_bucket_name(bucket).build().map(|store| Arc::new(store) as _)
        }
    };
    // The crate's message could quote a key or a file.
    opened.map_err(|error| format!("{}: {}", incomplete(&error), remedy(location.service)))
}

/// Creates a directory that only this user may read.
fn directory(path: &FilePath) -> Result<Arc<dyn ObjectStore>, String> {
    let opened = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| error.to_string())
        .and_then(|()| LocalFileSystem::new_with_prefix(path).map_err(|error| error.to_string()));
    match opened {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(format!("cannot open the directory: {error}; it must be writable")),
    }
}

/// Which setting is missing or invalid, without its value.
fn incomplete(error: &object_store::Error) -> &'static str {
    let text = error.to_string();
    let known: [(&str, &str); 6] = [
        ("Missing access", "the access key is incomplete"),
        ("Missing AccessKeyId", "AWS_ACCESS_KEY_ID is missing"),
        ("Missing SecretAccessKey", "AWS_SECRET_ACCESS_KEY is missing"),
        ("Account must be specified", "the storage account is missing"),
        ("key", "a key is invalid"),
        ("credentials", "the credentials are invalid"),
    ];
    known
        .iter()
        .find(|(part, _)| text.to_lowercase().contains(&part.to_lowercase()))
        .map_or("a setting is invalid", |(_, what)| what)
}

/// The settings of a service.
fn remedy(service: Service) -> &'static str {
    match service {
        Service::S3 => "set AWS_REGION, and a role or both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        Service::Azure => "set AZURE_STORAGE_ACCOUNT_NAME, and a workload identity or AZURE_STORAGE_ACCOUNT_KEY",
        Service::Google => "use a workload identity, or set GOOGLE_APPLICATION_CREDENTIALS to the file of a key",
        Service::Directory => "the directory must be writable",
    }
}
