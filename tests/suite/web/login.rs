//! What a login costs, and what a refusal tells.

use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};

use super::program::{ExporterMetrics, Start, sample};

async fn login(client: &Client, program: &ExporterMetrics, user: &str, password: &str) -> (StatusCode, Duration) {
    let begun = Instant::now();
    let request = client.get(format!("http://{}/metrics", program.address())).basic_auth(user, Some(password));
    let status = request.send().await.unwrap().status();
    (status, begun.elapsed())
}

#[tokio::test]
async fn a_login_is_paid_for_once_and_a_refusal_does_not_tell_who_exists() {
    let hash = |password: &str, cost| bcrypt::hash(password, cost).unwrap();
    let users = format!("basic_auth_users: {{jane: '{}', john: '{}'}}\n", hash("secret", 9), hash("other", 5));
    let program = Start::new().guarded(&users).go().await;
    let client = Client::builder().no_proxy().build().unwrap();
    let (status, first) = login(&client, &program, "jane", "secret").await;
    assert_eq!(status, StatusCode::OK);
    let mut again = Duration::MAX;
    for _ in 0..10 {
        let (status, took) = login(&client, &program, "jane", "secret").await;
        assert_eq!(status, StatusCode::OK);
        again = again.min(took);
    }
    assert!(again < first / 3, "the first {first:?}, once more {again:?}");

    // The work that is done, which the machine's other work does not change; the time follows it.
    let mut refusals = Vec::new();
    for (user, password) in [("jane", "wrong"), ("john", "wrong"), ("nobody", "wrong"), ("nobody", "secret")] {
        let before = program.spent();
        for _ in 0..5 {
            assert_eq!(login(&client, &program, user, password).await.0, StatusCode::UNAUTHORIZED, "{user}");
        }
        refusals.push(program.spent() - before);
    }
    let (least, most) = (refusals.iter().min().unwrap(), refusals.iter().max().unwrap());
    eprintln!("the first login {first:?}, once more {again:?}, five refusals {refusals:?} hundredths of a second");
    assert!(*most < *least * 2, "a cost of 5 and one of 9 would differ sixteen-fold: {refusals:?}");
}

#[tokio::test]
async fn a_flood_of_guesses_is_refused_and_whoever_is_known_is_answered() {
    let users = format!("basic_auth_users: {{jane: '{}'}}\n", bcrypt::hash("secret", 9).unwrap());
    let program = Start::new().guarded(&users).go().await;
    let client = Client::builder().no_proxy().build().unwrap();
    assert_eq!(login(&client, &program, "jane", "secret").await.0, StatusCode::OK);
    let guesses = futures_util::future::join_all((0..100).map(|_| login(&client, &program, "jane", "guess")));
    let known = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        login(&client, &program, "jane", "secret").await
    };
    let (guesses, (status, took)) = tokio::join!(guesses, known);
    assert!(status == StatusCode::OK && took < Duration::from_secs(1), "{status} after {took:?}");
    let count = |wanted: StatusCode| guesses.iter().filter(|(status, _)| *status == wanted).count();
    let (refused, crowded) = (count(StatusCode::UNAUTHORIZED), count(StatusCode::SERVICE_UNAVAILABLE));
    assert!(refused >= 32 && crowded > 0 && refused + crowded == 100, "{refused} refused, {crowded} turned away");
    let request = client.get(format!("http://{}/metrics", program.address())).basic_auth("jane", Some("secret"));
    let metrics = request.send().await.unwrap().text().await.unwrap();
    assert_eq!(sample(&metrics, "http_requests_total{code=\"503\",path=\"/metrics\"}"), crowded as u64);
}

#[tokio::test]
async fn the_rate_limit_lets_a_burst_in_and_no_more() {
    let program = Start::new().guarded("rate_limit: {interval: 1h, burst: 3}\n").go().await;
    let client = Client::builder().no_proxy().build().unwrap();
    for expected in [200, 200, 200, 429, 429] {
        let answer = client.get(format!("http://{}/metrics", program.address())).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected);
        assert_eq!(answer.headers().contains_key("retry-after"), expected == 429);
    }
    assert!(program.probe("/-/ready").await.starts_with("HTTP/1.1 200"), "probes are not limited");
    let off = Start::new().guarded("rate_limit: {interval: 0s, burst: 1}\n").go().await;
    for _ in 0..5 {
        assert_eq!(client.get(format!("http://{}/", off.address())).send().await.unwrap().status(), StatusCode::OK);
    }
}
