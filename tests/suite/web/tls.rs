//! `tls_server_config`, tested with clients of limited abilities.

use std::sync::Arc;

use reqwest::{Client, StatusCode, Version};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{CipherSuite, ClientConfig, NamedGroup, ProtocolVersion, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::certificates::Authority;
use super::exporter::{Exporter, Start};

const FILES: &str = "cert_file: server.pem, key_file: server.key";

async fn start(authority: &Authority, tls: &str, more: &str) -> Exporter {
    let start =
        Start::new().web_config(&format!("tls_server_config: {{{tls}}}\n{more}")).file("ca.pem", &authority.pem);
    authority.issue_to(start.directory());
    start.run().await
}

/// What a client supports; empty: everything that rustls does.
#[derive(Clone, Copy, Default)]
struct Abilities<'a> {
    versions: &'a [&'static rustls::SupportedProtocolVersion],
    suites: &'a [CipherSuite],
    groups: &'a [NamedGroup],
    alpn: &'a [&'a str],
}

/// The negotiated parameters.
#[derive(Debug, PartialEq)]
struct Negotiated {
    version: ProtocolVersion,
    suite: CipherSuite,
    group: NamedGroup,
    alpn: String,
}

/// Performs a handshake; `None` if it fails.
async fn handshake(exporter: &Exporter, authority: &Authority, abilities: Abilities<'_>) -> Option<Negotiated> {
    let mut provider = ring::default_provider();
    if !abilities.suites.is_empty() {
        let all = provider.cipher_suites.clone();
        provider.cipher_suites = abilities
            .suites
            .iter()
            .filter_map(|name| all.iter().find(|suite| suite.suite() == *name).copied())
            .collect();
    }
    if !abilities.groups.is_empty() {
        provider.kx_groups.retain(|group| abilities.groups.contains(&group.name()));
    }
    let versions = if abilities.versions.is_empty() { rustls::ALL_VERSIONS } else { abilities.versions };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = abilities.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(exporter.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    if abilities.alpn != ["h2"] {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    }
    let session = stream.get_ref().1;
    Some(Negotiated {
        version: session.protocol_version().unwrap(),
        suite: session.negotiated_cipher_suite().unwrap().suite(),
        group: session.negotiated_key_exchange_group().unwrap().name(),
        alpn: session.alpn_protocol().map(|name| String::from_utf8(name.to_vec()).unwrap()).unwrap_or_default(),
    })
}

const TLS12: Abilities<'static> =
    Abilities { versions: &[&rustls::version::TLS12], suites: &[], groups: &[], alpn: &[] };
const TLS13: Abilities<'static> =
    Abilities { versions: &[&rustls::version::TLS13], suites: &[], groups: &[], alpn: &[] };
const AES128: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
const AES256: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384;
const CHACHA: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;

#[tokio::test]
async fn versions_apply() {
    let authority = Authority::new();
    let (older, newer) = (Some(ProtocolVersion::TLSv1_2), Some(ProtocolVersion::TLSv1_3));
    for (settings, with_12, with_13, with_both) in [
        ("", older, newer, newer),
        (", min_version: TLS12, max_version: TLS13", older, newer, newer),
        (", min_version: TLS13", None, newer, newer),
        (", max_version: TLS12", older, None, older),
        (", min_version: TLS12, max_version: TLS12", older, None, older),
    ] {
        let exporter = start(&authority, &format!("{FILES}{settings}"), "").await;
        for (abilities, expected) in [(TLS12, with_12), (TLS13, with_13), (Abilities::default(), with_both)] {
            let negotiated = handshake(&exporter, &authority, abilities).await.map(|negotiated| negotiated.version);
            assert_eq!(negotiated, expected, "{settings}");
        }
        // Failed handshakes are counted.
        let failed = u64::from(with_12.is_none()) + u64::from(with_13.is_none());
        let url = format!("https://localhost:{}/metrics", exporter.address().port());
        let metrics = authority.client(None).get(url).send().await.unwrap().text().await.unwrap();
        assert_eq!(super::exporter::sample(&metrics, "http_connections_closed_total{cause=\"handshake\"}"), failed);
    }
}

#[tokio::test]
async fn cipher_suites_and_their_order_apply() {
    let authority = Authority::new();
    let list = |names: &str, more: &str| format!("{FILES}, cipher_suites: [{names}]{more}");
    let one = list("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "");
    let two = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256";
    let ours = list(two, "");
    let theirs = list(two, ", prefer_server_cipher_suites: false");
    for (settings, offered, expected) in [
        (FILES, &[AES256, AES128][..], Some(AES256)),
        (&one, &[AES256, AES128], Some(AES128)),
        (&one, &[AES256], None),
        (&ours, &[AES128, CHACHA], Some(CHACHA)),
        (&theirs, &[AES128, CHACHA], Some(AES128)),
        (&theirs, &[AES256], None),
    ] {
        let exporter = start(&authority, settings, "").await;
        let negotiated = handshake(&exporter, &authority, Abilities { suites: offered, ..TLS12 }).await;
        assert_eq!(negotiated.map(|negotiated| negotiated.suite), expected, "{settings}: {offered:?}");
        assert!(
            handshake(&exporter, &authority, TLS13).await.is_some(),
            "the list applies to TLS 1.2 only: {settings}"
        );
    }
}

#[tokio::test]
async fn curves_apply() {
    use NamedGroup::{X25519, secp256r1, secp384r1};
    let authority = Authority::new();
    for (settings, offered, expected) in [
        ("", &[X25519][..], Some(X25519)),
        (", curve_preferences: [CurveP384]", &[], Some(secp384r1)),
        (", curve_preferences: [CurveP384]", &[X25519, secp256r1], None),
        (", curve_preferences: [CurveP256, X25519]", &[X25519], Some(X25519)),
        (", curve_preferences: [CurveP256, X25519]", &[secp256r1, secp384r1], Some(secp256r1)),
    ] {
        let exporter = start(&authority, &format!("{FILES}{settings}"), "").await;
        for version in [TLS12, TLS13] {
            let negotiated = handshake(&exporter, &authority, Abilities { groups: offered, ..version }).await;
            assert_eq!(negotiated.map(|negotiated| negotiated.group), expected, "{settings}: {offered:?}");
        }
    }
}

#[tokio::test]
async fn http2_can_be_disabled() {
    let authority = Authority::new();
    let both = Abilities { alpn: &["h2", "http/1.1"], ..Abilities::default() };
    let only = Abilities { alpn: &["h2"], ..Abilities::default() };
    for (settings, version, with_both, with_only) in [
        ("", Version::HTTP_2, "h2", Some("h2")),
        ("http_server_config: {http2: true}", Version::HTTP_2, "h2", Some("h2")),
        ("http_server_config: {http2: false}", Version::HTTP_11, "http/1.1", None),
    ] {
        let exporter = start(&authority, FILES, settings).await;
        let url = format!("https://localhost:{}", exporter.address().port());
        let client = authority.client(None);
        let response = client.get(format!("{url}/metrics")).send().await.unwrap();
        assert_eq!((response.status(), response.version()), (StatusCode::OK, version), "{settings}");
        assert!(response.text().await.unwrap().contains("token_id=\"t0\""));
        let negotiated = handshake(&exporter, &authority, only).await.map(|negotiated| negotiated.alpn);
        assert_eq!(negotiated.as_deref(), with_only, "{settings}");
        if version == Version::HTTP_11 {
            assert_eq!(handshake(&exporter, &authority, both).await.unwrap().alpn, with_both);
        } else {
            let many = (0..64).map(|_| client.get(format!("{url}/-/healthy")).send());
            for response in futures_util::future::join_all(many).await {
                assert_eq!(response.unwrap().status(), StatusCode::OK);
            }
            let refused = client.post(format!("{url}/metrics")).body("x").send().await.unwrap();
            assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
            assert!(refused.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
            let large = client.get(&url).header("x", "x".repeat(17 * 1_024)).send().await.unwrap();
            assert_eq!(large.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
    }
}

async fn is_healthy(client: &Client, exporter: &Exporter) -> bool {
    let response = client.get(format!("https://localhost:{}/-/healthy", exporter.address().port())).send().await;
    response.is_ok_and(|response| response.status() == StatusCode::OK)
}

#[tokio::test]
async fn client_certificates_are_checked() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let shown = [None, Some(ours.issue("prometheus")), Some(ours.issue("192.0.2.7")), Some(theirs.issue("prometheus"))];
    for (settings, expected) in [
        ("", [true, true, true, true]),
        ("client_auth_type: NoClientCert", [true, true, true, true]),
        ("client_auth_type: RequestClientCert", [true, true, true, true]),
        ("client_auth_type: RequireAnyClientCert", [false, true, true, true]),
        ("client_auth_type: RequireClientCert", [false, true, true, true]),
        ("client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem", [true, true, true, false]),
        ("client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem", [false, true, true, false]),
        (
            "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, client_allowed_sans: [prometheus]",
            [false, true, false, false],
        ),
        (
            "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, client_allowed_sans: [x, 192.0.2.7]",
            [false, false, true, false],
        ),
        ("client_auth_type: RequireAnyClientCert, client_allowed_sans: [prometheus]", [false, true, false, true]),
    ] {
        let exporter = start(&ours, &format!("{FILES}, {settings}"), "").await;
        for (number, (identity, expected)) in shown.iter().zip(expected).enumerate() {
            let client = ours.client(identity.clone());
            assert_eq!(is_healthy(&client, &exporter).await, expected, "{settings}: client {number}");
        }
        let plain = reqwest::get(format!("http://{}/", exporter.address())).await;
        assert!(plain.is_err(), "plain HTTP");
    }
}

#[tokio::test]
async fn certificates_can_be_inline() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let block = |name: &str, pem: &str| format!("  {name}: |\n    {}\n", pem.trim().replace('\n', "\n    "));
    let content = format!(
        "tls_server_config:\n{}{}{}  client_auth_type: RequireAndVerifyClientCert\n",
        block("cert", &certificate),
        block("key", &key),
        block("client_ca", &authority.pem),
    );
    let exporter = Start::new().web_config(&content).run().await;
    assert!(is_healthy(&authority.client(Some(authority.issue("prometheus"))), &exporter).await);
    assert!(!is_healthy(&authority.client(None), &exporter).await);
}
