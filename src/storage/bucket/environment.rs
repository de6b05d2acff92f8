//! The environment variables that configure the store: credentials, region and address.

use super::location::Service;

/// Endings of variables that are not used: they would change what this process guarantees, or what the URL says.
const OVERRIDDEN: &[&str] =
    &["_BUCKET", "_BUCKET_NAME", "_CONTAINER_NAME", "_CONDITIONAL_PUT", "_TIMEOUT", "_USER_AGENT"];

/// Variables that are refused, and the remedy.
const REFUSED: &[(&str, &str)] = &[
    (
        "_ALLOW_INVALID_CERTIFICATES",
        "certificates are always verified; set SSL_CERT_FILE to a PEM file with the CA of the store",
    ),
    ("AZURE_USE_AZURE_CLI", "the exporter starts no other program; use a workload identity, a client secret or a key"),
];

/// The variables of this service among all of the environment, with names in lower case.
///
/// # Errors
/// If a variable is set that is refused.
pub(super) fn select(
    service: Service,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<(String, String)>, String> {
    let mut selected = Vec::new();
    for (name, value) in environment {
        let upper = name.to_ascii_uppercase();
        // An empty value is "not set", as in the vendors' own tools and in a chart's templates.
        if service == Service::Directory || !upper.starts_with(service.variables()) || value.is_empty() {
            continue;
        }
        let is_on = !matches!(value.to_ascii_lowercase().as_str(), "false" | "0" | "no" | "off");
        if let Some((_, remedy)) = REFUSED.iter().find(|(end, _)| is_on && upper.ends_with(end)) {
            return Err(format!("{name} is set; unset it: {remedy}"));
        }
        if !OVERRIDDEN.iter().any(|end| upper.ends_with(end)) {
            selected.push((name.to_ascii_lowercase(), value));
        }
    }
    Ok(selected)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn names(service: Service, all: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let all = all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Ok(select(service, all)?.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn variables_are_those_of_the_service() {
        let all = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_SESSION_TOKEN", ""),
            ("AWS_BUCKET", "other"),
            ("AWS_CONDITIONAL_PUT", "disabled"),
            ("AZURE_CLIENT_ID", "x"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/x"),
            ("SERVICE_ACCOUNT", "/x"),
            ("HTTPS_PROXY", "x"),
        ];
        assert_eq!(names(Service::S3, &all).unwrap(), ["aws_region"]);
        assert_eq!(names(Service::Azure, &all).unwrap(), ["azure_client_id"]);
        assert_eq!(names(Service::Google, &all).unwrap(), ["google_application_credentials"]);
        assert_eq!(names(Service::Directory, &all).unwrap(), <[&str; 0]>::default());
    }

    #[test]
    fn variable_that_weakens_the_exporter_is_refused() {
        let error = names(Service::S3, &[("AWS_ALLOW_INVALID_CERTIFICATES", "true")]).unwrap_err();
        assert!(error.contains("SSL_CERT_FILE"), "{error}");
        assert!(names(Service::Azure, &[("AZURE_USE_AZURE_CLI", "true")]).is_err());
        assert_eq!(names(Service::S3, &[("AWS_ALLOW_INVALID_CERTIFICATES", "false")]).unwrap().len(), 1);
        assert_eq!(names(Service::S3, &[("AZURE_USE_AZURE_CLI", "true")]).unwrap().len(), 0);
    }
}
