//! The headers that a page shows, compared with a response of the program.

use regex::Regex;

use crate::test_servers::{client, exporter};

const CONFIG: &str = "sources: [{name: by-hand, provider: manual, tokens: [{name: a, expires: 2030-01-01}]}]\n";

/// Every header is in a response; `…` stands for any text.
pub(super) async fn check_headers(text: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let server = exporter(dir.path(), CONFIG, &[]).await;
    let response = client().get(&server.url).send().await.unwrap();
    let joined = text.replace("\n  ", " ");
    for line in joined.lines() {
        let (name, expected) = line.split_once(": ").ok_or_else(|| format!("no header: {line}"))?;
        let found = response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        let pattern = regex::escape(expected).replace('…', "[^;']+");
        if !Regex::new(&format!("^{pattern}$")).unwrap().is_match(found) {
            return Err(format!("{name}: {found:?} instead of {expected:?}"));
        }
    }
    Ok(())
}
