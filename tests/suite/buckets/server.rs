//! The stores of the tests: a directory, moto (S3), Ceph's radosgw (S3) and azurite (Azure), each with an empty bucket.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::Utc;
use ring::hmac;
use token_expiry_exporter::storage::bucket;
use token_expiry_exporter::storage::shared::SharedStore;

use crate::test_servers::{Server, client, free_port, tool};

/// The account of every azurite (<https://learn.microsoft.com/azure/storage/common/storage-connect-azurite>).
const ACCOUNT: &str = "devstoreaccount1";
const ACCOUNT_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A URL of `--storage.url`, and the environment variables that belong to it.
#[derive(Clone, Debug)]
pub struct Address {
    pub url: String,
    pub environment: Vec<(String, String)>,
}

impl Address {
    fn new(url: &str, environment: &[(&str, &str)]) -> Self {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { url: url.to_owned(), environment }
    }

    /// An S3 service on this port of this machine.
    pub fn s3(port: u16) -> Self {
        Self::new(
            "s3://fleet/some/prefix",
            &[
                ("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{port}")),
                ("AWS_ALLOW_HTTP", "true"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "testtest"),
            ],
        )
    }

    pub fn azure(port: u16) -> Self {
        Self::new(
            "az://fleet/some/prefix",
            &[
                ("AZURE_ENDPOINT", &format!("http://127.0.0.1:{port}/{ACCOUNT}")),
                ("AZURE_ALLOW_HTTP", "true"),
                ("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT),
                ("AZURE_STORAGE_ACCOUNT_KEY", ACCOUNT_KEY),
            ],
        )
    }

    /// With another prefix.
    pub fn below(&self, prefix: &str) -> Self {
        Self { url: self.url.replace("some/prefix", prefix), ..self.clone() }
    }

    pub fn directory(dir: &Path) -> Self {
        Self::new(&format!("file://{}", dir.join("store").display()), &[])
    }

    pub fn open(&self) -> Arc<dyn SharedStore> {
        self.try_open().unwrap()
    }

    pub fn try_open(&self) -> Result<Arc<dyn SharedStore>, String> {
        bucket::open(&self.url.parse()?, self.environment.clone())
    }
}

fn port(server: &Server) -> u16 {
    server.url.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// A server with an empty bucket `fleet`.
pub struct Store {
    /// `None` for a directory.
    server: Option<Server>,
    pub address: Address,
    /// Its address at another port.
    at: fn(u16) -> Address,
}

impl Store {
    pub fn directory(dir: &Path) -> Self {
        Self { server: None, address: Address::directory(dir), at: Address::s3 }
    }

    /// S3. In memory: what it has ends with it.
    pub async fn moto(dir: &Path) -> Self {
        let free = free_port();
        let mut command = Command::new(tool("../moto/bin/python3"));
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/moto_server.py"));
        command.args(["-H", "127.0.0.1", "-p", &free.to_string()]);
        let server = Server::start("moto", command, dir, free, "/moto-api/data.json").await;
        let created = client().put(format!("{}/fleet", server.url)).send().await.unwrap();
        assert!(created.status().is_success(), "{created:?}");
        Self { address: Address::s3(free), server: Some(server), at: Address::s3 }
    }

    /// S3 of Ceph, which checks signatures.
    pub async fn radosgw(dir: &Path) -> Self {
        let (free, monitor) = (free_port(), free_port());
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/radosgw.sh"));
        command.arg(dir.join("ceph")).args([free.to_string(), monitor.to_string()]);
        let server = Server::listening("radosgw", command, dir, free).await;
        create_bucket(&server.url).await;
        Self { address: Address::s3(free), server: Some(server), at: Address::s3 }
    }

    /// Azure Blob Storage.
    pub async fn azurite(dir: &Path) -> Self {
        let free = free_port();
        let data = dir.join(format!("azurite-{free}"));
        let mut command = Command::new(tool("azurite-blob"));
        command
            .args(["--blobHost", "127.0.0.1", "--blobPort", &free.to_string(), "--silent", "--skipApiVersionCheck"])
            // Without it, it reports to its maker.
            .args(["--disableTelemetry", "--location"])
            .arg(&data);
        let server = Server::listening("azurite", command, dir, free).await;
        create_container(&server.url).await;
        Self { address: Address::azure(free), server: Some(server), at: Address::azure }
    }

    /// Through a proxy with this port.
    pub fn through(&self, port: u16) -> Address {
        (self.at)(port)
    }

    pub fn port(&self) -> u16 {
        port(self.server.as_ref().unwrap())
    }
}

/// Creates the bucket `fleet` with a signed request, by version 2 of the signature, which Ceph accepts
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html>).
async fn create_bucket(url: &str) {
    let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"testtest");
    let signed = format!("PUT\n\n\n\nx-amz-date:{date}\n/fleet");
    let signature = BASE64_STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
    let request = client().put(format!("{url}/fleet")).header("x-amz-date", date).header("content-length", "0");
    let response = request.header("authorization", format!("AWS test:{signature}")).send().await.unwrap();
    let status = response.status();
    assert_eq!(status, 200, "{}", response.text().await.unwrap());
}

/// Creates the container `fleet` with a signed request
/// (<https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>).
async fn create_container(url: &str) {
    let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let headers = format!("x-ms-date:{date}\nx-ms-version:2021-08-06\n");
    let signed = format!("PUT{}{headers}/{ACCOUNT}/{ACCOUNT}/fleet\nrestype:container", "\n".repeat(12));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64_STANDARD.decode(ACCOUNT_KEY).unwrap());
    let signature = BASE64_STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
    let request = client()
        .put(format!("{url}/{ACCOUNT}/fleet?restype=container"))
        .header("x-ms-date", date)
        .header("x-ms-version", "2021-08-06")
        .header("content-length", "0")
        .header("authorization", format!("SharedKey {ACCOUNT}:{signature}"));
    let response = request.send().await.unwrap();
    let status = response.status();
    assert_eq!(status, 201, "{}", response.text().await.unwrap());
}
