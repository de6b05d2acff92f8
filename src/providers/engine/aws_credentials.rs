//! AWS credentials where AWS's own tools look for them: environment variables, the shared file, then those that AWS issues to a pod,
//! a container or a machine
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>).

use std::io::ErrorKind;
use std::path::PathBuf;

use tokio::time::Instant;

use super::aws_issued::Issued;
use super::aws_keys::{AwsKeys, TIMEOUT, Variable, failure};
use crate::core::failure::Failure;
use crate::core::secret::Secret;

/// The keys of one source. Temporary ones are kept until shortly before they expire.
#[derive(Default)]
pub(super) struct AwsChain(Issued);

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
        let issued = self.0.keys(&variable);
        tokio::time::timeout_at(deadline.min(Instant::now() + TIMEOUT), issued).await.map_err(late)?
    }
}

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::core::failure::Reason;

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
