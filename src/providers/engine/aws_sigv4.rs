//! AWS Signature Version 4 (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
//!
//! The signer of `object_store` signs with its own clock, so that no test can hold it against AWS's vectors; AWS's own crate would
//! bring a second HMAC, a second SHA-256 and a second version of `http`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::digest::{SHA256, digest};
use ring::hmac;
use url::Position;

use super::aws_keys::AwsKeys;
use crate::core::secret::Secret;
use crate::http::client::Request;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Everything but the unreserved characters of RFC 3986.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// What a signature is valid for.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) at: DateTime<Utc>,
}

impl Scope<'_> {
    fn time(&self) -> String {
        self.at.format("%Y%m%dT%H%M%SZ").to_string()
    }

    fn label(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.at.format("%Y%m%d"), self.region, self.service)
    }

    fn sign(&self, secret: &Secret, text: &str) -> String {
        let date = self.at.format("%Y%m%d").to_string();
        let key = format!("AWS4{}", secret.expose()).into_bytes();
        let parts = [&*date, self.region, self.service, "aws4_request", text];
        hex(&parts.iter().fold(key, |key, part| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec()
        }))
    }
}

/// The headers that sign a request.
pub(super) fn headers(request: &Request, keys: &AwsKeys, scope: Scope<'_>) -> Vec<(String, Secret)> {
    let mut sent = vec![("X-Amz-Date".to_owned(), Secret::new(scope.time()))];
    sent.extend(keys.session_token.iter().map(|token| ("X-Amz-Security-Token".to_owned(), token.clone())));
    let mut signed: BTreeMap<String, String> = BTreeMap::new();
    let content_type = request.body.content_type().map(|kind| ("content-type", kind));
    let own = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let of_signature = sent.iter().map(|(name, value)| (name.as_str(), value.expose()));
    for (name, value) in content_type.into_iter().chain(own).chain(of_signature) {
        let name = name.to_ascii_lowercase();
        if name == "content-type" || name.starts_with("x-amz-") {
            signed.insert(name, value.to_owned());
        }
    }
    signed.insert("host".to_owned(), request.url[Position::BeforeHost..Position::AfterPort].to_owned());
    let query: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
    let body = request.body.bytes().unwrap_or_default();
    let canonical = canonical_request(request.method.as_str(), request.url.path(), &query, &signed, &body);
    sent.push(("Authorization".to_owned(), authorization(keys, scope, &signed, &canonical)));
    sent
}

fn authorization(keys: &AwsKeys, scope: Scope<'_>, signed: &BTreeMap<String, String>, canonical: &str) -> Secret {
    let label = scope.label();
    let text =
        format!("{ALGORITHM}\n{}\n{label}\n{}", scope.time(), hex(digest(&SHA256, canonical.as_bytes()).as_ref()));
    let (key, signature) = (&keys.access_key_id, scope.sign(&keys.secret_access_key, &text));
    let names = names(signed);
    Secret::new(format!("{ALGORITHM} Credential={key}/{label}, SignedHeaders={names}, Signature={signature}"))
}

/// `path` as it is sent: every service but S3 encodes it once more.
fn canonical_request(
    method: &str,
    path: &str,
    query: &[(String, String)],
    headers: &BTreeMap<String, String>,
    body: &[u8],
) -> String {
    let encode = |text: &str| utf8_percent_encode(text, QUERY).to_string();
    // By name, then by value: not by the text of both, in which `=` stands between `%` and the letters.
    let mut query: Vec<(String, String)> = query.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    query.sort();
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let header = |(name, value): (&String, &String)| {
        format!("{name}:{}\n", value.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let headers_text: String = headers.iter().map(header).collect();
    format!(
        "{method}\n{}\n{}\n{headers_text}\n{}\n{}",
        utf8_percent_encode(path, PATH),
        query.join("&"),
        names(headers),
        hex(digest(&SHA256, body).as_ref()),
    )
}

fn names(headers: &BTreeMap<String, String>) -> String {
    headers.keys().map(String::as_str).collect::<Vec<_>>().join(";")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::TimeZone as _;
    use url::Url;

    use super::*;
    use crate::http::client::Body;

    fn keys(session_token: Option<&str>) -> AwsKeys {
        AwsKeys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: session_token.map(Secret::new),
        }
    }

    fn scope(service: &str) -> Scope<'_> {
        Scope { region: "us-east-1", service, at: Utc.with_ymd_and_hms(2015, 8, 30, 12, 36, 0).unwrap() }
    }

    fn request(method: &str, url: &str, headers: &[(&str, &str)], body: Body) -> Request {
        Request {
            method: method.parse().unwrap(),
            url: Url::parse(url).unwrap(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            credential: Vec::new(),
            body,
            retry: Vec::new(),
        }
    }

    fn sent<'h>(headers: &'h [(String, Secret)], name: &str) -> Option<&'h str> {
        headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.expose())
    }

    /// AWS's test suite, and the example of AWS's documentation for IAM:
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-test-suite.html>,
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.
    #[test]
    fn signature_is_that_of_the_published_vectors() {
        let form = || Body::Form(vec![("Param1".to_owned(), "value1".to_owned())]);
        let host = "https://example.amazonaws.com";
        let cases = [
            ("GET", "/", Body::Empty, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            (
                "GET",
                "/?Param2=value2&Param1=value1",
                Body::Empty,
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            ("POST", "/", Body::Empty, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            ("POST", "/", form(), "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
        ];
        for (method, path, body, signature) in cases {
            let names = if matches!(body, Body::Empty) { "host;x-amz-date" } else { "content-type;host;x-amz-date" };
            let signed = headers(&request(method, &format!("{host}{path}"), &[], body), &keys(None), scope("service"));
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={names}, \
                 Signature={signature}"
            );
            assert_eq!(sent(&signed, "Authorization"), Some(&*expected), "{method} {path}");
            assert_eq!(sent(&signed, "X-Amz-Date"), Some("20150830T123600Z"));
        }
        let list_users = request(
            "GET",
            "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
            &[("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"), ("Accept", "text/xml")],
            Body::Empty,
        );
        let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                        SignedHeaders=content-type;host;x-amz-date, \
                        Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(sent(&headers(&list_users, &keys(None), scope("iam")), "Authorization"), Some(expected));
    }

    #[test]
    fn session_token_and_headers_of_aws_are_signed() {
        let request = request("POST", "http://127.0.0.1:5000/", &[("X-Amz-Target", "a.B")], Body::Json(1.into()));
        let signed = headers(&request, &keys(Some("TOKEN")), scope("ssm"));
        assert_eq!(sent(&signed, "X-Amz-Security-Token"), Some("TOKEN"));
        let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target,";
        assert!(sent(&signed, "Authorization").unwrap().contains(names));
    }

    #[test]
    fn canonical_request_encodes_path_and_query() {
        let query = [("b c", "x/ÿ"), ("a", "2"), ("a", "1"), ("a+", "~")];
        let query = query.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers = BTreeMap::from([("host".to_owned(), " h  x ".to_owned())]);
        let canonical = canonical_request("GET", "/a%20b/c", &query, &headers, b"");
        let expected = "GET\n/a%2520b/c\na=1&a=2&a%2B=~&b%20c=x%2F%C3%BF\nhost:h x\n\nhost\n\
                        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(canonical, expected);
    }
}
