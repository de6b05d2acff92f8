"""The bill of materials of the program, CycloneDX 1.6: `sbom.py FILE`.

What `cargo metadata` says is linked into it on Linux: no tools of the build, no crates of the tests. The result is checked
by the schema, and against Cargo.lock, before it is written. The same input gives the same bytes.
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


def metadata():
    command = ["cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={TARGET}"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def linked(told):
    """The packages that are linked into the program, and what each of them needs."""
    nodes = {node["id"]: node for node in told["resolve"]["nodes"]}
    needs = lambda node: [
        dep["pkg"] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])
    ]
    found, open_ = {}, [told["resolve"]["root"]]
    while open_:
        package = open_.pop()
        if package not in found:
            found[package] = needs(nodes[package])
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


def bill():
    told = metadata()
    packages = {package["id"]: package for package in told["packages"]}
    needs, known, root = linked(told), checksums(), told["resolve"]["root"]
    parts = {}
    for id_ in sorted(needs):
        package = packages[id_]
        checksum = known[package["name"], package["version"]]
        assert checksum or id_ == root, f"{package['name']} is from no registry"
        kind = ComponentType.APPLICATION if id_ == root else ComponentType.LIBRARY
        parts[id_] = component(package, checksum, kind)
    bom = Bom(components=[part for id_, part in parts.items() if id_ != root])
    bom.metadata.component = parts[root]
    bom.metadata.supplier = OrganizationalEntity(name="token-expiry-exporter")
    for id_, needed in needs.items():
        bom.register_dependency(parts[id_], [parts[other] for other in needed])
    return bom


def reproducible(text):
    """Neither a random number nor the time of the making."""
    told = json.loads(text)
    del told["serialNumber"], told["metadata"]["timestamp"]
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    bom = bill()
    text = reproducible(JsonV1Dot6(bom).output_as_string())
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong:
        sys.exit(f"sbom: not by the schema: {wrong}")
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(text)
    print(f"sbom: {sys.argv[1]}: {len(bom.components)} crates, by the schema of CycloneDX 1.6", file=sys.stderr)
