//! The cost of logins, and what a rejection reveals.

use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};

use super::exporter::{Exporter, Start, sample};

async fn login(client: &Client, exporter: &Exporter, user: &str, password: &str) -> (StatusCode, Duration) {
    let start = Instant::now();
    let request = client.get(format!("http://{}/metrics", exporter.address())).basic_auth(user, Some(password));
    let status = request.send().await.unwrap().status();
    (status, start.elapsed())
}

#[tokio::test]
async fn login_costs_bcrypt_once_and_rejections_take_equal_time() {
    let hash = |password: &str, cost| bcrypt::hash(password, cost).unwrap();
    let users = format!("basic_auth_users: {{jane: '{}', john: '{}'}}\n", hash("secret", 9), hash("other", 5));
    let exporter = Start::new().web_config(&users).run().await;
    let client = Client::builder().no_proxy().build().unwrap();
    let (status, first) = login(&client, &exporter, "jane", "secret").await;
    assert_eq!(status, StatusCode::OK);
    let mut again = Duration::MAX;
    for _ in 0..10 {
        let (status, took) = login(&client, &exporter, "jane", "secret").await;
        assert_eq!(status, StatusCode::OK);
        again = again.min(took);
    }
    assert!(again < first / 3, "first {first:?}, again {again:?}");

    // CPU time, which other load on the machine does not change.
    let mut rejections = Vec::new();
    for (user, password) in [("jane", "wrong"), ("john", "wrong"), ("nobody", "wrong"), ("nobody", "secret")] {
        let before = exporter.cpu_time();
        for _ in 0..5 {
            assert_eq!(login(&client, &exporter, user, password).await.0, StatusCode::UNAUTHORIZED, "{user}");
        }
        rejections.push(exporter.cpu_time() - before);
    }
    let (least, most) = (rejections.iter().min().unwrap(), rejections.iter().max().unwrap());
    eprintln!("first login {first:?}, again {again:?}, five rejections {rejections:?} hundredths of a second");
    assert!(*most < *least * 2, "costs of 5 and 9 would differ sixteen-fold: {rejections:?}");
}

#[tokio::test]
async fn flood_of_guesses_is_rejected_and_a_remembered_user_is_served() {
    let users = format!("basic_auth_users: {{jane: '{}'}}\n", bcrypt::hash("secret", 9).unwrap());
    let exporter = Start::new().web_config(&users).run().await;
    let client = Client::builder().no_proxy().build().unwrap();
    assert_eq!(login(&client, &exporter, "jane", "secret").await.0, StatusCode::OK);
    let guesses = futures_util::future::join_all((0..100).map(|_| login(&client, &exporter, "jane", "guess")));
    let known = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        login(&client, &exporter, "jane", "secret").await
    };
    let (guesses, (status, took)) = tokio::join!(guesses, known);
    assert!(status == StatusCode::OK && took < Duration::from_secs(1), "{status} after {took:?}");
    let count = |wanted: StatusCode| guesses.iter().filter(|(status, _)| *status == wanted).count();
    let (rejected, busy) = (count(StatusCode::UNAUTHORIZED), count(StatusCode::SERVICE_UNAVAILABLE));
    assert!(rejected >= 32 && busy > 0 && rejected + busy == 100, "{rejected} rejected, {busy} busy");
    let request = client.get(format!("http://{}/metrics", exporter.address())).basic_auth("jane", Some("secret"));
    let metrics = request.send().await.unwrap().text().await.unwrap();
    assert_eq!(sample(&metrics, "http_requests_total{code=\"503\",path=\"/metrics\"}"), busy as u64);
}

#[tokio::test]
async fn rate_limit_admits_only_a_burst() {
    let exporter = Start::new().web_config("rate_limit: {interval: 1h, burst: 3}\n").run().await;
    let client = Client::builder().no_proxy().build().unwrap();
    for expected in [200, 200, 200, 429, 429] {
        let response = client.get(format!("http://{}/metrics", exporter.address())).send().await.unwrap();
        assert_eq!(response.status().as_u16(), expected);
        assert_eq!(response.headers().contains_key("retry-after"), expected == 429);
    }
    assert!(exporter.probe("/-/ready").await.starts_with("HTTP/1.1 200"), "probes are not limited");
    let off = Start::new().web_config("rate_limit: {interval: 0s, burst: 1}\n").run().await;
    for _ in 0..5 {
        assert_eq!(client.get(format!("http://{}/", off.address())).send().await.unwrap().status(), StatusCode::OK);
    }
}
