#!/usr/bin/env python3
"""Growth of the exporter from 10 to 1,000,000 tokens, compared with other ways to serve them: writes docs/performance.md and a plot.

    benches/growth.py PROGRAM [--json FILE] [--docs] [TOKENS…]

The tokens have random ids, an owner each and dates that all differ (`varied`, see benches/scale.py), in sources of 1,000, at most
100. For each size: the first collection, one changed token, scrapes, and a restart with the persisted inventory. nginx serves the same
bytes in the same run: machines differ, ratios less. At 100,000 tokens Pushgateway, the Python client and node_exporter's textfile
collector expose the same metrics.
"""

import argparse
import http.client
import json
import pathlib
import socket
import statistics
import sys
import tempfile
import time

from harness.plot import plot
from harness.process import Exporter, Process, Provider, count_tokens, free_port, inflate, usage, wait_for
from harness.report import machine, replace_part, table

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
SIZES = [10, 1_000, 10_000, 100_000, 1_000_000]
COMPARED = 100_000
CHANGES = 3
PAGE = "docs/performance.md"
PICTURE = "docs/images/growth.svg"


class Client:
    """Requests on one connection: as little of the client's own time as possible."""

    def __init__(self, port, path="/metrics"):
        self.port, self.path = port, path
        self.buffer = memoryview(bytearray(4 << 20))

    def get(self, encoding):
        """The seconds until the whole response was received, and its length."""
        if not hasattr(self, "connection"):
            self.connection = socket.create_connection(("127.0.0.1", self.port))
        request = f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {encoding}\r\n\r\n".encode()
        started = time.perf_counter()
        self.connection.sendall(request)
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.receive(64 << 10)
        head, body = head.split(b"\r\n\r\n", 1)
        lines = head.decode().lower().split("\r\n")
        assert " 200 " in lines[0], lines[0]
        fields = dict(line.split(": ", 1) for line in lines[1:])
        length, tail = len(body), body[-7:]
        if "content-length" in fields:
            while length < int(fields["content-length"]):
                length += len(self.receive())
        elif fields.get("transfer-encoding") == "chunked":
            while tail[-7:] != b"\r\n0\r\n\r\n":
                received = self.receive()
                length += len(received)
                tail = (tail + bytes(received[-7:]))[-7:]
        else:
            while received := self.connection.recv_into(self.buffer):
                length += received
        seconds = time.perf_counter() - started
        if "http/1.0" in lines[0] or fields.get("connection") == "close" or not ("content-length" in fields or "transfer-encoding" in fields):
            self.close()
        return seconds, length

    def receive(self, size=4 << 20):
        count = self.connection.recv_into(self.buffer, size)
        assert count, "connection closed"
        return bytes(self.buffer[:count]) if size < 4 << 20 else self.buffer[:count]

    def close(self):
        if hasattr(self, "connection"):
            self.connection.close()
            del self.connection


def scrapes(process, encoding, count, other=None):
    """The median time and the mean CPU time of scrapes, and the same of another server, in turns."""
    servers = [process] + ([other] if other else [])
    clients = [Client(server.port) for server in servers]
    times, cpu = [[] for _ in servers], [server.cpu() for server in servers]
    for number in range(count + 1):
        for position, client in enumerate(clients):
            seconds, length = client.get(encoding)
            # The first one opens the connection.
            if number:
                times[position].append(seconds)
            elif position == 0:
                size = length
    for client in clients:
        client.close()
    results = [
        {"seconds": statistics.median(taken), "cpu": (server.cpu() - before) / (count + 1)}
        for taken, server, before in zip(times, servers, cpu)
    ]
    results[0]["bytes"] = size
    return results if other else results[0]


class Nginx(Process):
    """Serves a page compressed and plain, from files, without logs, in one process."""

    def __init__(self, directory, packed, text):
        directory = pathlib.Path(directory, "nginx")
        (directory / "logs").mkdir(parents=True)
        (directory / "metrics").write_bytes(text)
        (directory / "metrics.gz").write_bytes(packed)
        port, config = free_port(), directory / "nginx.conf"
        temporary = "".join(f"{kind}_temp_path {directory}/temp; " for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        config.write_text(
            f"daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log; events {{}}\n"
            f"http {{ {temporary} access_log off; sendfile on; tcp_nopush on; gzip_static on; default_type text/plain; keepalive_requests 100000;\n"
            f"server {{ listen 127.0.0.1:{port}; root {directory}; }} }}\n"
        )
        super().__init__([TOOLS / "nginx/usr/sbin/nginx", "-p", directory, "-c", config], port)
        wait_for(self.listens, "nginx")


def turns(size):
    """More scrapes of small pages: their times vary more."""
    return max(5, min(200, 100_000_000 // max(size, 1)))


def measure(program, tokens):
    """One size; also the text of the page."""
    sources = min(100, max(1, tokens // 1_000))
    # Only the first source is collected again.
    intervals = ["5s"] + ["1h"] * (sources - 1)
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as directory, Provider(tokens, sources, "varied") as provider:
        with Exporter(program, directory, provider, intervals) as exporter:
            provider.wait_for_collections(exporter, sources)
            exporter.wait_until_quiet()
            started = time.monotonic()

            def collect():
                provider.control("open?spread=0")
                wait_for(lambda: exporter.get("/-/ready")[0] == 200, "collection")
                return {"seconds": time.monotonic() - started}

            collection = usage(exporter, collect)

            def change():
                provider.control("change?source=0")
                provider.wait_for_collections(exporter, 1)
                provider.control("open?spread=0&source=0")
                provider.wait_for_collections(exporter, 1)

            changes = [usage(exporter, change) for _ in range(CHANGES)]
            packed = exporter.get("/metrics")[2]
            shown = count_tokens(packed)
            assert shown == tokens, f"{shown:,} of {tokens:,} tokens exposed"
            text = b"".join(inflate(packed))
            with Nginx(directory, packed, text) as nginx:
                exporter.wait_until_quiet()
                exporter.clear_peak()
                gzip = scrapes(exporter, "gzip", turns(len(packed)), nginx)
                identity = scrapes(exporter, "identity", turns(len(text)), nginx)
            result = {
                "tokens": tokens,
                "sources": sources,
                "samples": sum(not line.startswith(b"#") for line in text.splitlines()),
                "collection": {key: collection[key] for key in ["seconds", "cpu", "written"]},
                "change": {key: statistics.mean(single[key] for single in changes) for key in ["cpu", "written"]},
                "gzip": {"exporter": gzip[0], "nginx": gzip[1]},
                "identity": {"exporter": identity[0], "nginx": identity[1]},
                "peak": max(collection["peak"], *(single["peak"] for single in changes), exporter.memory("VmHWM")),
                "settled": changes[-1]["settled"],
                "page": {"gzip": len(packed), "identity": len(text)},
                "stored": exporter.stored(),
            }
            exporter.stop()
        with Exporter(program, directory, provider, intervals) as exporter:
            first, ready, packed = exporter.wait_until_ready()
            shown = count_tokens(packed)
            assert shown == tokens, f"{shown:,} of {tokens:,} tokens exposed after the restart"
            result["restart"] = {"first": first, "ready": ready, "cpu": exporter.cpu()}
    return result, text


def by_source(text):
    """The token metrics of a page, a page for each source."""
    pages, kind = {}, b""
    for line in text.splitlines(keepends=True):
        if line.startswith(b"# TYPE"):
            kind = line
        elif not line.startswith(b"#") and b'source="' in line and line.startswith(b"token_"):
            page = pages.setdefault(line.split(b'source="', 1)[1].split(b'"', 1)[0].decode(), [])
            if kind:
                family = kind
            if not page or page[-1][0] != family:
                page.append((family, []))
            page[-1][1].append(line)
    return {source: b"".join(family + b"".join(lines) for family, lines in page) for source, page in pages.items()}


class Rival:
    """Another way to serve the same metrics."""

    name = ""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory, type(self).__name__)
        self.directory.mkdir()

    def command(self, port):
        raise NotImplementedError

    def load(self, port, source, page):
        """Hands over one source."""

    def stored(self):
        return None


class Pushgateway(Rival):
    name = "Pushgateway 1.5.1"

    def command(self, port):
        program = TOOLS / "prometheus-pushgateway/usr/bin/prometheus-pushgateway"
        # Its check of consistency reads all groups at each push.
        options = [f"--persistence.file={self.directory}/state", "--persistence.interval=1s", "--push.disable-consistency-check"]
        return [program, f"--web.listen-address=127.0.0.1:{port}", *options]

    def load(self, port, source, page):
        put(port, f"/metrics/job/tokens/source/{source}", page)

    def stored(self):
        return sum(file.stat().st_size for file in self.directory.iterdir())


class PythonClient(Rival):
    name = "Python client 0.26.0"

    def command(self, port):
        return [TOOLS / "python/bin/python3", ROOT / "benches/harness/python_client.py", str(port)]

    def load(self, port, source, page):
        put(port, "/", page)


class Textfile(Rival):
    name = "node_exporter 1.5.0, textfile collector"

    def command(self, port):
        program = TOOLS / "prometheus-node-exporter/usr/bin/prometheus-node-exporter"
        options = ["--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={self.directory}"]
        return [program, f"--web.listen-address=127.0.0.1:{port}", "--web.disable-exporter-metrics", *options]

    def load(self, port, source, page):
        file = self.directory / f"{source}.prom"
        file.with_suffix(".new").write_bytes(page)
        file.with_suffix(".new").rename(file)

    def stored(self):
        return sum(file.stat().st_size for file in self.directory.iterdir())


def put(port, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("PUT", path, body)
    response = connection.getresponse()
    answer = response.read()
    assert response.status in (200, 202), (response.status, answer[:200])
    connection.close()


def compare(rival, text, tokens):
    """What the rival needs for the same metrics."""
    pages, port = by_source(text), free_port()
    with Process(rival.command(port), port) as process:
        wait_for(process.listens, rival.name)
        process.wait_until_quiet()

        def load():
            started = time.monotonic()
            for source, page in pages.items():
                rival.load(port, source, page)
            # Pushgateway takes it in later, and the textfile collector at each scrape.
            process.wait_until_quiet()
            body = process.get("/metrics", "identity")[2]
            assert body.count(b"\ntoken_expiry_timestamp_seconds{") == tokens, "not all tokens exposed"
            return {"seconds": time.monotonic() - started}

        collection = usage(process, load)

        def change():
            source, page = next(iter(pages.items()))
            rival.load(port, source, page)
            process.get("/metrics")

        changed = usage(process, change)
        gzip, identity = (scrapes(process, encoding, 3) for encoding in ["gzip", "identity"])
        return {
            "name": rival.name,
            "collection": {key: collection[key] for key in ["seconds", "cpu"]},
            "change": {"cpu": changed["cpu"]},
            "gzip": gzip,
            "identity": identity,
            "peak": process.memory("VmHWM"),
            "settled": process.memory("VmRSS"),
            "stored": rival.stored(),
        }


def time_of(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def size_of(size):
    return f"{size / 1e3:.1f} kB" if size < 1e5 else f"{size / 1e6:.1f} MB" if size < 1e8 else f"{size / 1e6:.0f} MB"


def to_nginx(scrape):
    ours, theirs = scrape["exporter"]["seconds"], scrape["nginx"]["seconds"]
    return f"{time_of(ours)} ({ours / theirs:.2f})"


def growth_table(results):
    header = [
        "tokens", "sources", "collection", "its CPU", "one changed token: CPU, written", "scrape, gzip", "scrape, identity",
        "peak memory", "settled", "page: gzip, identity", "stored", "restart: first byte, ready",
    ]
    rows = [
        [
            f"{result['tokens']:,}",
            str(result["sources"]),
            time_of(result["collection"]["seconds"]),
            time_of(result["collection"]["cpu"]),
            f"{time_of(result['change']['cpu'])}, {size_of(result['change']['written'])}",
            to_nginx(result["gzip"]),
            to_nginx(result["identity"]),
            f"{result['peak']:.0f} MiB",
            f"{result['settled']:.0f} MiB",
            f"{size_of(result['page']['gzip'])}, {size_of(result['page']['identity'])}",
            size_of(result["stored"]),
            f"{time_of(result['restart']['first'])}, {time_of(result['restart']['ready'])}",
        ]
        for result in results
    ]
    return table(header, rows)


def rivals_table(exporter, rivals):
    header = ["", "CPU to take in all tokens", "CPU after one change", "scrape, gzip: time, CPU", "scrape, identity: time, CPU", "peak memory", "settled", "stored"]
    ours = {
        **exporter,
        "name": "token-expiry-exporter",
        "gzip": exporter["gzip"]["exporter"],
        "identity": exporter["identity"]["exporter"],
    }
    rows = [
        [
            single["name"],
            time_of(single["collection"]["cpu"]),
            time_of(single["change"]["cpu"]),
            f"{time_of(single['gzip']['seconds'])}, {time_of(single['gzip']['cpu'])}",
            f"{time_of(single['identity']['seconds'])}, {time_of(single['identity']['cpu'])}",
            f"{single['peak']:.0f} MiB",
            f"{single['settled']:.0f} MiB",
            "—" if single["stored"] is None else size_of(single["stored"]),
        ]
        for single in [ours, *rivals]
    ]
    return table(header, rows)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("program")
    arguments.add_argument("sizes", nargs="*", type=int, default=SIZES)
    arguments.add_argument("--json", type=pathlib.Path, help="write the measurements to this file")
    arguments.add_argument("--docs", action="store_true", help=f"write {PAGE} and {PICTURE}")
    options = arguments.parse_args()
    results, rivals = [], []
    for tokens in options.sizes:
        started = time.monotonic()
        result, text = measure(options.program, tokens)
        results.append(result)
        print(f"{tokens:,} tokens: measured in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        if tokens == COMPARED:
            for kind in [Pushgateway, PythonClient, Textfile]:
                started = time.monotonic()
                with tempfile.TemporaryDirectory(dir=ROOT / "target") as directory:
                    rivals.append(compare(kind(directory), text, tokens))
                print(f"{kind.name}: measured in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        del text
    growth = growth_table(results)
    compared = [result for result in results if result["tokens"] == COMPARED]
    rivals_part = rivals_table(compared[0], rivals) if compared else ""
    print(growth, rivals_part, sep="\n")
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "growth": results, "rivals": rivals}, indent=1) + "\n")
    if options.docs:
        picture = "![Memory, scrape and CPU time by number of tokens](images/growth.svg)"
        replace_part(ROOT / PAGE, "growth", f"{picture}\n\n{growth}\nMeasured on {machine()}.\n")
        replace_part(ROOT / PAGE, "comparison", rivals_part)
        (ROOT / PICTURE).write_text(plot(results, rivals, COMPARED))


if __name__ == "__main__":
    main()
