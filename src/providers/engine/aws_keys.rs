//! What the sources of AWS keys share.

use std::time::Duration;

use crate::core::failure::{Failure, Reason};
use crate::core::secret::Secret;

/// An access key, permanent or temporary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AwsKeys {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Secret,
    pub(super) session_token: Option<Secret>,
}

/// The time for the service that issues temporary keys.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn failure(what: impl Into<String>) -> Failure {
    Failure::new(Reason::Credential, what)
}

/// A set variable; an empty one is not set.
pub(super) type Variable<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);
