#!/usr/bin/env python3
"""Renders every case of tests/helm/cases/*.yaml and compares the result.

    tests/helm/cases.py [TEXT-IN-NAME [DIRECTORY-OF-MORE-CRDS]]

A case has `values` (text, because Helm must read what a person writes), and optionally `release`, `namespace`, `chart` (`directory`,
`crlf`: a checkout with CRLF line endings, `parent`: a dependency of another chart) and `arguments`. Its result is `error`, texts of
the message, or `expect`, a list of {kind, name, at, is | contains | lacks | absent}. Every version of Helm must have it, and all must
render the same. Prints one line per failure, and a summary.
"""

import concurrent.futures
import contextlib
import functools
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

import manifests
import validate
import yaml

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
CHART = ROOT / "helm/token-expiry-exporter"
# The first is the version whose output is validated.
HELMS = os.environ.get("HELM", f"{ROOT}/.tools/bin/helm {ROOT}/.tools/bin/helm3").split()
BASE = 'config: {sources: [{name: by-hand, provider: manual, tokens: [{name: a, expires: "2030-03-01"}]}]}\n'
PARENT = """apiVersion: v2
name: parent
version: 1.0.0
dependencies:
  - {name: token-expiry-exporter, version: "*", condition: token-expiry-exporter.enabled}
  - {name: token-expiry-exporter, version: "*", alias: tokenExporter, condition: tokenExporter.enabled}
"""


def environment(home):
    kept = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    return kept | {f"HELM_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("CACHE", "CONFIG", "DATA")}


@functools.cache
def chart(kind, home):
    if kind == "directory":
        return CHART
    if kind == "crlf":
        copy = pathlib.Path(home) / "crlf"
        shutil.copytree(CHART, copy)
        for path in (path for path in copy.rglob("*") if path.is_file()):
            path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        return copy
    parent = pathlib.Path(home) / "parent"
    shutil.copytree(CHART, parent / "charts/token-expiry-exporter")
    (parent / "Chart.yaml").write_text(PARENT)
    return parent


@functools.cache
def base_values(home):
    path = pathlib.Path(home) / "base.yaml"
    path.write_text(BASE)
    return path


# The kinds of the cases with notes.
KINDS = {"v1": ["ConfigMap", "Pod", "Service", "ServiceAccount"], "apps/v1": ["StatefulSet"], "rbac.authorization.k8s.io/v1": ["Role", "RoleBinding"], "monitoring.coreos.com/v1": ["ServiceMonitor"]}


def discovery(path):
    """What an API server says about itself: https://kubernetes.io/docs/reference/using-api/api-concepts/#discovery-api"""
    groups = {version.rpartition("/")[0]: version for version in KINDS if "/" in version}
    versions = {name: [{"groupVersion": version, "version": "v1"}] for name, version in groups.items()}
    answers = {
        "/version": {"major": "1", "minor": "35", "gitVersion": "v1.35.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "groups": [{"name": name, "versions": each, "preferredVersion": each[0]} for name, each in versions.items()]},
    }
    for version, kinds in KINDS.items():
        resources = [{"name": f"{kind.lower()}s", "kind": kind, "namespaced": True, "verbs": ["get"]} for kind in kinds]
        answers[f"/{'apis' if '/' in version else 'api'}/{version}"] = {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
    return answers.get(path)


class Cluster(http.server.BaseHTTPRequestHandler):
    """An empty cluster: Helm 3 asks for one before it prints notes, also with --dry-run=client."""

    def do_GET(self):
        found = discovery(self.path.partition("?")[0])
        body = json.dumps(found or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def cluster():
    """The address of a cluster."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def template(helm, case, home, number, address):
    """Returns standard output, or None and the message."""
    values = pathlib.Path(home) / f"{number}.yaml"
    kind, text = case.get("chart", "directory"), case.get("values", "")
    values.write_text(text)
    own_config = any(f"\n{key}:" in "\n" + text for key in ("config", "existingConfigMap", "existingConfigSecret"))
    base = [] if own_config or kind == "parent" else ["--values", base_values(home)]
    command = [helm, case.get("command", "template"), case.get("release", "tokens"), chart(kind, home)]
    command += ["--namespace", case.get("namespace", "monitoring"), *base, "--values", values, *case.get("arguments", [])]
    if "command" in case:
        command += ["--kube-apiserver", address, "--disable-openapi-validation"]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment(home), check=False)
    return (ran.stdout, "") if ran.returncode == 0 else (None, ran.stdout + ran.stderr)


def find(document, path):
    """The value at a path such as spec/ports/0, or spec/ports/-1 for the last; `~1` is a slash in a key."""
    for part in filter(None, path.split("/")):
        part = part.replace("~1", "/")
        if isinstance(document, list):
            number = int(part) if part.lstrip("-").isdigit() else len(document)
            document = document[number] if -len(document) <= number < len(document) else None
        elif isinstance(document, dict):
            document = document.get(part)
        else:
            return None
    return document


def texts(value):
    """All texts inside a value."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in parts for text in texts(part)]


def differences(expected, documents, output):
    if "kind" not in expected:
        chosen = [output]
    else:
        named = lambda document: expected.get("name", "") in document["metadata"]["name"]
        chosen = [each for each in documents if expected["kind"] in ("*", each["kind"]) and named(each)]
        if expected.get("absent") and "at" not in expected:
            return [f"{len(chosen)} of {expected['kind']}"] if chosen else []
    if not chosen:
        return [f"no {expected['kind']}"]
    wrong = []
    for document in chosen:
        found = find(document, expected.get("at", "")) if isinstance(document, dict) else document
        # Texts without the quotes of YAML too.
        text = "\n".join([yaml.safe_dump(found, sort_keys=False, width=10_000), *texts(found)])
        if "is" in expected and (found != expected["is"] or type(found) is not type(expected["is"])):
            wrong.append(f"{found!r} instead of {expected['is']!r}")
        if "contains" in expected and expected["contains"] not in text:
            wrong.append(f"no {expected['contains']!r} in {text:.300}")
        if "lacks" in expected and (found is None or expected["lacks"] in text):
            wrong.append(f"{expected['lacks']!r} in {text:.300}")
        if expected.get("absent") and found is not None:
            wrong.append(f"{found!r} instead of nothing")
    return [f"{expected.get('kind', 'output')} {expected.get('at', '')}: {each}" for each in wrong]


def check(case, home, number, address):
    results = [template(helm, case, home, number, address) for helm in HELMS]
    wrong = []
    for helm, (output, message) in zip(HELMS, results):
        wrong += [f"{pathlib.Path(helm).name}: {line}" for line in check_result(case, home, output, message)]
    if "command" not in case and len({output for output, _ in results}) > 1:
        wrong.append("the versions of Helm render different text")
    return wrong


def check_result(case, home, output, message):
    errors = case.get("error", [])
    errors = [errors] if isinstance(errors, str) else errors
    if errors:
        if output is not None:
            return ["accepted"]
        # Helm 3 writes a path with dots.
        return [f"no {text!r} in {message}" for text in errors if text not in message and text.strip("/").replace("/", ".") not in message]
    if output is None:
        return [message]
    if not case.get("expect"):
        return ["no expectation"]
    documents = []
    if "command" not in case:
        documents = manifests.read(output)
        (pathlib.Path(home) / "rendered" / f"{case['case'].replace('/', ' ')}.yaml").write_text(output)
    return [line for expected in case["expect"] for line in differences(expected, documents, output)]


def main(part="", *crds):
    cases = [case for path in sorted((HERE / "cases").glob("*.yaml")) for case in yaml.safe_load(path.read_text())]
    cases = [case for case in cases if part in case["case"]]
    failed = 0
    with tempfile.TemporaryDirectory() as home, cluster() as address:
        (pathlib.Path(home) / "rendered").mkdir()
        for kind in ("directory", "crlf", "parent"):
            chart(kind, home)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            results = pool.map(lambda numbered: check(numbered[1], home, numbered[0], address), enumerate(cases))
            for case, wrong in zip(cases, results):
                failed += bool(wrong)
                for line in wrong:
                    print(f"{case['case']}: {line}")
        # What was accepted is valid too.
        failed += validate.main(pathlib.Path(home) / "rendered", *crds)
    print(f"{len(cases)} cases with {len(HELMS)} versions of Helm, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
