#!/usr/bin/env python3
"""Validates rendered manifests: against the schemas of every Kubernetes from 1.25 to 1.35, strict, and against the definitions
(CRDs) in tests/schemas/kubernetes/. One process for all, since the schemas are large.

    tests/helm/validate.py FOLDER [FOLDER-OF-FURTHER-CRDS]

FOLDER holds one *.yaml for each set of values. Prints what is wrong, one line each, and a summary on the last line.
"""

import functools
import json
import pathlib
import sys

import yaml
from jsonschema.validators import Draft202012Validator
from kubernetes_validate import utils
from referencing import Registry, Resource

VERSIONS = [f"1.{minor}" for minor in range(25, 36)]
CRDS = pathlib.Path(__file__).parent.parent / "schemas/kubernetes"
KUBERNETES = ("apps", "batch", "policy", "networking.k8s.io", "rbac.authorization.k8s.io")


class Loader(yaml.CSafeLoader):
    """YAML 1.1, as Kubernetes reads it; but a key that comes twice is an error, as in an API server that is strict."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"the key {sorted(twice)} comes twice", node.start_mark)
        return super().construct_mapping(node, deep)


# A bare `=` stands in an enumeration of prometheus-operator: https://github.com/yaml/pyyaml/issues/89
yaml.CSafeLoader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


def plain(value):
    """Dates and the like as the texts that JSON has: no manifest may have any."""
    return json.loads(json.dumps(value))


def is_builtin(api_version):
    group = api_version.rpartition("/")[0]
    return not group or group in KUBERNETES


@functools.cache
def definitions(version):
    return Resource.from_contents(utils.schema_contents(f"kubernetes-json-schema/{folder(version)}/_definitions.json", version))


def folder(version):
    return "v%s-local-strict" % [known for known in utils.all_versions() if utils.major_minor(known) == version][-1]


@functools.cache
def builtin(version, kind, api_version):
    group, _, number = api_version.rpartition("/")
    name = "-".join(filter(None, [kind.lower(), group.split(".")[0], number]))
    schema = utils.schema_contents(f"kubernetes-json-schema/{folder(version)}/{name}.json", version)
    registry = definitions(version) @ (Resource.from_contents(schema) @ Registry())
    return Draft202012Validator(schema, registry=registry)


def strict(schema):
    """The schema of a CRD, as an API server with strict validation reads it: unknown fields are errors."""
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
        # Go reads a flag anywhere, Python at the head only.
        schema["pattern"] = "(?i)" + schema["pattern"].replace("(?i)", "")
    return schema


def customs(folders):
    """(apiVersion, kind) → validator."""
    found = {}
    for path in (path for each in folders for path in sorted(pathlib.Path(each).glob("*.yaml"))):
        for crd in yaml.load_all(path.read_text(), yaml.CSafeLoader):
            for version in crd["spec"]["versions"] if crd else []:
                schema = strict(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                key = (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"])
                found[key] = Draft202012Validator(schema)
    return found


def main(manifests, *further):
    custom, seen, wrong, unknown, count = customs([CRDS, *further]), {}, [], set(), 0
    for path in sorted(pathlib.Path(manifests).glob("*.yaml")):
        try:
            documents = [plain(each) for each in yaml.load_all(path.read_text(), Loader) if each]
        except (yaml.YAMLError, TypeError) as error:
            wrong.append(f"{path.stem}: {error}")
            continue
        names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in documents]
        wrong.extend(f"{path.stem}: {name} comes twice" for name in sorted(map(str, names)) if list(map(str, names)).count(name) > 1)
        for document in documents:
            count += 1
            api_version, kind = document["apiVersion"], document["kind"]
            text = json.dumps(document, sort_keys=True)
            if text not in seen:
                if is_builtin(api_version):
                    validators = [(version, builtin(version, kind, api_version)) for version in VERSIONS]
                elif (api_version, kind) in custom:
                    validators = [("its CRD", custom[api_version, kind])]
                else:
                    validators = []
                    unknown.add(f"{api_version} {kind}")
                seen[text] = [
                    f"{kind} {document['metadata']['name']}, {version}: {error.json_path}: {error.message:.300}"
                    for version, validator in validators
                    for error in validator.iter_errors(document)
                ]
            wrong.extend(f"{path.stem}: {line}" for line in seen[text])
    print("".join(f"{line}\n" for line in wrong), end="")
    print(f"{count} manifests, {len(wrong)} mistakes; without a schema: {', '.join(sorted(unknown)) or 'none'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
