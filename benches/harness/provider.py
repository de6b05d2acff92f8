#!/usr/bin/env python3
"""A provider in the shape of Atlassian's, as a process of its own: its pages of 1,000 tokens are rendered in advance.

    provider.py TOKENS SOURCES plain|varied|irregular

Prints its port. The tokens are divided evenly among the sources, whose `org_id` is 0, 1, 2, …. The first request of each collection
waits at a gate, so that the benchmark decides when a collection starts:

    /-/waiting                   the number of collections that wait
    /-/open?spread=S[&source=N]  starts those that wait, or one of them, over S seconds
    /-/change?source=N           changes the expiry of one token
"""

import asyncio
import datetime
import hashlib
import sys
import urllib.parse

PAGE = 1000
EPOCH = datetime.datetime(2026, 1, 10, 8, tzinfo=datetime.timezone.utc)
SCOPES = '"scopes":["read:jira-work","read:confluence-content.all"]'


def instant(days, milliseconds):
    at = EPOCH + datetime.timedelta(days=days, milliseconds=milliseconds)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def plain(number, generation):
    """Ids in sequence, 500 owners, few dates."""
    person = number % 500
    year = 2099 + generation
    return (
        f'{{"id":"token-{number}","label":"integration {number}","status":"ALLOWED","createdAt":"2026-01-10T08:00:00.000Z",'
        f'"expiresAt":"{year}-{number % 12 + 1:02}-10T08:00:00.000Z","lastActiveAt":"2026-11-20T02:11:05.000Z",'
        f'"user":{{"id":"712020:{person}","name":"Person {person}","email":"person-{person}@example.com"}},{SCOPES}}}'
    )


def varied(number, generation):
    """Random UUIDs as ids, an owner of its own for each token, and dates that all differ."""
    return differing(number, generation, number)


def irregular(number, generation):
    """The same with an owner for three tokens."""
    return differing(number, generation, number // 3)


def digest(text):
    return hashlib.md5(text.encode()).hexdigest()


def differing(number, generation, owner):
    digits, person = digest(str(number)), digest(digest(str(owner)))
    name = digest(digits)[:10]
    uuid = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    offset = int(digits[:8], 16)
    return (
        f'{{"id":"{uuid}","label":"deploy {name}","status":"ALLOWED","createdAt":"{instant(0, offset)}",'
        f'"expiresAt":"{instant(20_000 + generation, number * 977 + offset % 977)}","lastActiveAt":"{instant(200, offset * 2)}",'
        f'"user":{{"id":"712020:{person}","name":"Person {person[10:18]}","email":"person-{person[18:26]}@example.com"}},{SCOPES}}}'
    )


def page(row, first, count, cursor, generation=0):
    """`generation` is that of the first token."""
    rows = ",".join(row(number, 0 if number > first else generation) for number in range(first, first + count))
    cursor = f'"{cursor}"' if cursor else "null"
    body = f'{{"data":[{rows}],"links":{{"next":{cursor}}}}}'.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


class Provider:
    def __init__(self, tokens, sources, row):
        self.row, self.share = row, tokens // sources
        self.pages = [[self.page(source, number) for number in range(self.count())] for source in range(sources)]
        self.generation = 0
        self.waiting = {}

    def count(self):
        return max(1, -(-self.share // PAGE))

    def page(self, source, number, generation=0):
        start, last = number * PAGE, number == self.count() - 1
        count = min(PAGE, self.share - start)
        return page(self.row, source * self.share + start, count, None if last else number + 1, generation)

    def response(self, target, connection):
        """A response, or None if the request waits at the gate."""
        url = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path.endswith("/api-tokens"):
            source = int(url.path.split("/")[-2])
            if "cursor" in query:
                return self.pages[source][int(query["cursor"])]
            self.waiting[source] = connection
            return None
        if url.path == "/-/waiting":
            return text(str(sum(not waiting.is_closing() for waiting in self.waiting.values())))
        if url.path == "/-/open":
            chosen = [int(query["source"])] if "source" in query else list(self.waiting)
            for position, source in enumerate(chosen):
                delay = float(query["spread"]) * position / len(chosen)
                asyncio.get_running_loop().call_later(delay, self.waiting.pop(source).write, self.pages[source][0])
            return text(str(len(chosen)))
        if url.path == "/-/change":
            self.generation += 1
            self.pages[int(query["source"])][0] = self.page(int(query["source"]), 0, self.generation)
            return text(str(self.generation))
        return text('{"data": [], "links": {}}')


def text(body):
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


class Connection(asyncio.Protocol):
    def __init__(self, provider):
        self.provider, self.received = provider, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, self.received = self.received.split(b"\r\n\r\n", 1)
            response = self.provider.response(head.split(b" ", 2)[1].decode(), self.transport)
            if response:
                self.transport.write(response)


async def main():
    tokens, sources, data = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    provider = Provider(tokens, sources, {"plain": plain, "varied": varied, "irregular": irregular}[data])
    server = await asyncio.get_running_loop().create_server(lambda: Connection(provider), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
