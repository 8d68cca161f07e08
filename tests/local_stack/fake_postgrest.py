"""Stands in for PostgREST: takes its variables, records each request, and answers by the request's path."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RECORD = Path(__file__).with_suffix(".jsonl")
released = threading.Event()


def record(entry: object) -> None:
    with RECORD.open("a") as file:
        file.write(json.dumps(entry) + "\n")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.read_body()
        record(
            {
                "method": self.command,
                "path": self.path,
                "headers": dict(self.headers),
                "body_bytes": len(body),
            }
        )
        if self.path == "/rpc/hang_up":
            self.close_connection = True
            return
        if self.path == "/rpc/release":
            released.set()
        self.send_response(200)
        self.send_header("Content-Range", "0-0/1")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.path == "/rpc/stream":
            self.send_chunk(b"first\n")
            released.wait(10)
            self.send_chunk(b"rest\n")
        else:
            self.send_chunk(body or b"{}")
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_PATCH = answer  # noqa: N815 (the names that http.server calls)

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def send_chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


if __name__ == "__main__":
    record({name: value for name, value in os.environ.items() if name.startswith("PGRST_")})
    address = (os.environ["PGRST_SERVER_HOST"], int(os.environ["PGRST_SERVER_PORT"]))
    ThreadingHTTPServer(address, Handler).serve_forever()
