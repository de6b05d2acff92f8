//! AWS credentials where AWS's own tools look for them: environment variables, the shared file, then those that AWS issues to a pod,
//! a container or a machine
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>).

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

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
const TIMEOUT: Duration = Duration::from_secs(10);

fn failure(what: impl Into<String>) -> Failure {
    Failure::new(Reason::Credential, what)
}

/// The keys of one source. Temporary ones are kept until shortly before they expire.
#[derive(Default)]
pub(super) struct AwsChain(temporary::Issued);

impl AwsChain {
    /// The first keys that are found.
    ///
    /// # Errors
    /// Reason `credential` if there are none, or a variable or the file is incomplete: another identity must not take its place.
    pub(super) async fn keys(&self, deadline: Instant) -> Result<AwsKeys, Failure> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        if let Some(keys) = from_environment(&variable)? {
            return Ok(keys);
        }
        if let Some(keys) = from_file(&variable).await? {
            return Ok(keys);
        }
        let late = |_| failure("no AWS credentials were issued in time");
        let issued = self.0.keys();
        tokio::time::timeout_at(deadline.min(Instant::now() + TIMEOUT), issued).await.map_err(late)?
    }
}

/// A set variable; an empty one is not set.
type Variable<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

fn from_environment(variable: Variable<'_>) -> Result<Option<AwsKeys>, Failure> {
    match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
        (None, None) => Ok(None),
        (Some(access_key_id), Some(secret)) => Ok(Some(AwsKeys {
            access_key_id,
            secret_access_key: Secret::new(secret),
            session_token: variable("AWS_SESSION_TOKEN").map(Secret::new),
        })),
        (Some(_), None) => Err(failure("AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY; set both or neither")),
        (None, Some(_)) => Err(failure("AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID; set both or neither")),
    }
}

async fn from_file(variable: Variable<'_>) -> Result<Option<AwsKeys>, Failure> {
    let (named_file, named_profile) = (variable("AWS_SHARED_CREDENTIALS_FILE"), variable("AWS_PROFILE"));
    let is_named = named_file.is_some() || named_profile.is_some();
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".aws/credentials"));
    let Some(path) = named_file.map(PathBuf::from).or_else(home) else { return Ok(None) };
    let text = match tokio::fs::read_to_string(&path).await {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && !is_named => return Ok(None),
        Err(error) => return Err(failure(format!("{}: {error}", path.display()))),
    };
    let profile = named_profile.as_deref().unwrap_or("default");
    let key = |name: &str| value(&text, profile, name);
    match (key("aws_access_key_id"), key("aws_secret_access_key")) {
        (Some(access_key_id), Some(secret)) => Ok(Some(AwsKeys {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: Secret::new(secret),
            session_token: key("aws_session_token").map(Secret::new),
        })),
        (None, None) if !is_named => Ok(None),
        _ => Err(failure(format!(
            "{}: the profile `{profile}` has no access key; roles and single sign-on of a profile are not supported",
            path.display()
        ))),
    }
}

/// A value of a profile: `[profile]`, then `name = value`.
fn value<'t>(text: &'t str, profile: &str, name: &str) -> Option<&'t str> {
    let mut is_profile = false;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            is_profile = section.0.trim() == profile;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| is_profile)
            && key.trim().eq_ignore_ascii_case(name)
        {
            return Some(value.trim()).filter(|value| !value.is_empty());
        }
    }
    None
}

/// What AWS issues to a pod, a container or a machine, by the crate that the shared store uses.
#[cfg(feature = "object-store")]
mod temporary {
    use object_store::aws::{AmazonS3Builder, AwsCredentialProvider};
    use object_store::{ClientOptions, RetryConfig};
    use tokio::sync::OnceCell;

    use super::{AwsKeys, Failure, Secret, TIMEOUT, failure};

    #[derive(Default)]
    pub(super) struct Issued(OnceCell<AwsCredentialProvider>);

    impl Issued {
        /// # Errors
        /// Reason `credential`. The crate's message could quote a response, so that it is not shown.
        pub(super) async fn keys(&self) -> Result<AwsKeys, Failure> {
            let none = || {
                failure(
                    "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, write a shared credentials file, or \
                     give the pod, container or machine a role",
                )
            };
            let provider = self.0.get_or_try_init(|| async { provider() }).await.map_err(|_| none())?;
            let issued = provider.get_credential().await.map_err(|_| none())?;
            Ok(AwsKeys {
                access_key_id: issued.key_id.clone(),
                secret_access_key: Secret::new(issued.secret_key.as_str()),
                session_token: issued.token.as_deref().map(Secret::new),
            })
        }
    }

    fn provider() -> object_store::Result<AwsCredentialProvider> {
        // An error means that it was installed before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = ClientOptions::new().with_connect_timeout(TIMEOUT / 5).with_timeout(TIMEOUT / 2);
        let retry = RetryConfig { max_retries: 1, retry_timeout: TIMEOUT, ..RetryConfig::default() };
        let builder = AmazonS3Builder::from_env().with_client_options(client).with_retry(retry);
        Ok(builder.with_bucket_name("none").build()?.credentials().clone())
    }
}

#[cfg(not(feature = "object-store"))]
mod temporary {
    use super::{AwsKeys, Failure, failure};

    #[derive(Default)]
    pub(super) struct Issued;

    impl Issued {
        /// # Errors
        /// Always.
        #[allow(clippy::unused_async)]
        pub(super) async fn keys(&self) -> Result<AwsKeys, Failure> {
            Err(failure(
                "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; roles need a release, or a build with \
                 `--features object-store`",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn keys(id: &str, secret: &str, token: Option<&str>) -> AwsKeys {
        AwsKeys {
            access_key_id: id.to_owned(),
            secret_access_key: Secret::new(secret),
            session_token: token.map(Secret::new),
        }
    }

    fn variables<'v>(set: &'v [(&'v str, &'v str)]) -> impl Fn(&str) -> Option<String> + Sync + 'v {
        |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn environment_has_both_parts_of_a_key_or_none() {
        let cases: [(&[(&str, &str)], _); 5] = [
            (&[], Ok(None)),
            (&[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")], Ok(Some(keys("a", "b", None)))),
            (
                &[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_SESSION_TOKEN", "c")],
                Ok(Some(keys("a", "b", Some("c")))),
            ),
            (&[("AWS_ACCESS_KEY_ID", "a")], Err("AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY")),
            (&[("AWS_SECRET_ACCESS_KEY", "b")], Err("AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID")),
        ];
        for (set, expected) in cases {
            match (from_environment(&variables(set)), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{set:?}"),
                (Err(failure), Err(start)) => assert!(failure.what.starts_with(start), "{failure}"),
                (found, _) => panic!("{set:?}: {found:?}"),
            }
        }
    }

    #[tokio::test]
    async fn file_has_profiles_and_a_missing_one_is_an_error_if_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("credentials");
        let content = "# comment\n[default]\naws_access_key_id = AKIA1\naws_secret_access_key=s+1==\n\n[ci]\n; comment\n\
                       AWS_ACCESS_KEY_ID=AKIA2\naws_secret_access_key = s2\naws_session_token = t\n[sso]\nsso_session = x\n";
        std::fs::write(&file, content).unwrap();
        let (file, none) = (file.display().to_string(), dir.path().join("none").display().to_string());
        let path = ("AWS_SHARED_CREDENTIALS_FILE", &*file);
        for (set, expected) in [
            (&[path][..], Some(keys("AKIA1", "s+1==", None))),
            (&[path, ("AWS_PROFILE", "ci")], Some(keys("AKIA2", "s2", Some("t")))),
            (&[("HOME", &none)], None),
        ] {
            assert_eq!(from_file(&variables(set)).await.unwrap(), expected, "{set:?}");
        }
        for set in [
            &[path, ("AWS_PROFILE", "sso")][..],
            &[path, ("AWS_PROFILE", "other")],
            &[("AWS_SHARED_CREDENTIALS_FILE", &none)],
            &[("HOME", &none), ("AWS_PROFILE", "default")],
        ] {
            let failure = from_file(&variables(set)).await.unwrap_err();
            assert!(failure.reason == Reason::Credential && !failure.what.contains("s2"), "{set:?}: {failure}");
        }
    }
}
