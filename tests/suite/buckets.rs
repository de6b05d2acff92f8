//! The shared store on a directory, moto and azurite; its start probe and errors on a server that misbehaves.

mod fake;
pub mod server;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use token_expiry_exporter::core::schedule::version::Version;
use token_expiry_exporter::storage::shared::{
    Conditional, Precondition, PutOutcome, SharedStore, StoreError, prepare, put_if_read_back,
};

use crate::tcp_proxy::{Network, TcpProxy};
use fake::{Behaviour, FakeS3};
use server::{Address, Store};

async fn written(store: &Arc<dyn SharedStore>, name: &str, text: &str, precondition: Precondition<'_>) -> Version {
    match store.put_if(name, Bytes::from(text.to_owned()), precondition).await.unwrap() {
        Conditional::Written(version) => version,
        Conditional::Refused => panic!("{name} {text}: {precondition:?} refused"),
    }
}

async fn is_refused(store: &Arc<dyn SharedStore>, name: &str, precondition: Precondition<'_>) -> bool {
    store.put_if(name, Bytes::from_static(b"refused"), precondition).await.unwrap() == Conditional::Refused
}

/// What every store keeps.
async fn keeps_the_contract(address: &Address) {
    let store = address.open();
    store.probe("replica-1").await.unwrap();
    assert_eq!(store.list("").await.unwrap(), [], "the probe deletes its object");
    assert_eq!(store.get("live/sources/none", 100).await.unwrap(), None);
    store.delete("live/sources/none").await.unwrap();

    // A name with signs that a service or a file system encodes.
    let name = "live/sources/a%2Fb c~#1%25";
    let first = written(&store, name, "one", Precondition::Missing).await;
    assert!(is_refused(&store, name, Precondition::Missing).await);
    let second = written(&store, name, "two", Precondition::Unchanged(&first)).await;
    assert!(is_refused(&store, name, Precondition::Unchanged(&first)).await);
    assert!(is_refused(&store, "live/sources/none", Precondition::Unchanged(&first)).await);
    assert!(!first.etag.contains('"') && first.etag != second.etag);

    let read = store.get(name, 3).await.unwrap().unwrap();
    assert_eq!((&*read.bytes, &read.version), (&b"two"[..], &second));
    let listed = store.list("live/").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&*listed[0].name, &listed[0].etag, listed[0].size), (name, &second.etag, 3));
    assert!((listed[0].last_modified - read.last_modified).num_seconds().abs() <= 1, "one clock");
    let error = store.get(name, 2).await.unwrap_err();
    assert!(matches!(&error, StoreError::TooLarge { size: 3, limit: 2, .. }), "{error:?}");

    // An object of another prefix that begins alike.
    store.put("live2/x", Bytes::from_static(b"x")).await.unwrap();
    store.put("live/members/m", Bytes::from_static(b"m1")).await.unwrap();
    store.put("live/members/m", Bytes::from_static(b"m2")).await.unwrap();
    assert_eq!(store.get("live/members/m", 100).await.unwrap().unwrap().bytes, "m2");
    assert_eq!(store.list("live/").await.unwrap().len(), 2);
    let large = Bytes::from(vec![7; 3_000_000]);
    store.put("blobs/s/x", large.clone()).await.unwrap();
    assert_eq!(store.get("blobs/s/x", 10_000_000).await.unwrap().unwrap().bytes, large);

    store.delete(name).await.unwrap();
    assert_eq!(store.get(name, 100).await.unwrap(), None);
    assert!(is_refused(&store, name, Precondition::Unchanged(&second)).await);
    written(&store, name, "three", Precondition::Missing).await;
}

/// Twenty writers, as many processes have, ten times: exactly one wins a create, and one an update.
async fn has_one_winner(address: &Address) {
    let stores: Vec<Arc<dyn SharedStore>> = (0..20).map(|_| address.open()).collect();
    for round in 0..10 {
        let name = format!("live/sources/race-{round}");
        let mut version = None;
        for step in ["create", "update"] {
            let precondition = version.as_ref().map_or(Precondition::Missing, Precondition::Unchanged);
            let name = name.as_str();
            let puts = stores.iter().enumerate().map(|(writer, store)| {
                put_if_read_back(&**store, name, Bytes::from(format!("{step} {writer}")), precondition)
            });
            let outcomes = join_all(puts).await;
            let winners: Vec<(usize, &Version)> = outcomes
                .iter()
                .enumerate()
                .filter_map(|(writer, outcome)| match outcome {
                    PutOutcome::Done(version) => Some((writer, version)),
                    PutOutcome::Lost => None,
                    PutOutcome::Unknown(error) => panic!("{error}"),
                })
                .collect();
            let [(winner, done)] = winners[..] else { panic!("{step} of round {round}: {} winners", winners.len()) };
            let read = stores[0].get(name, 100).await.unwrap().unwrap();
            assert_eq!(read.bytes, format!("{step} {winner}"));
            assert_eq!(&read.version, done);
            version = Some(done.clone());
        }
    }
}

/// More objects than a page of a list has.
async fn lists_all_pages(address: &Address) {
    let store = address.open();
    let names: BTreeSet<String> = (0..1_100).map(|number| format!("live/sources/source-{number}")).collect();
    let puts = stream::iter(&names).for_each_concurrent(16, |name| {
        let store = &store;
        async move { store.put(name, Bytes::from(name.clone())).await.unwrap() }
    });
    puts.await;
    let listed = store.list("live/").await.unwrap();
    assert_eq!(listed.len(), 1_100);
    assert_eq!(listed.into_iter().map(|object| object.name).collect::<BTreeSet<_>>(), names);
}

#[tokio::test]
async fn directory_keeps_the_contract_of_a_store() {
    let dir = tempfile::tempdir().unwrap();
    keeps_the_contract(&Store::directory(dir.path()).address).await;
}

#[tokio::test]
async fn s3_keeps_the_contract_of_a_store() {
    let dir = tempfile::tempdir().unwrap();
    keeps_the_contract(&Store::moto(dir.path()).await.address).await;
}

#[tokio::test]
async fn azure_keeps_the_contract_of_a_store() {
    let dir = tempfile::tempdir().unwrap();
    keeps_the_contract(&Store::azurite(dir.path()).await.address).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn race_of_20_writers_has_one_winner_in_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    has_one_winner(&Store::directory(dir.path()).address).await;
}

#[tokio::test]
async fn race_of_20_writers_has_one_winner_in_s3() {
    let dir = tempfile::tempdir().unwrap();
    has_one_winner(&Store::moto(dir.path()).await.address).await;
}

#[tokio::test]
async fn race_of_20_writers_has_one_winner_in_azure() {
    let dir = tempfile::tempdir().unwrap();
    has_one_winner(&Store::azurite(dir.path()).await.address).await;
}

#[tokio::test]
async fn list_has_all_pages() {
    let dir = tempfile::tempdir().unwrap();
    lists_all_pages(&Store::directory(dir.path()).address).await;
    lists_all_pages(&Store::moto(dir.path()).await.address).await;
    lists_all_pages(&Store::azurite(dir.path()).await.address).await;
}

#[tokio::test]
async fn put_whose_response_was_lost_is_recognised() {
    let dir = tempfile::tempdir().unwrap();
    let moto = Store::moto(dir.path()).await;
    let proxy = TcpProxy::to(moto.port()).await;
    let behind = Address::s3(proxy.port).open();
    let direct = moto.address.open();
    let body = Bytes::from_static(b"a nonce");

    proxy.set(Network::LosesResponses);
    let restore = async {
        while proxy.lost() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        proxy.set(Network::Works);
    };
    let put = put_if_read_back(&*behind, "live/sources/s", body.clone(), Precondition::Missing);
    let (outcome, ()) = tokio::join!(put, restore);
    let PutOutcome::Done(version) = outcome else { panic!("{outcome:?}") };
    assert_eq!(direct.get("live/sources/s", 100).await.unwrap().unwrap().version, version);

    // Another writer was faster: what was lost is not this put's.
    written(&direct, "live/sources/s", "other", Precondition::Unchanged(&version)).await;
    let stale = put_if_read_back(&*behind, "live/sources/s", body, Precondition::Unchanged(&version)).await;
    assert!(matches!(stale, PutOutcome::Lost), "{stale:?}");
}

#[tokio::test]
async fn store_without_conditional_puts_is_refused() {
    for (behaviour, expected) in [
        (Behaviour::IgnoresIfNoneMatch, "overwrites an object although the request has `If-None-Match: *`"),
        (Behaviour::IgnoresIfMatch, "replaces an object although `If-Match` names another version"),
        (Behaviour::ListsNoEtag, "does not list an object with the ETag"),
    ] {
        let fake = FakeS3::start(behaviour.clone()).await;
        let error = fake.address().open().probe("replica").await.unwrap_err();
        let StoreError::Refused(text) = &error else { panic!("{error:?}") };
        assert!(text.starts_with("s3://fleet/some/prefix: the store ") && text.contains(expected), "{text}");
        assert!(text.ends_with("use a store with conditional puts"), "{text}");
    }
    FakeS3::start(Behaviour::Correct).await.address().open().probe("replica").await.unwrap();
}

#[tokio::test]
async fn damaged_name_of_the_installation_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Address::directory(dir.path()).open();
    store.put("installation", Bytes::from_static(b"<html>")).await.unwrap();
    let error = prepare(&*store, "replica", "default").await.unwrap_err();
    let expected = "the object `installation` is damaged; delete it";
    assert!(matches!(&error, StoreError::Refused(text) if text == expected), "{error:?}");
    store.delete("installation").await.unwrap();
    prepare(&*store, "replica", "default").await.unwrap();
    let named = store.get("installation", 100).await.unwrap().unwrap();
    assert_eq!(&*named.bytes, br#"{"installation":"default"}"#);
}

#[tokio::test]
async fn store_that_wants_etags_without_quotes_is_used() {
    let fake = FakeS3::start(Behaviour::WantsNoQuotes).await;
    let store = fake.address().open();
    store.probe("replica").await.unwrap();
    let first = written(&store, "x", "1", Precondition::Missing).await;
    let second = written(&store, "x", "2", Precondition::Unchanged(&first)).await;
    assert!(is_refused(&store, "x", Precondition::Unchanged(&first)).await);
    written(&store, "x", "3", Precondition::Unchanged(&second)).await;
}

#[tokio::test]
async fn refused_request_is_explained() {
    for (status, code, operation, expected) in [
        (
            403,
            "AccessDenied",
            "list",
            "refused with 403 AccessDenied; the credentials lack s3:ListBucket on the bucket",
        ),
        (403, "AccessDenied", "get", "the credentials lack s3:GetObject on the prefix"),
        (403, "AccessDenied", "put", "the credentials lack s3:PutObject on the prefix"),
        (403, "AccessDenied", "delete", "the credentials lack s3:DeleteObject on the prefix"),
        (404, "NoSuchBucket", "get", "the bucket does not exist; create it, or correct --storage.url"),
        (404, "NoSuchBucket", "put", "the bucket does not exist"),
        (404, "NoSuchBucket", "list", "the bucket does not exist"),
        (404, "NoSuchBucket", "delete", "the bucket does not exist"),
        (403, "InvalidAccessKeyId", "list", "check the credentials of the store"),
        (400, "ExpiredToken", "list", "the credentials expired; renew them"),
        (403, "RequestTimeTooSkewed", "put", "correct the clock of this machine"),
        (400, "AuthorizationHeaderMalformed", "list", "the bucket is in another region; set AWS_REGION"),
        (301, "PermanentRedirect", "list", "the bucket is in another region; set AWS_REGION"),
        (400, "a code with hidden-message", "list", "refused with 400; check --storage.url"),
    ] {
        let fake = FakeS3::start(Behaviour::Responds(status, code.to_owned())).await;
        let store = fake.address().open();
        let error = match operation {
            "list" => store.list("live/").await.unwrap_err(),
            "get" => store.get("x", 10).await.unwrap_err(),
            "put" => store.put("x", Bytes::new()).await.unwrap_err(),
            _ => store.delete("x").await.unwrap_err(),
        };
        assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
        let text = error.to_string();
        assert!(
            text.starts_with("s3://fleet/some/prefix: ") && text.contains(expected),
            "{status} {operation}: {text}"
        );
        assert!(!text.contains("hidden-message") && !text.contains("testtest") && !text.contains('\n'), "{text}");
    }
}

#[tokio::test]
async fn redirect_is_not_followed_with_the_credentials() {
    let other = FakeS3::start(Behaviour::Correct).await;
    let fake = FakeS3::start(Behaviour::Redirects(format!("http://127.0.0.1:{}/x", other.port))).await;
    let error = fake.address().open().list("live/").await.unwrap_err();
    assert!(matches!(&error, StoreError::Refused(text) if text.contains("refused with 307")), "{error:?}");
    assert!(fake.seen()[0].2.contains_key("authorization"), "the request was signed");
    assert_eq!(other.seen().len(), 0, "no request reached the other origin");
}

#[tokio::test]
async fn store_that_does_not_respond_is_unavailable_within_8_seconds() {
    let silent = FakeS3::start(Behaviour::Silent).await;
    let busy = FakeS3::start(Behaviour::Responds(503, "SlowDown".to_owned())).await;
    let closed = crate::test_servers::free_port();
    for (address, expected) in [
        (silent.address(), "no response within"),
        (busy.address(), "refused with 503 SlowDown; it is retried"),
        (Address::s3(closed), "cannot connect to 127.0.0.1"),
    ] {
        let store = address.open();
        let started = Instant::now();
        let error = store.put_if("x", Bytes::from_static(b"x"), Precondition::Missing).await.unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
        let StoreError::Unavailable(text) = &error else { panic!("{error:?}") };
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn address_without_tls_needs_permission() {
    let fake = FakeS3::start(Behaviour::Correct).await;
    let mut address = fake.address();
    address.environment.retain(|(name, _)| name != "AWS_ALLOW_HTTP");
    let error = address.open().list("live/").await.unwrap_err().to_string();
    assert!(error.contains("set AWS_ALLOW_HTTP=true"), "{error}");
    assert_eq!(fake.seen().len(), 0);
}

#[test]
fn incomplete_environment_is_explained_without_its_values() {
    for (url, environment, expected) in [
        ("s3://b/p", &[("AWS_ACCESS_KEY_ID", "hidden-value")][..], "AWS_SECRET_ACCESS_KEY"),
        ("s3://b/p", &[("AWS_ALLOW_INVALID_CERTIFICATES", "true")][..], "SSL_CERT_FILE"),
        ("az://c/p", &[][..], "AZURE_STORAGE_ACCOUNT_NAME"),
        (
            "az://c/p",
            &[("AZURE_STORAGE_ACCOUNT_NAME", "a"), ("AZURE_STORAGE_ACCOUNT_KEY", "hidden-value!")][..],
            "AZURE_",
        ),
        ("gs://b/p", &[("GOOGLE_SERVICE_ACCOUNT_KEY", "hidden-value")][..], "GOOGLE_APPLICATION_CREDENTIALS"),
    ] {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let error = Address { url: url.to_owned(), environment }.try_open().err().unwrap();
        assert!(error.contains(expected) && !error.contains("hidden-value"), "{url}: {error}");
    }
}

/// Every request of the store needs an action of the policy in examples/shared-store, and the policy has no other action.
#[tokio::test]
async fn least_policy_is_exactly_what_the_requests_need() {
    let fake = FakeS3::start(Behaviour::Correct).await;
    let store = fake.address().open();
    store.probe("replica").await.unwrap();
    let version = written(&store, "live/sources/s", "1", Precondition::Missing).await;
    written(&store, "live/sources/s", "2", Precondition::Unchanged(&version)).await;
    store.put("blobs/s/x", Bytes::from(vec![0; 1_000_000])).await.unwrap();
    store.get("blobs/s/x", 2_000_000).await.unwrap().unwrap();
    store.list("live/").await.unwrap();
    store.delete("blobs/s/x").await.unwrap();

    // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
    let mut needed = BTreeSet::new();
    for (method, target, _) in fake.seen() {
        let (key, query) = target.split_once('?').unwrap_or((&target, ""));
        let action = match (method.as_str(), key.trim_matches('/')) {
            ("GET", "") => {
                assert!(query.contains("prefix=some%2Fprefix%2F"), "the policy permits no other list: {target}");
                "s3:ListBucket"
            }
            (_, key) if !key.starts_with("some/prefix/") => panic!("{target} is outside of the prefix"),
            ("GET" | "HEAD", _) => "s3:GetObject",
            ("PUT", _) => "s3:PutObject",
            ("DELETE", _) => "s3:DeleteObject",
            _ => panic!("{method} {target}"),
        };
        needed.insert(action.to_owned());
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/shared-store/s3-policy.json");
    let policy: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let actions = |statement: &serde_json::Value| match &statement["Action"] {
        serde_json::Value::Array(actions) => actions.iter().map(|action| action.as_str().unwrap().to_owned()).collect(),
        action => vec![action.as_str().unwrap().to_owned()],
    };
    assert_eq!(statements.iter().flat_map(actions).collect::<BTreeSet<_>>(), needed);
    assert_eq!(statements[0]["Condition"]["StringLike"]["s3:prefix"][0], "PREFIX/*");
    assert_eq!(statements[1]["Resource"], "arn:aws:s3:::BUCKET/PREFIX/*");
}
