//! Endless and huge responses: the memory that they cost is limited.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::{Compress, Compression, FlushCompress};
use serde_json::json;

use super::fault::{Expected, Fault, Requests};
use super::provider::{Provider, Response};
use super::server::Protocol;
use super::testbed::{SHORT_TIMEOUT, TIMEOUT, Testbed};
use crate::test_servers::Server;

/// In MiB, the maximum under all of these at once.
const MAX_MEMORY: u64 = 400;

/// In MiB, the maximum afterwards: the allocator returns nearly all of it, see docs/decisions/allocator.md.
const MAX_MEMORY_AFTER: u64 = 150;

/// An unclosed JSON list with this number of mebibytes of text, compressed. Each mebibyte is compressed separately, so that its
/// bytes can be repeated.
fn gzip_bomb(text: &[u8], mebibytes: usize) -> Vec<u8> {
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

pub(super) fn cases(testbed: &mut Testbed) {
    let mut case = |row, fault: Fault, reason| {
        let extra = if reason == "timeout" { SHORT_TIMEOUT } else { TIMEOUT };
        testbed.source(row, (fault, Requests::Tokens, Protocol::Http), Expected::Down(reason), Provider::Gitlab, extra);
    };
    let blanks = vec![b' '; 64 << 10];
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{lines}\r\n").into_bytes();
    case("endless body", Fault::Endless(head(""), blanks.clone()), "too_large");
    let promised = head("Content-Length: 9000000000000000000\r\n");
    case("body with a Content-Length of 9 exabytes", Fault::Endless(promised, blanks), "too_large");
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 1 << 16], b"\r\n".to_vec()].concat();
    case("endless chunks", Fault::Endless(head("Transfer-Encoding: chunked\r\n"), chunk), "too_large");
    let line = format!("X-More: {}\r\n", "x".repeat(4000)).into_bytes();
    case("endless headers", Fault::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), line), "connect");
    let zipped = |body: Vec<u8>| {
        Fault::response(200, &[("Content-Type", "application/json"), ("Content-Encoding", "gzip")], body)
    };
    case("gzip bomb of 4 GiB", zipped(gzip_bomb(b" ", 4096)), "too_large");
    case("list of 14 million numbers", numbers(), "too_large");
    case("endless full pages", endless_pages(), "timeout");
}

/// Much less than the response limit, but too much memory once decoded.
fn numbers() -> Fault {
    Fault::json(format!("[{}0]", "0,".repeat(14_000_000)))
}

/// Pages of new tokens, without end.
fn endless_pages() -> Fault {
    let name = "a token with a long name ".repeat(8);
    let row = |row| json!({"id": format!("PAGE-{row}"), "name": name, "expires_at": null});
    let rows: String = json!((0..2000).map(row).collect::<Vec<_>>()).to_string();
    let page = AtomicU64::new(10);
    Fault::Response(Arc::new(move || {
        let page = page.fetch_add(1, Ordering::SeqCst);
        let next = format!("</api/v4/personal_access_tokens?page={page}>; rel=\"next\"");
        Response::new(
            200,
            &[("Content-Type", "application/json"), ("Link", &next)],
            rows.replace("PAGE", &page.to_string()),
        )
    }))
}

/// Checks the memory of an exporter.
pub(super) fn check_memory(exporter: &Server, problems: &mut Vec<String>) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", exporter.pid())).unwrap();
    let mebibytes = |key: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
    };
    let (max, now) = (mebibytes("VmHWM"), mebibytes("VmRSS"));
    eprintln!("memory: {max} MiB maximum, {now} MiB now");
    if max > MAX_MEMORY {
        problems.push(format!("the exporter used {max} MiB of memory, over {MAX_MEMORY}"));
    }
    if now > MAX_MEMORY_AFTER {
        problems.push(format!("the exporter still uses {now} MiB of memory, over {MAX_MEMORY_AFTER}"));
    }
}
