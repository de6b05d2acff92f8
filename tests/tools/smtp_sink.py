"""A mail server that keeps what it is sent: `smtp_sink.py PORT FOLDER` writes one JSON file a mail, in order.

    --tls CERTIFICATE KEY    requires STARTTLS; with --implicit, TLS from the start
    --login NAME PASSWORD    requires a login, and TLS for it
    --reject ADDRESS         refuses this recipient
    --stall ADDRESS          never responds for this recipient
"""

import argparse
import asyncio
import email
import email.policy
import json
import pathlib
import ssl
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Sink:
    """Writes each mail as its envelope, its subject and its two forms."""

    def __init__(self, options):
        self.options, self.folder, self.count = options, pathlib.Path(options.folder), 0

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address in self.options.stall:
            await asyncio.sleep(3600)
        if address in self.options.reject:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        form = lambda kind: (part.get_content() if (part := mail.get_body([kind])) else "").replace("\r\n", "\n")
        kept = {
            "to": envelope.rcpt_tos,
            "from": envelope.mail_from,
            "subject": mail["subject"],
            "text": form("plain"),
            "html": form("html"),
            "headers": [[name, str(value)] for name, value in mail.items()],
            "encrypted": server.transport.get_extra_info("ssl_object") is not None,
            "login": session.auth_data.login.decode() if session.auth_data else None,
        }
        self.count += 1
        # Renamed when it is whole, so that nobody reads half of it.
        half = self.folder / "half"
        half.write_text(json.dumps(kept))
        half.rename(self.folder / f"{self.count:04}.json")
        return "250 kept"


def settings(options):
    """What the library needs for TLS and a login."""
    found = {}
    if options.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*options.tls)
        found |= {"ssl_context": context} if options.implicit else {"tls_context": context, "require_starttls": True}
    if options.login:

        def authenticate(server, session, envelope, mechanism, data):
            if [data.login.decode(), data.password.decode()] != options.login:
                return AuthResult(success=False, handled=False)
            return AuthResult(success=True, auth_data=data)

        # With TLS from the start, the library does not know that the connection is encrypted.
        found |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": not options.implicit}
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("folder")
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--implicit", action="store_true")
    parser.add_argument("--login", nargs=2)
    parser.add_argument("--reject", action="append", default=[])
    parser.add_argument("--stall", action="append", default=[])
    options = parser.parse_args()
    Controller(Sink(options), hostname="127.0.0.1", port=options.port, **settings(options)).start()
    threading.Event().wait()
