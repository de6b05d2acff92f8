"""A mail server that keeps what it is sent: `smtp_sink.py PORT FOLDER` writes one JSON file a mail, in order."""

import email
import email.policy
import json
import pathlib
import sys
import threading

from aiosmtpd.controller import Controller


class Sink:
    """Writes each mail as its envelope, its subject and its two forms."""

    def __init__(self, folder):
        self.folder, self.count = pathlib.Path(folder), 0

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        form = lambda kind: (part.get_content() if (part := mail.get_body([kind])) else "").replace("\r\n", "\n")
        kept = {
            "to": envelope.rcpt_tos,
            "from": envelope.mail_from,
            "subject": mail["subject"],
            "text": form("plain"),
            "html": form("html"),
        }
        self.count += 1
        # Renamed when it is whole, so that nobody reads half of it.
        half = self.folder / "half"
        half.write_text(json.dumps(kept))
        half.rename(self.folder / f"{self.count:04}.json")
        return "250 kept"


if __name__ == "__main__":
    Controller(Sink(sys.argv[2]), hostname="127.0.0.1", port=int(sys.argv[1])).start()
    threading.Event().wait()
