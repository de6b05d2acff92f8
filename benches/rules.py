#!/usr/bin/env python3
"""Measures the evaluation time of the rules in Prometheus at 100,000 tokens: the table of docs/alerts.md.

    benches/rules.py [TOKENS]

Serves a static exposition of tokens in 20 sources: 3 % are due and 10 % violate a policy. A real Prometheus scrapes it from two
replicas until it has ten minutes of samples (20 per series, as with a `scrape_interval` of 30 s). The result is
`prometheus_rule_group_last_duration_seconds` for each group of alerts/token-expiry.rules.yaml.
"""

import http.server
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES, SCRAPE, SAMPLES, ROUNDS = 20, 10, 20, 5
BANDS = [(0.02, "warning", 20), (0.008, "critical", 4), (0.002, "expired", -2)]
FINDINGS = ["never_expires", "lives_too_long", "unused", "no_owner"]


def exposition(tokens):
    """The exposition of each replica."""
    now, families = int(time.time()), {}
    add = lambda name, labels, value: families.setdefault(name, []).append(f"{name}{{{labels}}} {value}")
    bands = [band for share, *band in BANDS for _ in range(round(share * tokens))]
    for number in range(tokens):
        source = f'source="source-{number % SOURCES}",provider="gitlab"'
        identity = (
            f'{source},token_id="{number}",token_kind="personal-access-token",token_name="deploy-{number}",'
            f'token_owner="Owner {number % 2000}",team="team-{number % 40}"'
        )
        band, days = bands[number] if number < len(bands) else (None, 200)
        add("token_expiry_timestamp_seconds", identity, now + days * 86400)
        add("token_info", f'{identity},state="active",expiry="at"', 1)
        if band:
            rest = f'band="{band}",expiry="at",token_manage_url="https://gitlab.example.com/{number}",token_owner_email="o{number % 2000}@example.com"'
            add("token_due_timestamp_seconds", f"{identity},{rest}", now + days * 86400)
        if number % 10 == 0:
            add("token_finding", f'{identity},finding="{FINDINGS[number // 10 % 4]}"', 1)
    for number in range(SOURCES):
        source = f'source="source-{number}",provider="gitlab"'
        add("token_source_up", source, 1)
        add("token_source_interval_seconds", source, 900)
        add("token_source_last_success_timestamp_seconds", source, now)
        add("token_source_last_attempt_timestamp_seconds", source, now)
        add("token_source_dropped_tokens", source, 0)
        add("token_source_rate_limit", source, 5000)
        add("token_source_rate_limit_remaining", source, 4000)
        for listing in ["group", "project", "personal"]:
            add("token_source_scopes", f'{source},listing="{listing}"', 100)
            add("token_source_tokens", f'{source},listing="{listing}",state="active",expiry="at"', tokens // SOURCES)
            for reason in range(15):
                add("token_source_gaps", f'{source},listing="{listing}",reason="reason-{reason}"', 0)
    add("token_expiry_exporter_build_info", 'version="0"', 1)
    add("token_expiry_exporter_shards", 'shard="1"', 1)
    return "".join(f"# TYPE {name} gauge\n" + "\n".join(lines) + "\n" for name, lines in families.items()).encode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(body):
    """Serves the exposition, with one server per replica."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return [f"127.0.0.1:{server.server_port}" for server in servers]


def query(port, expression):
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(url, timeout=60) as response:
        return json.load(response)["data"]["result"]


def scalar(port, expression):
    found = query(port, expression)
    return float(found[0]["value"][1]) if found else 0.0


def main(tokens):
    with tempfile.TemporaryDirectory() as directory:
        directory, port = pathlib.Path(directory), free_port()
        targets = serve(exposition(tokens))
        rules = (ROOT / "alerts" / "token-expiry.rules.yaml").read_text()
        (directory / "rules.yaml").write_text(re.sub(r"(?m)^    interval: \w+", f"    interval: {SCRAPE}s", rules))
        scrape = {"job_name": "tokens", "scrape_timeout": f"{SCRAPE}s", "static_configs": [{"targets": targets}]}
        itself = {"job_name": "prometheus", "scrape_interval": "1s", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        config = {"global": {"scrape_interval": f"{SCRAPE}s"}, "rule_files": ["rules.yaml"], "scrape_configs": [scrape, itself]}
        (directory / "prometheus.yaml").write_text(json.dumps(config))
        command = [
            ROOT / ".tools/bin/prometheus", f"--config.file={directory}/prometheus.yaml", f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
        ]
        prometheus = subprocess.Popen(command)
        try:
            begun = time.time()
            time.sleep(5)
            while scalar(port, f'min(count_over_time(up{{job="tokens"}}[1h]))') < SAMPLES:
                assert time.time() - begun < 900, "not enough samples within 900 s"
                time.sleep(2)
            # Wait for several evaluations.
            time.sleep(ROUNDS * SCRAPE)
            window = f"{ROUNDS * SCRAPE}s"
            due = scalar(port, 'count(ALERTS{alertname=~"TokenExpir.*"})')
            durations = query(port, f"max_over_time(prometheus_rule_group_last_duration_seconds[{window}])")
            memory = scalar(port, 'process_resident_memory_bytes{job="prometheus"}')
        finally:
            prometheus.terminate()
            prometheus.wait()
    print(f"{tokens:,} tokens in {SOURCES} sources, two replicas, {due:,.0f} alerts on tokens, {os.cpu_count()} cores;")
    print(f"Prometheus uses {memory / 2**20:,.0f} MiB:\n")
    print("| group | interval | slowest of five evaluations |\n|---|---|---|")
    intervals = dict(re.findall(r"(?m)^  - name: (\S+)\n    interval: (\S+)", rules))
    times = {group["metric"]["rule_group"].split(";")[-1]: float(group["value"][1]) for group in durations}
    for name, interval in intervals.items():
        print(f"| `{name}` | {interval} | {times[name]:.3f} s |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
