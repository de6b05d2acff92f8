#!/usr/bin/env python3
"""Runs every fuzz target, at low priority, and writes the table of docs/security.md: `fuzz/run.py [SECONDS_PER_TARGET]`.

RUSTC_BOOTSTRAP enables the compiler flags that libFuzzer needs on stable Rust. Findings are in fuzz/artifacts; add the input
to fuzz/corpus when the bug is fixed.
"""

import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
PAGE, BEGIN, END = TOP / "docs/security.md", "<!-- fuzzers: written by `make fuzz` -->\n", "<!-- /fuzzers -->"
TARGET_DIR = os.environ.get("FUZZ_TARGET_DIR", str(TOP / "fuzz/target"))
ENVIRONMENT = {**os.environ, "RUSTC_BOOTSTRAP": "1"}


def cargo_fuzz(command, *arguments):
    # Without a sanitizer: the crate has no `unsafe` code, and runs are three times as fast.
    fuzz = [TOP / ".tools/bin/cargo-fuzz", "fuzz", command, "--sanitizer=none", f"--target-dir={TARGET_DIR}"]
    return ["nice", "-n", "10", *map(str, fuzz), *arguments]


def number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def run(name, seconds):
    """One row: inputs tried, code locations reached, features, findings."""
    corpus, found = TOP / "fuzz/corpus" / name, TOP / "fuzz/found" / name
    found.mkdir(parents=True, exist_ok=True)
    # New inputs are written to `found`, which is not committed. The committed corpus is small and selected.
    limits = [f"-max_total_time={seconds}", "-max_len=8192", "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1"]
    command = cargo_fuzz("run", name, str(found), str(corpus), "--", *limits)
    done = subprocess.run(command, cwd=TOP, env=ENVIRONMENT, capture_output=True, text=True)
    output = done.stderr
    artifacts = TOP / "fuzz/artifacts" / name
    findings = len(list(artifacts.iterdir())) if artifacts.exists() else 0
    if done.returncode and not findings:
        sys.exit(f"{name} failed:\n{output[-3000:]}")
    row = (number(r"stat::number_of_executed_units:\s*(\d+)", output), number(r"cov: (\d+)", output), number(r"ft: (\d+)", output))
    print(f"{name}: {row[0]:,} inputs, {row[1]:,} places, {row[2]:,} features, {findings} findings", flush=True)
    if findings:
        print(output[-3000:])
    return name, seconds, *row, findings


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 180
    subprocess.run(cargo_fuzz("build"), cwd=TOP, env=ENVIRONMENT, check=True)
    names = sorted(path.name for path in (TOP / "fuzz/corpus").iterdir())
    rows = [run(name, seconds) for name in names]
    table = "\n| target | seconds | inputs tried | places reached | features | findings |\n|---|---:|---:|---:|---:|---:|\n"
    table += "".join("| `{}` | {} | {:,} | {:,} | {:,} | {} |\n".format(*row) for row in rows) + "\n"
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    PAGE.write_text(before + BEGIN + table + END + rest.split(END)[1])
    sys.exit(any(row[-1] for row in rows))


if __name__ == "__main__":
    main()
