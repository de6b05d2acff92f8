"""Processes that are measured, and the provider."""

import http.client
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import zlib

TICKS = os.sysconf("SC_CLK_TCK")
DEADLINE = 900


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(condition, what, every=0.05, seconds=DEADLINE):
    """Waits until the condition returns something, and returns it."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(every)
    return result


class Process:
    """A process on this machine; `port` is where it listens."""

    def __init__(self, command, port, env=None, **options):
        self.port, self.started = port, time.monotonic()
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
        self.process = subprocess.Popen(command, env={**os.environ, "NO_PROXY": "127.0.0.1", **(env or {})}, **options)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def alive(self):
        assert self.process.poll() is None, f"{self.process.args[0]}: exited with {self.process.returncode}"
        return True

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=DEADLINE) == 0

    def file(self, name):
        return pathlib.Path(f"/proc/{self.pid}/{name}").read_text()

    def cpu(self):
        """CPU seconds, user and system."""
        fields = self.file("stat").rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, field):
        """`VmRSS` or the peak, `VmHWM`, in MiB."""
        line = next(line for line in self.file("status").splitlines() if line.startswith(field + ":"))
        return int(line.split()[1]) / 1024

    def clear_peak(self):
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def written(self):
        """Bytes written to the disk. The directory must not be on a tmpfs, whose writes are not counted."""
        return int(self.file("io").split("write_bytes: ", 1)[1].split()[0])

    def wait_until_quiet(self, seconds=1.0):
        """Waits until the process uses no CPU, which includes that it has saved."""

        def quiet():
            before = self.alive() and self.cpu()
            time.sleep(seconds)
            return self.cpu() - before <= 0.02 * seconds

        wait_for(lambda: quiet(), "idle", 0)

    def get(self, path, encoding="gzip"):
        """The status, the seconds until the whole response was received, and its body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        try:
            started = time.perf_counter()
            connection.request("GET", path, headers={"Accept-Encoding": encoding})
            response = connection.getresponse()
            body = response.read()
            return response.status, time.perf_counter() - started, body
        finally:
            connection.close()

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            return self.alive() and False


def inflate(packed):
    """Yields the text of a compressed page in pieces."""
    while packed:
        stream = zlib.decompressobj(31)
        while not stream.eof:
            yield stream.decompress(packed, 1 << 20)
            packed = stream.unconsumed_tail
        packed = stream.unused_data


def count_tokens(packed, name=b"token_expiry_timestamp_seconds{"):
    """The tokens in a compressed page."""
    tail, count, needle = b"\n", 0, b"\n" + name
    for piece in inflate(packed):
        count += (tail + piece).count(needle)
        tail = (tail + piece)[-len(needle) + 1 :]
    return count


class Scraper(threading.Thread):
    """Scrapes every 50 ms and keeps the times."""

    def __init__(self, exporter):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", exporter.port)
        self.times, self.stopped = [], threading.Event()
        self.buffer = memoryview(bytearray(1 << 20))
        self.scrape()

    def scrape(self):
        started = time.perf_counter()
        self.connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        response = self.connection.getresponse()
        assert response.status == 200, response.status
        while response.readinto(self.buffer):
            pass
        return time.perf_counter() - started

    def run(self):
        while not self.stopped.wait(0.05):
            self.times.append(self.scrape())

    def stop(self):
        self.stopped.set()
        self.join()
        self.connection.close()
        return max(self.times)


class Provider(Process):
    """`harness/provider.py`."""

    def __init__(self, tokens, sources, data):
        program = pathlib.Path(__file__).with_name("provider.py")
        super().__init__([sys.executable, program, str(tokens), str(sources), data], None, stdout=subprocess.PIPE, text=True, stderr=None)
        self.port = int(self.process.stdout.readline())

    def control(self, command):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/{command}") as response:
            return int(response.read())

    def wait_for_collections(self, exporter, count):
        """Waits until this number of collections has reached the gate."""
        wait_for(lambda: exporter.alive() and self.control("waiting") >= count, f"{count} collections")


class Exporter(Process):
    """The exporter with sources of the provider."""

    def __init__(self, program, directory, provider, intervals):
        """`intervals` are those of the sources."""
        config = pathlib.Path(directory, "config.yaml")
        config.write_text(
            "timeout: 1h\nsources:\n"
            + "".join(
                f"  - {{name: bench-{number}, provider: atlassian-cloud, org_id: '{number}', listings: [api-tokens], credential: {{env: KEY}}, "
                f"interval: {interval}, token_limit: 1000000, url: 'http://127.0.0.1:{provider.port}'}}\n"
                for number, interval in enumerate(intervals)
            )
        )
        self.storage, port = pathlib.Path(directory, "inventory"), free_port()
        command = [program, "serve", f"--config.file={config}", f"--storage.path={self.storage}", f"--web.listen-address=127.0.0.1:{port}"]
        super().__init__(command, port, {"KEY": "a-key"})

    def stored(self):
        """The size of the persisted inventory in bytes."""
        return sum(file.stat().st_size for file in self.storage.rglob("*") if file.is_file())

    def wait_until_ready(self):
        """The seconds from the start to the first response, and to the first page, which must be complete."""
        first = None

        def responds():
            nonlocal first
            self.alive()
            try:
                status, _, body = self.get("/metrics")
            except OSError:
                return None
            first = first or time.monotonic() - self.started
            assert status in (200, 503), status
            return body if status == 200 else None

        body = wait_for(responds, "first page", 0.002)
        return first, time.monotonic() - self.started, body


def usage(exporter, action):
    """What the exporter uses for an action, until it is idle again."""
    exporter.clear_peak()
    cpu, written = exporter.cpu(), exporter.written()
    result = action()
    exporter.wait_until_quiet()
    return {
        "cpu": exporter.cpu() - cpu,
        "written": exporter.written() - written,
        "peak": exporter.memory("VmHWM"),
        "settled": exporter.memory("VmRSS"),
        **(result or {}),
    }
