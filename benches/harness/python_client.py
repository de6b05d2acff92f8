#!/usr/bin/env python3
"""An exporter written with the Python client: it serves what is PUT to it, a gauge for each series.

    python_client.py PORT
"""

import re
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, Gauge, make_wsgi_app

REGISTRY = CollectorRegistry()
SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
gauges = {}


def take(text):
    for line in text.splitlines():
        found = SAMPLE.match(line)
        if not found:
            continue
        name, labels, value = found[1], dict(LABEL.findall(found[2])), float(found[3])
        # A name may occur with different labels; the client wants them fixed.
        key = (name, *labels)
        if key not in gauges:
            registered = REGISTRY if name not in {known[0] for known in gauges} else None
            gauges[key] = Gauge(name, "as served by the exporter", list(labels), registry=registered)
        gauges[key].labels(**labels).set(value)


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def main():
    serve = make_wsgi_app(REGISTRY)

    def application(environ, start_response):
        if environ["REQUEST_METHOD"] == "PUT":
            take(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode())
            start_response("200 OK", [("Content-Length", "0")])
            return [b""]
        return serve(environ, start_response)

    make_server("127.0.0.1", int(sys.argv[1]), application, handler_class=Quiet).serve_forever()


if __name__ == "__main__":
    main()
