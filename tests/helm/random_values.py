#!/usr/bin/env python3
"""Renders random values that the schema accepts; every object must be one that Kubernetes and the operators accept.

    tests/helm/random_values.py COUNT [SEED [DIRECTORY-OF-MORE-CRDS]]

The chart may reject combinations with a message of its own; those are counted and replaced. Prints one line per error, and a summary.
"""

import concurrent.futures
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import manifests
import validate
import yaml
from cases import CHART, HELMS, environment
from jsonschema import Draft7Validator

try:
    from re import _parser as regex_parser
except ImportError:
    import sre_parse as regex_parser

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
# Text that YAML without quotes reads as something else.
AMBIGUOUS = ["1e3", "0012", "123", "true", "on", "no", "null", "y", "1.5", "0x1f", "12e3", "a-1"]
TEXTS = [*AMBIGUOUS, "", "a: b", "# no comment", "it's", '"quoted"', "- a", "*x", "&x", "%", "@at", "two\nlines", "é", "{{ $labels.source }}", "~"]
SOURCES = [
    {"name": "by-hand", "provider": "manual", "tokens": [{"name": "a", "expires": "2030-03-01"}]},
    {"name": "123", "provider": "gitlab", "url": "HTTPS://Git.Example.com:8443/x", "groups": ["0012"], "credential": {"env": "A"}},
    {"name": "on", "provider": "vault", "url": "https://10.1.2.3:8200", "credential": {"file": "/etc/keys/vault"}},
    {"name": "v6", "provider": "jira-data-center", "url": "https://[2001:db8::1]/jira", "credential": {"env": "A"}},
    {"name": "k", "provider": "kubernetes", "namespaces": ["shop"]},
    {"name": "proxied", "provider": "github", "org": "acme", "proxy": "socks5://p.example.com", "credential": {"env": "A"}},
]
CREDENTIALS = [
    {"secret": {"name": "123", "key": "1e3"}},
    {"externalSecret": {"storeRef": {"name": "12", "kind": "SecretStore"}, "remoteRef": {"key": "on", "property": "0012"}, "refreshInterval": "1h30m"}},
    {"serviceAccountToken": {"audience": "1e3", "expirationSeconds": 4_000_000}},
    {"csi": {"secretProviderClass": "123"}},
]
SERVICES = [
    {},
    {"type": "ClusterIP", "clusterIP": "None"},
    {"type": "NodePort", "nodePort": 30984, "externalTrafficPolicy": "Local"},
    {"type": "LoadBalancer", "loadBalancerClass": "1e3", "loadBalancerSourceRanges": ["10.0.0.0/8"]},
]
FAMILIES = [{}, {"ipFamilyPolicy": "PreferDualStack"}, {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]}, {"ipFamilies": ["IPv4"]}]
RELEASES = ["tokens", "123", "1e5", "a.b", "1abc", "0012", "on", "null", "a" * 53, "token-expiry-exporter", "1." + "a" * 40]
NAMESPACES = ["monitoring", "2024", "1e3", "on", "0x1f", "a" * 63]
# Objects that the schema leaves to Kubernetes, by path without numbers.
DIGESTS = [
    {"smtp": {"server": "1.example.com:25", "tls": "none"}, "schedule": "0 8 * * 1"},
    {"smtp": {"server": "10.1.2.3", "username": "1e3", "existingSecret": {"name": "123"}}, "timeZone": "Etc/UTC", "fallback": "0012@example.com"},
    {"smtp": {"server": "m.example.com"}, "exporter": {"url": "https://1.example.com/on/", "username": "on", "existingSecret": {"name": "a", "key": "1e3"}}},
    {"smtp": {"server": "m.example.com"}, "exporter": {"caSecret": {"name": "123", "key": "ca"}}, "state": {"existingClaim": "1e3"}, "resources": {}},
]
CHOSEN = {
    "config": lambda: {"sources": random.sample(SOURCES, random.randint(1, 3))} | random.choice([{}, {"token_limit": 1_000_000}]),
    "credentials": lambda: {random.choice(["a", "b1", "1e3", "c-d"]): random.choice(CREDENTIALS) for _ in range(random.randint(0, 3))},
    "definitions": lambda: random.choice([{}, {"acme.yaml": "format: 1\nprovider: acme\n"}]),
    "global": lambda: random.choice([{}, {"imageRegistry": "r.example.com:5000/x/", "imagePullSecrets": ["123", {"name": "1e3"}]}]),
    "extraVolumes": lambda: [{"name": name, "emptyDir": {}} for name in random.sample(["1e3", "v", "123"], random.randint(0, 2))],
    "initContainers": lambda: [{"name": name, "image": "busybox:1.37"} for name in random.sample(["1e3", "wait"], random.randint(0, 2))],
    "extraContainers": lambda: [{"name": name, "image": "proxy:1"} for name in random.sample(["123", "proxy"], random.randint(0, 2))],
    "extraObjects": lambda: random.choice([[], ["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n"]]),
    "podSecurityContext": lambda: random.choice([{}, {"runAsUser": 1000}, {"fsGroup": None}]),
    "securityContext": lambda: random.choice([{}, {"readOnlyRootFilesystem": False}]),
    "affinity": lambda: random.choice([{}, {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}]),
    "web.config": lambda: random.choice([{}, {"http_server_config": {"http2": False}}]),
    "networkPolicy.egress.extra": lambda: random.choice([[], [{"ports": [{"port": 1}]}]]),
    "networkPolicy.cilium.extraEgress": lambda: random.choice([[], [{"toEntities": ["world"]}]]),
    "networkPolicy.cilium.fromEndpoints": lambda: random.choice([[], [{"matchLabels": {"a": "b"}}]]),
    "networkPolicy.cilium.dns": lambda: [{"matchLabels": {"k8s-app": "dns"}}],
    "alertmanagerConfig.receivers": lambda: {"fallback": {"webhookConfigs": [{"url": "http://x/"}]}, "team-1e3": {"slackConfigs": [{"channel": "#123"}]}},
    "env.valueFrom.fieldRef.fieldPath": lambda: "metadata.name",
    "env.valueFrom.resourceFieldRef": lambda: {"resource": "limits.cpu"},
    "service": lambda: random.choice(SERVICES) | {"port": random.choice([1, 65535])} | random.choice(FAMILIES),
    "httpRoute.filters": lambda: random.choice([[], [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x"]}}]]),
    "podMonitoring.metricRelabeling": lambda: random.choice([[], [{"action": "drop", "sourceLabels": ["a"], "regex": "0012"}]]),
    "prometheusRule.alerts": lambda: {name: make("prometheusRule.alerts.x", {"$ref": "#/definitions/alert"}) for name in random.sample(["TokenExpired", "TokenSourceStale"], 1)},
    "prometheusRule.alerts.x.expr": lambda: "up == 0",
    "prometheusRule.extraGroups.rules.expr": lambda: "up == 0",
    "rbac": lambda: random.choice([{}, {"create": False}, {"create": True, "namespaces": ["123", "on"]}, {"readSecrets": "cluster"}, {"readSecrets": "namespaces", "namespaces": ["1e3"]}, {"customResources": ["certificates"]}, {"customResources": ["externalsecrets"], "namespaces": ["on"]}]),
    "resources": lambda: random.choice([{}, {"requests": {"cpu": 0.5}}, {"requests": {"memory": "1e8"}}, {"limits": {"memory": "1.5G", "cpu": None}}, {"limits": {"cpu": 1, "ephemeral-storage": "1Gi"}}]),
    "storage": lambda: random.choice([{}, {"whenLost": "hold"}, {"url": "s3://b/1e3", "env": {"AWS_REGION": "on"}}, {"url": "gs://b", "installation": "0012", "existingSecret": "123"}]),
    "ingress.hosts": lambda: random.sample(["1.example.com", "Tokens.Example.com", "*.example.com"], random.randint(1, 3)),
    "httpRoute.parentRefs": lambda: random.choice([[{"name": "123"}], [{"name": "a", "namespace": "on", "sectionName": "1e3"}, {"name": "b", "port": 443}]]),
    "web.tls.certManager.issuerRef": lambda: random.choice([{"name": "1e3"}, {"name": "a", "kind": "ClusterIssuer", "group": "cert-manager.io"}]),
    "digest": lambda: random.choice(DIGESTS) | {"enabled": True, "by": "team", "teams": {random.choice(["on", "1e3", "a=b"]): "x@example.com"}, "from": "1@example.com", "allowedDomains": ["example.com"]},
    "existingConfigMap": lambda: "",
    "existingConfigSecret": lambda: "",
    "enabled": lambda: True,
}


def sample(tree):
    """A text that matches a parsed regular expression."""
    text = ""
    for kind, value in tree:
        kind = str(kind)
        if kind == "LITERAL":
            text += chr(value)
        elif kind in ("MAX_REPEAT", "MIN_REPEAT"):
            low, high, inner = value
            text += "".join(sample(inner) for _ in range(random.randint(low, min(int(high), low + 3))))
        elif kind == "SUBPATTERN":
            text += sample(value[3])
        elif kind == "BRANCH":
            text += sample(random.choice(value[1]))
        elif kind == "ANY":
            text += random.choice("ab1:# ")
        elif kind == "NOT_LITERAL":
            text += random.choice([c for c in "ab1-" if ord(c) != value])
        elif kind == "IN":
            text += random.choice(members(value))
    return text


def members(parts):
    found, negated = [], False
    for kind, value in parts:
        kind = str(kind)
        negated |= kind == "NEGATE"
        if kind == "LITERAL":
            found.append(chr(value))
        elif kind == "RANGE":
            found += [chr(code) for code in range(value[0], value[1] + 1)]
        elif kind == "CATEGORY":
            found += list(" \t") if "NOT" not in str(value) else list("ab1")
    return [c for c in "abc019-_.~" if c not in found] if negated else found


def text(schema):
    pattern = schema.get("pattern")
    if not pattern:
        return random.choice(TEXTS)
    fitting = [each for each in AMBIGUOUS if re.search(pattern, each)]
    return random.choice(fitting) if fitting and random.random() < 0.5 else sample(regex_parser.parse(pattern))


def make(path, schema):
    """A random value that the schema accepts; None if none was found."""
    plain = re.sub(r"\.\d+", "", path)
    if plain in CHOSEN:
        return CHOSEN[plain]()
    while "$ref" in schema:
        schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
    for _ in range(20):
        value = attempt(path, schema)
        if value is not None and Draft7Validator(schema | {"definitions": SCHEMA["definitions"]}).is_valid(value):
            return value
    return None


def attempt(path, schema):
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return random.choice(schema["enum"])
    if "anyOf" in schema and "type" not in schema:
        return make(path, random.choice(schema["anyOf"]))
    if "if" in schema and "type" not in schema:
        return make(path, random.choice([schema["then"], schema["else"]]))
    kind = schema.get("type", "string")
    if kind == "boolean":
        return random.random() < 0.5
    if kind == "integer":
        low, high = schema.get("minimum", 0), schema.get("maximum", 2**31 - 1)
        return random.choice([low, high, random.randint(low, high), min(high, low + 1)])
    if kind == "array":
        low = schema.get("minItems", 0)
        items = [make(f"{path}.{n}", schema.get("items", {})) for n in range(random.randint(low, low + 2))]
        return [item for item in items if item is not None]
    if kind == "object":
        found = {}
        for name, part in schema.get("properties", {}).items():
            if isinstance(part.get("const"), str):  # the message for a name of other charts
                continue
            likely = 0.9 if name == "enabled" else 0.4
            if name in schema.get("required", []) or random.random() < likely:
                value = make(f"{path}.{name}".lstrip("."), part)
                if value is not None:
                    found[name] = value
        free = schema.get("additionalProperties")
        if isinstance(free, dict):
            names = schema.get("propertyNames", {})
            for _ in range(random.randint(0, 2)):
                value = make(f"{path}.0", free)
                if value is not None:
                    found[text(names) if "pattern" in names else random.choice(["a", "b"])] = value
        return found
    return text(schema)


def values():
    """Some top-level keys, others missing or null. Only one monitor, or the chart would reject nearly all."""
    chosen = {}
    kinds = ["serviceMonitor", "podMonitor", "vmServiceScrape", "scrapeConfig", "podMonitoring"]
    monitors = {*kinds, "prometheusRule", "vmRule"} - {random.choice([*kinds, ""]), random.choice(["prometheusRule", "vmRule"])}
    for name, schema in SCHEMA["properties"].items():
        if name in monitors or "const" in schema:
            continue
        chance = random.random()
        if name == "config" or chance < 0.35:
            value = make(name, schema)
            if value is not None:
                chosen[name] = value
        elif chance < 0.45:
            chosen[name] = None
    return chosen


LABEL = re.compile(r"^(([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?)$")
# https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/: 11 characters are appended to the name.
NAME = {"Service": r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", "CronJob": r"[a-z0-9]([-a-z0-9.]{0,50}[a-z0-9])?"}
SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"


def rules(documents):
    """Rules of the API server that its schemas do not have: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"""
    for document in documents:
        kind, metadata = document["kind"], document["metadata"]
        name = metadata["name"]
        if not re.fullmatch(NAME.get(kind, SUBDOMAIN), name) or len(name) > 253:
            yield f"{kind}: name {name}"
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", metadata.get("namespace", "default")):
            yield f"{kind}: namespace {metadata['namespace']}"
        for key, value in metadata.get("labels", {}).items():
            if not LABEL.match(value):
                yield f"{kind}: label {key}: {value}"
    workloads = [each for each in documents if each["kind"] in ("StatefulSet", "Deployment")]
    if len(workloads) != 1:
        yield f"{len(workloads)} workloads"
        return
    pod = workloads[0]["spec"]["template"]
    labels = pod["metadata"]["labels"].items()
    service = next(each for each in documents if each["kind"] == "Service")
    selectors = [workloads[0]["spec"]["selector"]["matchLabels"], service["spec"]["selector"]]
    if not all(selector.items() <= labels for selector in selectors):
        yield f"selectors {selectors} of {dict(labels)}"
    lists = [("volumes", "name"), ("containers", "name"), ("initContainers", "name")]
    for container in [pod["spec"], *pod["spec"]["containers"]]:
        for field, key in [*lists, ("env", "name"), ("volumeMounts", "mountPath"), ("ports", "name")]:
            keys = [each[key] for each in container.get(field, [])]
            if len(keys) != len(set(keys)):
                yield f"{field}: {keys}"


def main(count="200", seed="1", *crds):
    count, tried, rejected, errors = int(count), 0, [], []
    random.seed(seed)
    with tempfile.TemporaryDirectory() as home:
        rendered = pathlib.Path(home) / "rendered"
        rendered.mkdir()

        def run(job):
            number, release, namespace, chosen = job
            path = pathlib.Path(home) / f"{number}.yaml"
            path.write_text(json.dumps(chosen))  # every text is quoted
            # Each version of Helm has its turn.
            command = [HELMS[number % len(HELMS)], "template", release, CHART, "--namespace", namespace, "--values", path]
            ran = subprocess.run(command, capture_output=True, text=True, env=environment(home), check=False)
            return number, ran.returncode, ran.stdout, ran.stderr

        accepted = 0
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            while accepted < count and tried < 6 * count + 60:
                jobs = [(tried + n, random.choice(RELEASES), random.choice(NAMESPACES), values()) for n in range(20)]
                tried += len(jobs)
                for number, code, output, message in pool.map(run, jobs):
                    if code == 0:
                        accepted += 1
                        (rendered / f"{number}.yaml").write_text(output)
                        try:
                            errors += [f"{number}: {line}" for line in rules(manifests.read(output))]
                        except (yaml.YAMLError, AttributeError, TypeError) as error:
                            errors.append(f"{number}: {error}")
                    elif "\n- " in message and "don't meet" not in message and "executing" not in message.split("\n- ")[0]:
                        rejected.append(re.sub(r"\S*\d\S*", "N", message.split("\n- ")[1].split("\n")[0]))
                    else:
                        errors.append(f"{number}: {message.strip():.600}")
        failed = validate.main(rendered, *crds)
    for line in errors:
        print(line)
    print(f"{accepted} random values, {len(rejected)} rejected with a message, {len(errors)} errors")
    return 1 if failed or errors or accepted < count else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
