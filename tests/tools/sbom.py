"""Writes the SBOM of the program, CycloneDX 1.6: `sbom.py FILE`.

It contains the crates that `cargo metadata` reports as linked on Linux, without build tools and test crates. It is validated
against the schema and Cargo.lock before it is written. The same input makes the same bytes.
"""

import json
import subprocess
import sys
import tomllib

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

TARGET = "x86_64-unknown-linux-gnu"


def cargo_metadata():
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--features=object-store", f"--filter-platform={TARGET}"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def linked(metadata):
    """The packages that are linked into the program, each with its dependencies."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    dependencies = lambda node: [
        dep["pkg"] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])
    ]
    found, open_ = {}, [metadata["resolve"]["root"]]
    while open_:
        package = open_.pop()
        if package not in found:
            found[package] = dependencies(nodes[package])
            open_.extend(found[package])
    return found


def checksums():
    with open("Cargo.lock", "rb") as lock:
        packages = tomllib.load(lock)["package"]
    return {(package["name"], package["version"]): package.get("checksum") for package in packages}


def component(package, checksum, kind=ComponentType.LIBRARY):
    licence = (package["license"] or "").replace("/", " OR ")
    purl = PackageURL("cargo", None, package["name"], package["version"])
    links = {
        ExternalReferenceType.VCS: package["repository"],
        ExternalReferenceType.WEBSITE: package["homepage"],
    }
    return Component(
        type=kind,
        name=package["name"],
        version=package["version"],
        bom_ref=str(purl),
        purl=purl,
        description=package["description"],
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
        authors=[],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
        external_references=[ExternalReference(type=kind, url=XsUri(link)) for kind, link in links.items() if link],
    )


def sbom():
    metadata = cargo_metadata()
    packages = {package["id"]: package for package in metadata["packages"]}
    dependencies, known, root = linked(metadata), checksums(), metadata["resolve"]["root"]
    components = {}
    for id_ in sorted(dependencies):
        package = packages[id_]
        checksum = known[package["name"], package["version"]]
        assert checksum or id_ == root, f"{package['name']} is not from a registry"
        kind = ComponentType.APPLICATION if id_ == root else ComponentType.LIBRARY
        components[id_] = component(package, checksum, kind)
    bom = Bom(components=[part for id_, part in components.items() if id_ != root])
    bom.metadata.component = components[root]
    bom.metadata.supplier = OrganizationalEntity(name="token-expiry-exporter")
    for id_, needed in dependencies.items():
        bom.register_dependency(components[id_], [components[other] for other in needed])
    return bom


def reproducible(text):
    """Without the random serial number and the timestamp."""
    document = json.loads(text)
    del document["serialNumber"], document["metadata"]["timestamp"]
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    bom = sbom()
    text = reproducible(JsonV1Dot6(bom).output_as_string())
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error:
        sys.exit(f"sbom: violates its schema: {error}")
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(text)
    print(f"sbom: {sys.argv[1]}: {len(bom.components)} crates, valid CycloneDX 1.6", file=sys.stderr)
