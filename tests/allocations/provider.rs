//! A provider in the shape of Atlassian's, in a thread: pages of 1,000 tokens, rendered in advance.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

const PAGE: usize = 1_000;

pub(crate) struct Provider {
    pub(crate) url: String,
}

/// Ids and dates that all differ, and an owner for every third token.
fn row(number: usize) -> String {
    let (owner, hour, minute) = (number / 3, number / 60 % 24, number % 60);
    format!(
        r#"{{"id":"{:08x}-0000-4000-8000-{number:012x}","label":"deploy {number}","status":"ALLOWED","createdAt":"2026-01-10T{hour:02}:{minute:02}:07.000Z","expiresAt":"2027-{:02}-10T{hour:02}:{minute:02}:00.000Z","lastActiveAt":"2026-11-19T{hour:02}:{minute:02}:05.000Z","user":{{"id":"712020:{owner:08x}","name":"Person {owner}","email":"person-{owner}@example.com"}},"scopes":["read:jira-work","read:confluence-content.all"]}}"#,
        number.wrapping_mul(2_654_435_761) & 0xffff_ffff,
        number % 12 + 1,
    )
}

fn page(number: usize, tokens: usize) -> String {
    let rows: Vec<String> = (number * PAGE..tokens.min((number + 1) * PAGE)).map(row).collect();
    let next = if (number + 1) * PAGE < tokens { format!("\"{}\"", number + 1) } else { "null".to_owned() };
    format!(r#"{{"data":[{}],"links":{{"next":{next}}}}}"#, rows.join(","))
}

pub(crate) fn start(tokens: usize) -> Provider {
    let pages: Arc<Vec<String>> = Arc::new((0..tokens.div_ceil(PAGE)).map(|number| page(number, tokens)).collect());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let pages = Arc::clone(&pages);
            // A connection ends when the client closes it.
            thread::spawn(move || serve(&stream.unwrap(), &pages));
        }
    });
    Provider { url }
}

/// Answers the requests of one connection.
fn serve(mut stream: &TcpStream, pages: &[String]) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    loop {
        let target = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
        while !lines.next()?.ok()?.is_empty() {}
        let cursor = target.split(['?', '&']).find_map(|part| part.strip_prefix("cursor="));
        let own = r#"{"data":[],"links":{"next":null}}"#;
        let body =
            if target.contains("/api-tokens") { &pages[cursor.map_or(0, |page| page.parse().unwrap())] } else { own };
        let mut head = String::new();
        write!(head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len())
            .ok()?;
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()?;
    }
}
