"""Tables, and the parts of a page that a benchmark writes."""

import os
import pathlib
import platform
import re


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def machine():
    """The processors of this machine and the date are what a reader needs to judge a time."""
    names = re.findall(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    name = names[0] if names else platform.machine()
    return f"{os.cpu_count()} × {name}, Linux {platform.release().split('-')[0]}"


def replace_part(page, name, content):
    """Replaces what is between `<!-- NAME: … -->` and `<!-- /NAME -->`."""
    text = page.read_text()
    found = re.search(rf"(<!-- {name}: [^>]* -->\n).*?(<!-- /{name} -->)", text, re.S)
    assert found, f"{page}: no part `{name}`"
    page.write_text(text[: found.end(1)] + "\n" + content + "\n" + text[found.start(2) :])
