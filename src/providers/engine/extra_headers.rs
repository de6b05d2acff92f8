//! The further headers of a source during one collection: they go to its own origin only.

use url::{Origin, Url};

use crate::core::extra_headers::ExtraHeaders;
use crate::core::failure::Failure;
use crate::core::secret::{Credential, Secret};

pub(super) struct SentHeaders {
    headers: Vec<(String, Secret)>,
    /// Those with a secret value.
    secret: Credential,
    origin: Option<Origin>,
}

impl SentHeaders {
    /// Reads the secret values.
    ///
    /// # Errors
    /// Reason `credential` if a file or variable is missing or unreadable, or its content is not a header's.
    pub(super) fn read(headers: &ExtraHeaders, origin: Option<&Origin>) -> Result<Self, Failure> {
        let secret = headers.secret.read()?;
        let plain = headers.plain.iter().map(|(name, value)| (name.clone(), Secret::new(value.as_str())));
        let secrets = secret.0.iter().map(|(name, value)| (name.clone(), value.clone()));
        Ok(Self { headers: plain.chain(secrets).collect(), secret, origin: origin.cloned() })
    }

    /// The headers of a request to this URL, which may be the target of a redirect.
    pub(super) fn to(&self, url: &Url) -> Vec<(String, Secret)> {
        if self.origin.as_ref() == Some(&url.origin()) { self.headers.clone() } else { Vec::new() }
    }

    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.secret.0.values()
    }

    /// What a refusal of the credential concerns: a gateway that refuses a header responds as the provider does.
    pub(super) fn and(&self, credential: &Credential) -> Credential {
        let headers = self.secret.0.iter().map(|(name, value)| (format!("header {name}"), value.clone()));
        Credential(credential.0.clone().into_iter().chain(headers).collect())
    }
}
