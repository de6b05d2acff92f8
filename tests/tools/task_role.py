"""The metadata service of an ECS task at its fixed address, and a stand-in for IAM: `task_role.py COMMAND…` runs a command next to them,
in a network namespace of its own (`unshare --net`), and prints what they received on the last line, as JSON.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
"""

import http.server
import json
import subprocess
import sys
import threading

received = []
USERS = "<ListUsersResponse><ListUsersResult><Users/><IsTruncated>false</IsTruncated></ListUsersResult></ListUsersResponse>"


class Handler(http.server.BaseHTTPRequestHandler):
    def respond(self, body, kind):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        received.append([self.server.server_address[0], self.command, self.path, self.headers.get("X-Amz-Security-Token")])
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self):
        keys = {"RoleArn": "r", "AccessKeyId": "ASIATASK", "SecretAccessKey": "s", "Token": "a-session", "Expiration": "2099-01-01T00:00:00Z"}
        self.respond(json.dumps(keys), "application/json")

    def do_POST(self):
        self.respond(USERS, "text/xml")

    def log_message(self, *_):
        pass


for command in (["link", "set", "lo", "up"], ["address", "add", "169.254.170.2/32", "dev", "lo"]):
    subprocess.run(["ip", *command], check=True)
for address in (("169.254.170.2", 80), ("127.0.0.1", 8080)):
    server = http.server.ThreadingHTTPServer(address, Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
completed = subprocess.run(sys.argv[1:])
print(json.dumps(received))
sys.exit(completed.returncode)
