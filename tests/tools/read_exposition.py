"""Reads a compressed exposition with the parsers of prometheus_client, and prints the number of samples of each family as JSON.

    python3 read_exposition.py text|openmetrics FILE.gz
"""

import gzip
import json
import sys

import prometheus_client.openmetrics.parser
import prometheus_client.parser

PARSERS = {"text": prometheus_client.parser, "openmetrics": prometheus_client.openmetrics.parser}


def main():
    samples = {}
    with gzip.open(sys.argv[2], "rt", encoding="utf-8") as exposition:
        for family in PARSERS[sys.argv[1]].text_fd_to_metric_families(exposition):
            assert family.type in ("counter", "gauge"), family
            assert family.documentation, family.name
            for sample in family.samples:
                samples[sample.name] = samples.get(sample.name, 0) + 1
    print(json.dumps(samples))


main()
