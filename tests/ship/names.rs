//! DNS and CA certificates, which a static program without a distribution can easily lack: a request to a provider by its
//! host name, over TLS, with the CA bundle of the image.

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use axum::Router;
use axum_server::tls_rustls::RustlsConfig;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};

use crate::docker::{Container, IMAGE};
use crate::test_servers::{client, samples, wait_for};

const NAME: &str = "vault.example.test";
/// Address of the name server, on this machine; the port is always 53.
const NAME_SERVER: &str = "127.0.53.97";

/// Answers A queries with 127.0.0.1, and others with no record (RFC 1035, section 4).
fn start_name_server() {
    let socket = UdpSocket::bind((NAME_SERVER, 53)).expect("port 53 of an address of this machine");
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            let end = 12 + question[12..length].iter().position(|byte| *byte == 0).unwrap() + 5;
            let is_a = question[end - 4..end - 2] == [0, 1];
            let mut response = question[..end].to_vec();
            response[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
            if is_a {
                response.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            }
            drop(socket.send_to(&response, from));
        }
    });
}

#[tokio::test]
async fn image_resolves_names_and_trusts_its_ca_bundle() {
    drop(client());
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![NAME.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let tls = RustlsConfig::from_pem(certificate.pem().into_bytes(), key.serialize_pem().into_bytes()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let provider: SocketAddr = listener.local_addr().unwrap();
    // Responds 404 to everything: the source fails, but the requests are counted.
    tokio::spawn(axum_server::from_tcp_rustls(listener, tls).unwrap().serve(Router::new().into_make_service()));
    start_name_server();

    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let url = format!("https://{NAME}:{}", provider.port());
    let config =
        format!("sources: [{{name: vault, provider: vault, url: '{url}', auth: token, credential: {{env: KEY}}}}]\n");
    fs::write(path("config.yaml"), config).unwrap();
    fs::write(path("ca.pem"), ca.pem()).unwrap();
    fs::write(path("resolv.conf"), format!("nameserver {NAME_SERVER}\n")).unwrap();
    let port = crate::test_servers::free_port();
    let _exporter = Container::run(&[
        "--read-only",
        "--network=host",
        "--user=0",
        "--env=KEY=a-key",
        "--volume",
        &format!("{}:/config.yaml:ro", path("config.yaml")),
        "--volume",
        &format!("{}:/etc/ssl/certs/ca-certificates.crt:ro", path("ca.pem")),
        "--volume",
        &format!("{}:/etc/resolv.conf:ro", path("resolv.conf")),
        IMAGE,
        "serve",
        "--config.file=/config.yaml",
        &format!("--web.listen-address=127.0.0.1:{port}"),
    ]);
    let (requests, failures) = wait_for("requests to the provider", || async {
        let text = client().get(format!("http://127.0.0.1:{port}/metrics")).send().await.ok()?.text().await.ok()?;
        let requests = samples(&text, "token_source_requests_total");
        let failures: Vec<_> =
            samples(&text, "token_source_failures_total").into_iter().filter(|failure| failure.value > 0.0).collect();
        (!failures.is_empty()).then_some((requests, failures))
    })
    .await;
    assert!(
        requests.iter().any(|sample| sample.label("code") == "404" && sample.value > 0.0),
        "{requests:?} {failures:?}"
    );
}
