"""OpenStack's Keystone with a database in a file. The password of admin is `admin`.

    keystone_server.py fill FOLDER          makes the database and the keys
    keystone_server.py serve FOLDER PORT    serves them, also from a copy of the folder
"""

import os
import pathlib
import sqlite3
import subprocess
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

CONFIG = """
[database]
connection = sqlite:///{folder}/keystone.sqlite
[fernet_tokens]
key_repository = {folder}/fernet
[fernet_receipts]
key_repository = {folder}/receipts
[credential]
key_repository = {folder}/credentials
[identity]
# Pages of two users.
list_limit = 2
# The weakest hash: it is only a test.
password_hash_algorithm = bcrypt
password_hash_rounds = 4
"""


class Handler(WSGIRequestHandler):
    """Does not look up the name of the client."""

    def address_string(self):
        return self.client_address[0]


def fill(config):
    manage = [sys.executable, "-c", "from keystone.cmd.manage import main; main()", f"--config-file={config}"]
    user = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
    for command in (
        ["db_sync"],
        ["fernet_setup", *user],
        ["credential_setup", *user],
        ["bootstrap", "--bootstrap-password", "admin"],
    ):
        subprocess.run([*manage, *command], check=True)
    # Keystone writes on one connection while it reads on another.
    sqlite3.connect(config.with_name("keystone.sqlite")).execute("PRAGMA journal_mode=WAL").connection.close()


def serve(config, port):
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = str(config)
    # Keystone reads the arguments too.
    del sys.argv[1:]
    from keystone.wsgi.api import application  # reads the configuration

    make_server("127.0.0.1", port, application, handler_class=Handler).serve_forever()


folder = pathlib.Path(sys.argv[2]).resolve()
folder.mkdir(parents=True, exist_ok=True)
config = folder / "keystone.conf"
config.write_text(CONFIG.format(folder=folder))
if sys.argv[1] == "fill":
    fill(config)
else:
    serve(config, int(sys.argv[3]))
