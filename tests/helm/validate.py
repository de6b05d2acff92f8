#!/usr/bin/env python3
"""Validates rendered manifests strictly against the schemas of Kubernetes 1.25 to 1.35 and the CRDs in tests/schemas/kubernetes/.
A single process validates all of them, since the schemas are large.

    tests/helm/validate.py DIRECTORY [DIRECTORY-OF-MORE-CRDS]

DIRECTORY has one *.yaml per value set. Prints one line per error, and a summary on the last line.
"""

import functools
import json
import pathlib
import sys

import yaml
import manifests as kubernetes
from jsonschema.validators import Draft202012Validator
from kubernetes_validate import utils
from referencing import Registry, Resource

VERSIONS = [f"1.{minor}" for minor in range(25, 36)]
CRDS = pathlib.Path(__file__).parent.parent / "schemas/kubernetes"
KUBERNETES = ("apps", "batch", "policy", "networking.k8s.io", "rbac.authorization.k8s.io")

# Fields that only later versions have. The chart renders them on request, and rejects them for earlier ones.
SINCE = {"unhealthyPodEvictionPolicy": "1.26", "recursiveReadOnly": "1.30"}


def versions(document):
    text = json.dumps(document)
    first = [version for field, version in SINCE.items() if f'"{field}": ' in text]
    return VERSIONS[max(map(VERSIONS.index, first), default=0) :]


def to_json(value):
    """Raises TypeError for values that JSON does not have, such as dates: manifests must not contain any."""
    return json.loads(json.dumps(value))


def is_builtin(api_version):
    group = api_version.rpartition("/")[0]
    return not group or group in KUBERNETES


@functools.cache
def definitions(version):
    return Resource.from_contents(utils.schema_contents(f"kubernetes-json-schema/{directory(version)}/_definitions.json", version))


def directory(version):
    return "v%s-local-strict" % [known for known in utils.all_versions() if utils.major_minor(known) == version][-1]


@functools.cache
def builtin(version, kind, api_version):
    group, _, number = api_version.rpartition("/")
    name = "-".join(filter(None, [kind.lower(), group.split(".")[0], number]))
    schema = utils.schema_contents(f"kubernetes-json-schema/{directory(version)}/{name}.json", version)
    registry = definitions(version) @ (Resource.from_contents(schema) @ Registry())
    return Draft202012Validator(schema, registry=registry)


def strict(schema):
    """Makes unknown fields of a CRD schema errors, as strict field validation does."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        schema.pop("type", None)
    if isinstance(schema.get("pattern"), str) and "(?i)" in schema["pattern"]:
        # Go accepts this flag anywhere, Python only at the start.
        schema["pattern"] = "(?i)" + schema["pattern"].replace("(?i)", "")
    return schema


def crd_validators(directories):
    """Maps (apiVersion, kind) to a validator."""
    found = {}
    for path in (path for each in directories for path in sorted(pathlib.Path(each).glob("*.yaml"))):
        for crd in yaml.load_all(path.read_text(), yaml.CSafeLoader):
            for version in crd["spec"]["versions"] if crd else []:
                schema = strict(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                key = (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"])
                found[key] = Draft202012Validator(schema)
    return found


def main(manifests, *more_crds):
    crds, seen, errors, unknown, count = crd_validators([CRDS, *more_crds]), {}, [], set(), 0
    for path in sorted(pathlib.Path(manifests).glob("*.yaml")):
        try:
            documents = [to_json(each) for each in kubernetes.read(path.read_text())]
        except (yaml.YAMLError, TypeError) as error:
            errors.append(f"{path.stem}: {error}")
            continue
        names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in documents]
        errors.extend(f"{path.stem}: duplicate {name}" for name in sorted(map(str, names)) if list(map(str, names)).count(name) > 1)
        for document in documents:
            count += 1
            api_version, kind = document["apiVersion"], document["kind"]
            text = json.dumps(document, sort_keys=True)
            if text not in seen:
                if is_builtin(api_version):
                    validators = [(version, builtin(version, kind, api_version)) for version in versions(document)]
                elif (api_version, kind) in crds:
                    validators = [("its CRD", crds[api_version, kind])]
                else:
                    validators = []
                    unknown.add(f"{api_version} {kind}")
                seen[text] = [
                    f"{kind} {document['metadata']['name']}, {version}: {error.json_path}: {error.message:.300}"
                    for version, validator in validators
                    for error in validator.iter_errors(document)
                ]
            errors.extend(f"{path.stem}: {line}" for line in seen[text])
    print("".join(f"{line}\n" for line in errors), end="")
    print(f"{count} manifests, {len(errors)} errors; without a schema: {', '.join(sorted(unknown)) or 'none'}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
