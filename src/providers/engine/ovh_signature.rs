//! OVH's signature of a request (<https://help.ovhcloud.com/csm/en-api-getting-started-ovhcloud-api>).

use chrono::{DateTime, Utc};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::core::secret::Secret;
use crate::http::client::Request;

/// What OVH issues for an application.
pub(super) struct OvhKeys {
    pub(super) application_key: String,
    pub(super) application_secret: Secret,
    pub(super) consumer_key: Secret,
}

/// The headers that sign a request.
pub(super) fn headers(request: &Request, keys: &OvhKeys, at: DateTime<Utc>) -> Vec<(String, Secret)> {
    let body = String::from_utf8(request.body.bytes().unwrap_or_default()).unwrap_or_default();
    let time = at.timestamp().to_string();
    let signature = signature(keys, request.method.as_str(), request.url.as_str(), &body, &time);
    [
        ("X-Ovh-Application", Secret::new(keys.application_key.as_str())),
        ("X-Ovh-Consumer", keys.consumer_key.clone()),
        ("X-Ovh-Timestamp", Secret::new(time)),
        ("X-Ovh-Signature", Secret::new(signature)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn signature(keys: &OvhKeys, method: &str, url: &str, body: &str, time: &str) -> String {
    let parts = [keys.application_secret.expose(), keys.consumer_key.expose(), method, url, body, time];
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, parts.join("+").as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("$1${hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of OVH's client for Python: <https://github.com/ovh/python-ovh/blob/v0.5.0/tests/test_client.py>.
    #[test]
    fn signature_is_that_of_the_vendors_client() {
        let keys = OvhKeys {
            application_key: "fake application key".to_owned(),
            application_secret: Secret::new("fake application secret"),
            consumer_key: Secret::new("fake consumer key"),
        };
        let url = "https://eu.api.ovh.com/1.0/unit/test";
        for (body, expected) in [
            ("", "$1$16ae5ba8c63841b1951575be905867991d5f49dc"),
            (r#"{"some": "random", "data": 42}"#, "$1$9acb1ac0120006d16261a635aed788e83ab172d2"),
        ] {
            assert_eq!(signature(&keys, "METHOD", url, body, "1404395931"), expected, "{body}");
        }
    }
}
