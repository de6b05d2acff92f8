#!/usr/bin/env python3
"""The time of each page of the status site with 10,000 tokens, compared with its goal.

    benches/pages.py PROGRAM [--docs]

The tokens are the worst case of `provider.py`: random ids, an owner for each token, dates that all differ. Each page is requested 21
times over a new connection. Fails if the median of a page misses the goal.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile

from harness.process import Exporter, Provider
from harness.provider import varied
from harness.report import machine, replace_part, table

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = "docs/performance.md"
TOKENS, SOURCES, REPEATS = 10_000, 10, 21
# In milliseconds.
GOAL = 100

TOKEN = json.loads(varied(0, 0))
PAGES = [
    ("`/`", "/"),
    ("`/`, last page", f"/?offset={TOKENS - 50}"),
    ("`/`, by owner", "/?sort=owner"),
    ("`/`, search", "/?q=deploy+9f"),
    ("token", f"/token/bench-0/{TOKEN['id']}"),
    ("owner", f"/owner/{TOKEN['user']['name'].replace(' ', '%20')}"),
    ("owners", "/owner"),
    ("findings", "/finding"),
    ("source", "/source/bench-0"),
]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("program")
    arguments.add_argument("--docs", action="store_true", help=f"write the table to {PAGE}")
    options = arguments.parse_args()
    rows, slowest = [], 0
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as directory, Provider(TOKENS, SOURCES, "varied") as provider:
        with Exporter(options.program, directory, provider, ["1h"] * SOURCES) as exporter:
            provider.wait_for_collections(exporter, SOURCES)
            provider.control("open?spread=0")
            exporter.wait_until_ready()
            exporter.wait_until_quiet()
            total = int(json.loads(exporter.get("/api/v1/tokens?limit=1", "identity")[2])["total"])
            assert total == TOKENS, f"{total} tokens"
            for name, path in PAGES:
                exporter.get(path)
                times = []
                for _ in range(REPEATS):
                    status, seconds, body = exporter.get(path, "identity")
                    assert status == 200 and b"<main" in body, f"{path}: {status}"
                    times.append(1000 * seconds)
                slowest = max(slowest, statistics.median(times))
                rows.append([name, f"{statistics.median(times):.1f} ms", f"{max(times):.1f} ms", f"{len(body) / 1000:.0f} kB"])
    text = table(["page", "median", "slowest of 21", "size"], rows)
    print(text)
    if options.docs:
        replace_part(ROOT / PAGE, "pages", f"{text}\nMeasured on {machine()}.\n")
    if slowest > GOAL:
        sys.exit(f"a page takes {slowest:.0f} ms; the goal is {GOAL} ms")


if __name__ == "__main__":
    main()
