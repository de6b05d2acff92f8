#!/usr/bin/env python3
"""Measures memory and time of one exporter by number of tokens: the table of docs/scaling.md.

    benches/scale.py PROGRAM [TOKENS…]

A server on this machine responds as Atlassian does, in pages of 1,000. The exporter persists its inventory. Memory is the peak
of the process, including the save (VmHWM), and the size afterwards (VmRSS).
"""

import gzip
import http.server
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

PAGE = 1000
SCRAPES = 20


def row(number):
    person = number % 500
    return {
        "id": f"token-{number}",
        "label": f"integration {number}",
        "status": "ALLOWED",
        "createdAt": "2026-01-10T08:00:00.000Z",
        "expiresAt": f"2099-{number % 12 + 1:02}-10T08:00:00.000Z",
        "lastActiveAt": "2026-11-20T02:11:05.000Z",
        "user": {"id": f"712020:{person}", "name": f"Person {person}", "email": f"person-{person}@example.com"},
        "scopes": ["read:jira-work", "read:confluence-content.all"],
    }


def provider(tokens):
    """Starts a server with this number of tokens. Pages are rendered in advance, so that the exporter does not wait."""
    pages = []
    for start in range(0, tokens, PAGE):
        last = start + PAGE >= tokens
        rows = [row(number) for number in range(start, min(start + PAGE, tokens))]
        pages.append(json.dumps({"data": rows, "links": {"next": None if last else str(start // PAGE + 1)}}).encode())

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            url = urllib.parse.urlsplit(self.path)
            cursor = urllib.parse.parse_qs(url.query).get("cursor", ["0"])[0]
            body = pages[int(cursor)] if url.path.endswith("/api-tokens") else b'{"data": [], "links": {}}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def memory(pid, field):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) / 1024


def scrape(url):
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request) as response:
        return response.read()


def value(text, name):
    return next((float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name)), None)


def measure(program, tokens):
    server = provider(tokens)
    with tempfile.TemporaryDirectory() as directory:
        config = pathlib.Path(directory, "config.yaml")
        config.write_text(
            "sources: [{name: bench, provider: atlassian-cloud, org_id: o, listings: [api-tokens], credential: {env: KEY}, "
            f"token_limit: 1000000, url: 'http://127.0.0.1:{server.server_address[1]}'}}]\n"
        )
        port, inventory = free_port(), pathlib.Path(directory, "kept", "inventory.json")
        exporter = subprocess.Popen(
            [program, "serve", f"--config.file={config}", f"--storage.path={inventory.parent}", f"--web.listen-address=127.0.0.1:{port}"],
            env={**os.environ, "KEY": "a-key", "NO_PROXY": "127.0.0.1"},
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{port}/metrics"
            deadline = time.monotonic() + 300
            while True:
                assert time.monotonic() < deadline and exporter.poll() is None, "no collection within 300 s"
                try:
                    packed = scrape(url)
                    text = gzip.decompress(packed).decode()
                    if value(text, "token_source_up{") == 1:
                        break
                except OSError:
                    pass
                time.sleep(0.1)
            shown = sum(line.startswith("token_expiry_timestamp_seconds{") for line in text.splitlines())
            assert shown == tokens, f"{shown} of {tokens} tokens exposed"
            collected = value(text, "token_source_last_duration_seconds{")
            times = []
            for _ in range(SCRAPES):
                begun = time.monotonic()
                scrape(url)
                times.append(time.monotonic() - begun)
            while not inventory.exists():
                assert time.monotonic() < deadline, "inventory not saved within 300 s"
                time.sleep(0.1)
            time.sleep(2)
            samples = sum(not line.startswith("#") for line in text.splitlines())
            print(
                f"| {tokens:,} | {samples:,} | {collected:.1f} s | {memory(exporter.pid, 'VmHWM'):.0f} MiB "
                f"| {memory(exporter.pid, 'VmRSS'):.0f} MiB | {len(text) / 1e6:.1f} MB, {len(packed) / 1e6:.2f} MB compressed "
                f"| {sorted(times)[SCRAPES // 2] * 1000:.0f} ms | {inventory.stat().st_size / 1e6:.1f} MB |",
                flush=True,
            )
        finally:
            exporter.kill()
            exporter.wait()
            server.shutdown()


def main():
    program, *counts = sys.argv[1:]
    print("| tokens | samples | collection | peak memory | memory afterwards | exposition | compressed scrape | on disk |")
    print("|---|---|---|---|---|---|---|---|")
    for tokens in [int(count) for count in counts] or [1_000, 10_000, 50_000, 100_000]:
        measure(program, tokens)


if __name__ == "__main__":
    main()
