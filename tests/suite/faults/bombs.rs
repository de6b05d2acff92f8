//! Answers without end: the memory that they cost is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::{Compress, Compression, FlushCompress};
use serde_json::json;

use super::door::Speaks;
use super::fault::{At, Expected, Fault};
use super::provider::{Answer, Provider};
use super::stage::{BRIEF, Stage, TIMEOUT};
use crate::equipment::Server;

/// The most memory, in MiB, that the exporter may ever have had under all of these at once.
const MOST_MEMORY: u64 = 400;

/// What it may keep of it.
const MOST_KEPT: u64 = 150;

/// A list of so many mebibytes of this text, zipped, and without an end. Each mebibyte is zipped by itself, so the same bytes
/// stand for all of them, and it is made in no time.
fn bomb(text: &[u8], mebibytes: usize) -> Vec<u8> {
    let mut zip = Compress::new(Compression::best(), false);
    let mut flushed = |text: &[u8]| {
        let mut bytes = Vec::with_capacity(64 << 10);
        zip.compress_vec(text, &mut bytes, FlushCompress::Full).unwrap();
        bytes
    };
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff].to_vec();
    let (first, each) = (flushed(b"["), flushed(&text.repeat((1 << 20) / text.len())));
    [head, first, each.repeat(mebibytes)].concat()
}

pub(super) fn rows(stage: &mut Stage) {
    let mut row = |row, fault: Fault, reason| {
        let time = if reason == "timeout" { BRIEF } else { TIMEOUT };
        stage.source(row, (fault, At::Tokens, Speaks::Http), Expected::Down(reason), Provider::Gitlab, time);
    };
    let blanks = vec![b' '; 64 << 10];
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{lines}\r\n").into_bytes();
    row("a body that never ends", Fault::Endless(head(""), blanks.clone()), "too_large");
    let promised = head("Content-Length: 9000000000000000000\r\n");
    row("a body that promises 9 exabytes", Fault::Endless(promised, blanks), "too_large");
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 1 << 16], b"\r\n".to_vec()].concat();
    row("chunks that never end", Fault::Endless(head("Transfer-Encoding: chunked\r\n"), chunk), "too_large");
    let line = format!("X-More: {}\r\n", "x".repeat(4000)).into_bytes();
    row("headers that never end", Fault::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), line), "connect");
    let zipped =
        |body: Vec<u8>| Fault::answer(200, &[("Content-Type", "application/json"), ("Content-Encoding", "gzip")], body);
    row("a gzip bomb of 4 GiB", zipped(bomb(b" ", 4096)), "too_large");
    row("a list of fourteen million numbers", numbers(), "too_large");
    row("pages that never end, each full", endless_pages(), "timeout");
}

/// Much less than the largest answer, and much more than memory has room for.
fn numbers() -> Fault {
    Fault::json(format!("[{}0]", "0,".repeat(14_000_000)))
}

/// Pages of new tokens for ever.
fn endless_pages() -> Fault {
    let name = "a token with a long name ".repeat(8);
    let row = |row| json!({"id": format!("PAGE-{row}"), "name": name, "expires_at": null});
    let rows: String = json!((0..2000).map(row).collect::<Vec<_>>()).to_string();
    let page = AtomicU64::new(10);
    Fault::Answer(Arc::new(move || {
        let page = page.fetch_add(1, Ordering::SeqCst);
        let next = format!("</api/v4/personal_access_tokens?page={page}>; rel=\"next\"");
        Answer::new(
            200,
            &[("Content-Type", "application/json"), ("Link", &next)],
            rows.replace("PAGE", &page.to_string()),
        )
    }))
}

/// What is wrong with the memory that an exporter has had, and has.
pub(super) fn memory(exporter: &Server, complaints: &mut Vec<String>) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", exporter.pid())).unwrap();
    let mebibytes = |key: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
    };
    let (most, now) = (mebibytes("VmHWM"), mebibytes("VmRSS"));
    eprintln!("memory: {most} MiB at most, {now} MiB in the end");
    if most > MOST_MEMORY {
        complaints.push(format!("the exporter had {most} MiB of memory, over {MOST_MEMORY}"));
    }
    if now > MOST_KEPT {
        complaints.push(format!("the exporter keeps {now} MiB of memory, over {MOST_KEPT}"));
    }
}
