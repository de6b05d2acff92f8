//! The API server of a kubeconfig.

/// Which API server a kubeconfig names, and how its user authenticates there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiServer {
    pub url: String,
    /// Whether the user has a token; one without has a client certificate.
    pub has_token: bool,
}
