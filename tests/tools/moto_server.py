"""moto's server with S3's atomic conditional puts: moto checks `If-Match` and `If-None-Match` in one step and writes in another, so
that of two puts at once both can succeed."""

import threading

from moto.s3.responses import S3Response
from moto.server import main

lock = threading.Lock()
put_object = S3Response.put_object


def put_one_at_a_time(response):
    # The body of the request has been read before.
    with lock:
        return put_object(response)


S3Response.put_object = put_one_at_a_time
main()
