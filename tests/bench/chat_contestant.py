"""A bot for tests of bench.chat, ``python chat_contestant.py HABIT``.

honest, though it remembers nothing of what it answered, or
- hasty  first says what it takes for the answer, and then asks
- deaf   takes everything and answers nothing
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

habit = sys.argv[1]


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["event"]
        if habit == "hasty":
            number = int(said["text"].split(":")[0].removeprefix("order "))
            self.post(said, f"Order {number + 500}: a gimlet, shaken and strained")
        if habit != "deaf":
            self.post(said, call(os.environ["ASSISTANT_URL"], {"message": {"text": said["text"]}})["parts"][0]["text"])
        self.answer(200)

    def do_GET(self) -> None:
        self.answer(404)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def post(self, said: dict[str, str], text: str) -> None:
        place = {name: said[name] for name in ("channel", "thread_ts")}
        call(os.environ["SLACK_API_URL"] + "/chat.postMessage", {**place, "text": text})

    def log_message(self, *args: object) -> None:
        pass


def call(url: str, body: object) -> dict[str, object]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['SLACK_BOT_TOKEN']}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


Server(("127.0.0.1", int(os.environ["PORT"])), Hook).serve_forever()
