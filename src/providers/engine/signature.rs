//! The headers that sign a request, for schemes whose signature depends on what is sent.

use chrono::{DateTime, Utc};

use super::akamai_edgegrid::{self, EdgegridKeys};
use super::aws_keys::AwsKeys;
use super::aws_sigv4::{self, Scope};
use super::ovh_signature::{self, OvhKeys};
use crate::core::secret::Secret;
use crate::http::client::Request;
use crate::providers::language::provider::AuthMethod;
use crate::providers::language::template::Template;
use crate::providers::language::template_vars::TemplateVars;

/// What a signature depends on, besides the scheme and the request.
pub(super) struct Signing<'a> {
    pub(super) vars: TemplateVars<'a>,
    /// The AWS keys, if the scheme names none.
    pub(super) issued: Option<&'a AwsKeys>,
    /// The AWS service of the request, if it is not that of the scheme.
    pub(super) service: Option<&'a str>,
    pub(super) at: DateTime<Utc>,
}

/// The headers; none if the scheme signs nothing.
pub(super) fn headers(method: &AuthMethod, request: &Request, signing: &Signing<'_>) -> Vec<(String, Secret)> {
    let Signing { vars, issued, service: own, at } = signing;
    let at = *at;
    let fill = |template: &Template| vars.fill(template).unwrap_or_default();
    let secret = |template: &Template| Secret::new(fill(template));
    match method {
        AuthMethod::AwsSigv4 { service, region, keys } => {
            let configured = keys.as_ref().map(|keys| AwsKeys {
                access_key_id: fill(&keys.access_key_id),
                secret_access_key: secret(&keys.secret_access_key),
                session_token: None,
            });
            let (service, region) = (own.map_or_else(|| fill(service), str::to_owned), fill(region));
            let scope = Scope { region: &region, service: &service, at };
            configured.as_ref().or(*issued).map_or_else(Vec::new, |keys| aws_sigv4::headers(request, keys, scope))
        }
        AuthMethod::OvhSignature { application_key, application_secret, consumer_key } => {
            let keys = OvhKeys {
                application_key: fill(application_key),
                application_secret: secret(application_secret),
                consumer_key: secret(consumer_key),
            };
            ovh_signature::headers(request, &keys, at)
        }
        AuthMethod::AkamaiEdgegrid { client_token, client_secret, access_token } => {
            let keys = EdgegridKeys {
                client_token: secret(client_token),
                client_secret: secret(client_secret),
                access_token: secret(access_token),
            };
            vec![akamai_edgegrid::header(request, &keys, at, &random())]
        }
        _ => Vec::new(),
    }
}

/// The secret part of a header with a credential. AWS's messages quote the service, the region and the time of a request.
pub(super) fn secret_part((name, value): &(String, Secret)) -> Option<Secret> {
    match value.expose().strip_prefix("AWS4-HMAC-SHA256 ").and_then(|rest| rest.split_once("Signature=")) {
        Some((_, signature)) => Some(Secret::new(signature)),
        None => (name != "X-Amz-Date").then(|| value.clone()),
    }
}

/// A random UUID (RFC 9562, section 5.4).
pub(super) fn random() -> String {
    let digits = format!("{:032x}", (rand::random::<u128>() & !(0xF << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62));
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_part_of_aws_headers_is_the_signature() {
        let part = |name: &str, value: &str| secret_part(&(name.to_owned(), Secret::new(value)));
        let aws = "AWS4-HMAC-SHA256 Credential=AKIA/20261123/eu-west-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=5d67";
        assert_eq!(part("Authorization", aws), Some(Secret::new("5d67")));
        assert_eq!(part("X-Amz-Date", "20261123T120000Z"), None);
        for (name, value) in [("Authorization", "Bearer t"), ("X-Amz-Security-Token", "t"), ("X-Key", "Signature=t")] {
            assert_eq!(part(name, value), Some(Secret::new(value)), "{name}");
        }
    }

    #[test]
    fn random_is_another_uuid_each_time() {
        let (one, other) = (random(), random());
        let parts: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!((parts, &one[14..15]), (vec![8, 4, 4, 4, 12], "4"));
        assert!("89ab".contains(&one[19..20]) && one != other, "{one} {other}");
    }
}
