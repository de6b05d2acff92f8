//! AWS keys that are issued to a pod, a container or a machine, by the crate that the shared store uses
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>).

#[cfg(feature = "object-store")]
pub(super) use with_crate::Issued;

#[cfg(not(feature = "object-store"))]
pub(super) use without_crate::Issued;

#[cfg(feature = "object-store")]
mod with_crate {
    use std::net::IpAddr;

    use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider};
    use object_store::client::{HttpClient, HttpConnector};
    use object_store::{ClientConfigKey, ClientOptions, RetryConfig};
    use reqwest::redirect::Policy;
    use tokio::sync::OnceCell;
    use url::{Host, Url};

    use crate::core::failure::Failure;
    use crate::core::secret::Secret;
    use crate::providers::engine::aws_keys::{AwsKeys, TIMEOUT, Variable, failure};

    /// The variables that configure an issuer. Others, such as those of a bucket, have no meaning here.
    const VARIABLES: [&str; 10] = [
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_ENDPOINT_URL_STS",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_IMDSV1_FALLBACK",
    ];

    /// The hosts of `AWS_CONTAINER_CREDENTIALS_FULL_URI` to which the token is sent without TLS, in addition to this machine: ECS and
    /// EKS (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>).
    const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

    /// Who issues the keys.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Issuer {
        /// STS, in exchange for a token of Kubernetes or another identity provider.
        WebIdentity,
        /// ECS, to a task.
        Task,
        /// EKS, to a pod, or a service on this machine.
        Pod,
        /// EC2, to a machine.
        Machine,
    }

    impl Issuer {
        /// The first that the environment configures.
        ///
        /// # Errors
        /// If its variables are incomplete, or would send a token to another host: another identity must not take its place.
        fn find(variable: Variable<'_>) -> Result<Self, Failure> {
            let is_set = |name: &str| variable(name).is_some();
            if is_set("AWS_WEB_IDENTITY_TOKEN_FILE") {
                return if is_set("AWS_ROLE_ARN") {
                    Ok(Self::WebIdentity)
                } else {
                    Err(failure("AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN; set both or neither"))
                };
            }
            if let Some(path) = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
                return if path.starts_with('/') {
                    Ok(Self::Task)
                } else {
                    Err(failure("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: expected a path that begins with `/`"))
                };
            }
            if let Some(uri) = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
                if !is_allowed(&uri) {
                    return Err(failure(
                        "AWS_CONTAINER_CREDENTIALS_FULL_URI: expected an https URL, or the address of this machine, ECS or EKS",
                    ));
                }
                return if is_set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
                    Ok(Self::Pod)
                } else {
                    Err(failure(
                        "AWS_CONTAINER_CREDENTIALS_FULL_URI is set without AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE; set both or \
                         neither",
                    ))
                };
            }
            let is_disabled = variable("AWS_EC2_METADATA_DISABLED").is_some_and(|set| set.eq_ignore_ascii_case("true"));
            if is_disabled { Err(Self::Machine.failure()) } else { Ok(Self::Machine) }
        }

        /// The crate's message could quote a response, so that it is not shown.
        fn failure(self) -> Failure {
            failure(match self {
                Self::WebIdentity => {
                    "STS issued no AWS credentials for the web identity; check AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and the \
                     role's trust policy"
                }
                Self::Task => {
                    "ECS issued no AWS credentials; check AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and the role of the task"
                }
                Self::Pod => {
                    "no AWS credentials from AWS_CONTAINER_CREDENTIALS_FULL_URI; check AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE and \
                     the role of the pod"
                }
                Self::Machine => {
                    "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, write a shared credentials file, or \
                     give the pod, container or machine a role"
                }
            })
        }
    }

    fn is_allowed(uri: &str) -> bool {
        let Ok(url) = Url::parse(uri) else { return false };
        let is_known = |address: IpAddr| {
            let mut known = CONTAINER_HOSTS.iter().filter_map(|host| host.parse::<IpAddr>().ok());
            address.is_loopback() || known.any(|known| known == address)
        };
        match (url.scheme(), url.host()) {
            ("https", Some(_)) => true,
            ("http", Some(Host::Domain(name))) => name == "localhost",
            ("http", Some(Host::Ipv4(address))) => is_known(address.into()),
            ("http", Some(Host::Ipv6(address))) => is_known(address.into()),
            _ => false,
        }
    }

    /// The keys of one source. They are kept until shortly before they expire.
    #[derive(Default)]
    pub(in crate::providers::engine) struct Issued(OnceCell<(Issuer, AwsCredentialProvider)>);

    impl Issued {
        /// # Errors
        /// Reason `credential`.
        pub(in crate::providers::engine) async fn keys(&self, variable: Variable<'_>) -> Result<AwsKeys, Failure> {
            let (issuer, provider) = self.0.get_or_try_init(|| async { provider(variable) }).await?;
            let issued = provider.get_credential().await.map_err(|_| issuer.failure())?;
            Ok(AwsKeys {
                access_key_id: issued.key_id.clone(),
                secret_access_key: Secret::new(issued.secret_key.as_str()),
                session_token: issued.token.as_deref().map(Secret::new),
            })
        }
    }

    fn provider(variable: Variable<'_>) -> Result<(Issuer, AwsCredentialProvider), Failure> {
        let issuer = Issuer::find(variable)?;
        let retry = RetryConfig { max_retries: 1, retry_timeout: TIMEOUT, ..RetryConfig::default() };
        let mut builder =
            AmazonS3Builder::new().with_http_connector(Connector).with_retry(retry).with_bucket_name("none");
        for name in VARIABLES {
            let key = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>();
            if let (Ok(key), Some(value)) = (key, variable(name)) {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(endpoint) = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT") {
            builder = builder.with_metadata_endpoint(endpoint.trim_end_matches('/'));
        }
        let built = builder.build().map_err(|_| issuer.failure())?;
        Ok((issuer, built.credentials().clone()))
    }

    /// Makes clients that follow no redirect: the crate's own would send the tokens in headers and in the query to another host.
    #[derive(Debug)]
    struct Connector;

    impl HttpConnector for Connector {
        /// Of the options only `allow_http` is used, which the crate sets for the services of a container or a machine: no proxy
        /// reaches those.
        fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
            // An error means that it was installed before.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let is_local = options.get_config_value(&ClientConfigKey::AllowHttp).is_some_and(|value| value == "true");
            let builder = reqwest::Client::builder()
                .https_only(!is_local)
                .redirect(Policy::none())
                .connect_timeout(TIMEOUT / 5)
                .timeout(TIMEOUT / 2);
            let built = if is_local { builder.no_proxy() } else { builder }.build();
            built
                .map(HttpClient::new)
                .map_err(|error| object_store::Error::Generic { store: "client", source: Box::new(error) })
        }
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used)]
        use super::*;

        /// Variables, and the issuer or the start of the error.
        type Case = (Vec<(&'static str, &'static str)>, Result<Issuer, &'static str>);

        #[test]
        fn issuer_is_the_first_that_is_configured_completely() {
            const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
            const FILE: (&str, &str) = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t");
            let web = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/w");
            let task = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1");
            let cases: Vec<Case> = vec![
                (vec![], Ok(Issuer::Machine)),
                (vec![("AWS_EC2_METADATA_DISABLED", "TRUE")], Err("no AWS credentials: set")),
                (vec![("AWS_EC2_METADATA_DISABLED", "false")], Ok(Issuer::Machine)),
                // A role that is assumed in another way.
                (vec![("AWS_ROLE_ARN", "r")], Ok(Issuer::Machine)),
                (vec![web], Err("AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN")),
                (vec![web, ("AWS_ROLE_ARN", "r"), task], Ok(Issuer::WebIdentity)),
                (vec![task, (FULL, "http://127.0.0.1/c"), FILE], Ok(Issuer::Task)),
                (
                    vec![("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@h.example/")],
                    Err("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "),
                ),
                (vec![(FULL, "http://169.254.170.23/v1/credentials"), FILE], Ok(Issuer::Pod)),
                (vec![(FULL, "http://[fd00:ec2::23]/v1/credentials"), FILE], Ok(Issuer::Pod)),
                (vec![(FULL, "http://localhost:51678/c"), FILE], Ok(Issuer::Pod)),
                (vec![(FULL, "https://h.example/c"), FILE], Ok(Issuer::Pod)),
                (
                    vec![(FULL, "http://h.example/c"), FILE],
                    Err("AWS_CONTAINER_CREDENTIALS_FULL_URI: expected an https URL"),
                ),
                (vec![(FULL, "http://169.254.169.254/c"), FILE], Err("AWS_CONTAINER_CREDENTIALS_FULL_URI: expected")),
                (vec![(FULL, "no URL"), FILE], Err("AWS_CONTAINER_CREDENTIALS_FULL_URI: expected an https URL")),
                (vec![(FULL, "http://127.0.0.1/c")], Err("AWS_CONTAINER_CREDENTIALS_FULL_URI is set without ")),
            ];
            for (set, expected) in cases {
                let variable =
                    |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
                match (Issuer::find(&variable), expected) {
                    (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{set:?}"),
                    (Err(failure), Err(start)) => assert!(failure.what.starts_with(start), "{set:?}: {failure}"),
                    (found, _) => panic!("{set:?}: {found:?}"),
                }
            }
        }

        #[test]
        fn every_variable_is_known_to_the_crate() {
            for name in VARIABLES {
                assert!(name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>().is_ok(), "{name}");
            }
        }
    }
}

#[cfg(not(feature = "object-store"))]
mod without_crate {
    use crate::core::failure::Failure;
    use crate::providers::engine::aws_keys::{AwsKeys, Variable, failure};

    #[derive(Default)]
    pub(in crate::providers::engine) struct Issued;

    impl Issued {
        /// # Errors
        /// Always.
        #[allow(clippy::unused_async)]
        pub(in crate::providers::engine) async fn keys(&self, _: Variable<'_>) -> Result<AwsKeys, Failure> {
            Err(failure(
                "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; roles need a release, or a build with \
                 `--features object-store`",
            ))
        }
    }
}
