//! A shared store in a bucket (S3, Azure, Google Cloud Storage) or, for tests, in a directory.
//!
//! The crate `object_store` speaks the protocols. This module bounds the time of a request and the size of what is read, writes
//! every error as one sentence with a remedy, and refuses a store that does not keep conditional puts.

#[cfg(feature = "object-store")]
mod client;
#[cfg(feature = "object-store")]
mod environment;
#[cfg(feature = "object-store")]
mod error;
#[cfg(feature = "object-store")]
mod limits;
#[cfg(feature = "object-store")]
mod lock;
#[cfg(feature = "object-store")]
mod open;
#[cfg(feature = "object-store")]
mod probe;
#[cfg(feature = "object-store")]
mod requests;

mod location;

use std::sync::Arc;

pub use location::Location;

use super::shared::SharedStore;

/// Opens the store at a URL, with the credentials, region and address in these environment variables. Sends no request.
///
/// # Errors
/// If the environment variables of the service are incomplete.
#[cfg(feature = "object-store")]
pub fn open(
    location: &Location,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Arc<dyn SharedStore>, String> {
    Ok(Arc::new(requests::Bucket::open(location, environment)?))
}

/// This build has no shared store.
///
/// # Errors
/// Always.
#[cfg(not(feature = "object-store"))]
pub fn open(_: &Location, _: impl IntoIterator<Item = (String, String)>) -> Result<Arc<dyn SharedStore>, String> {
    Err("this build has no shared store; use a release, or build with `--features object-store`".to_owned())
}
