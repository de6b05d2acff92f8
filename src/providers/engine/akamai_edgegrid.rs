//! Akamai's EdgeGrid signature of a request
//! (<https://techdocs.akamai.com/developer/docs/edgegrid#build-your-own-signature>).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use ring::digest::{SHA256, digest};
use ring::hmac;
use url::Position;

use crate::core::secret::Secret;
use crate::http::client::Request;

/// How much of a body is signed, in bytes: Akamai's default.
const MAX_BODY: usize = 131_072;

/// The credential of an API client.
pub(super) struct EdgegridKeys {
    pub(super) client_token: Secret,
    pub(super) client_secret: Secret,
    pub(super) access_token: Secret,
}

/// The header that signs a request. `nonce` is another one each time.
pub(super) fn header(request: &Request, keys: &EdgegridKeys, at: DateTime<Utc>, nonce: &str) -> (String, Secret) {
    let body = if request.method == http::Method::POST { request.body.bytes() } else { None };
    let hash = match body.unwrap_or_default() {
        body if body.is_empty() => String::new(),
        body => BASE64_STANDARD.encode(digest(&SHA256, &body[..body.len().min(MAX_BODY)])),
    };
    let time = at.format("%Y%m%dT%H:%M:%S+0000").to_string();
    let (client, access) = (keys.client_token.expose(), keys.access_token.expose());
    let start = format!("EG1-HMAC-SHA256 client_token={client};access_token={access};timestamp={time};nonce={nonce};");
    let url = &request.url;
    let (host, target) =
        (&url[Position::BeforeHost..Position::AfterPort], &url[Position::BeforePath..Position::AfterQuery]);
    // The empty part: no further headers are signed.
    let signed = [request.method.as_str(), url.scheme(), host, target, "", &hash, &start].join("\t");
    let key = sign(keys.client_secret.expose(), &time);
    ("Authorization".to_owned(), Secret::new(format!("{start}signature={}", sign(&key, &signed))))
}

fn sign(key: &str, text: &str) -> String {
    BASE64_STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), text.as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::TimeZone as _;
    use url::Url;

    use super::*;
    use crate::http::client::Body;

    /// The vectors of Akamai's clients without a body of their own form:
    /// <https://github.com/akamai/AkamaiOPEN-edgegrid-node/blob/master/test/test.js>.
    #[test]
    fn signature_is_that_of_the_vendors_clients() {
        let keys = EdgegridKeys {
            client_token: Secret::new("akab-client-token-xxx-xxxxxxxxxxxxxxxx"),
            client_secret: Secret::new("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx="),
            access_token: Secret::new("akab-access-token-xxx-xxxxxxxxxxxxxxxx"),
        };
        let at = Utc.with_ymd_and_hms(2014, 3, 21, 19, 34, 21).unwrap();
        let host = "https://akaa-baseurl-xxxxxxxxxxx-xxxxxxxxxxxxx.luna.akamaiapis.net";
        for (method, path, signature) in [
            ("GET", "/", "tL+y4hxyHxgWVD30X3pWnGKHcPzmrIF+LThiAOhMxYU="),
            ("GET", "/testapi/v1/t1?p1=1&p2=2", "hKDH1UlnQySSHjvIcZpDMbQHihTQ0XyVAKZaApabdeA="),
            ("POST", "/testapi/v1/t6", "1gEDxeQGD5GovIkJJGcBaKnZ+VaPtrc4qBUHixjsPCQ="),
        ] {
            let request = Request {
                method: method.parse().unwrap(),
                url: Url::parse(&format!("{host}{path}")).unwrap(),
                headers: Vec::new(),
                credential: Vec::new(),
                body: Body::Empty,
                retry: Vec::new(),
            };
            let (name, value) = header(&request, &keys, at, "nonce-xx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
            let expected = format!(
                "EG1-HMAC-SHA256 client_token=akab-client-token-xxx-xxxxxxxxxxxxxxxx;\
                 access_token=akab-access-token-xxx-xxxxxxxxxxxxxxxx;timestamp=20140321T19:34:21+0000;\
                 nonce=nonce-xx-xxxx-xxxx-xxxx-xxxxxxxxxxxx;signature={signature}"
            );
            assert_eq!((name.as_str(), value.expose()), ("Authorization", &*expected), "{method} {path}");
        }
    }
}
