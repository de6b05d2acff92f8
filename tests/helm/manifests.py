"""Reads YAML as Kubernetes does: version 1.1, with the numbers and words of https://github.com/kubernetes-sigs/yaml."""

import re

import yaml


class Loader(yaml.CSafeLoader):
    """A duplicate key is an error, as with strict field validation."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        duplicates = {key for key in keys if keys.count(key) > 1}
        if duplicates:
            raise yaml.constructor.ConstructorError(None, None, f"duplicate key {sorted(duplicates)}", node.start_mark)
        return super().construct_mapping(node, deep)


# PyYAML wants a dot and a sign in exponents, and does not know `y` and `n`. An enumeration of prometheus-operator has a bare `=`:
# https://github.com/yaml/pyyaml/issues/89
FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$")
Loader.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789"))
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))
Loader.bool_values = yaml.CSafeLoader.bool_values | {"y": True, "n": False}
yaml.CSafeLoader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


def read(text):
    """The manifests of a rendered chart."""
    return [each for each in yaml.load_all(text, Loader) if each]
