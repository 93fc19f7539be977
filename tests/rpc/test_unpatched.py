"""The client waits in greenlets by itself: it works the same in a process that nobody has patched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import gevent, socket, time
from gevent import monkey
from gevent.server import StreamServer
from gateway.domain.deadline import Deadline
from gateway.rpc import Call, CallTimeout, RpcClient, Service
from gateway.settings.rpc import RpcSettings

assert not monkey.saved, "patched after all"
order = []

def handle(connected, address):
    connected.recv(65536)
    gevent.sleep(0.05)
    connected.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nhi")

server = StreamServer(("localhost", 0), handle)
server.start()
client = RpcClient(RpcSettings())
call = Call(service=Service("peer", (f"http://localhost:{server.server_port}",)), method="GET",
            deadline=Deadline.after(5, now=time.monotonic()))
other = gevent.spawn(order.append, "another greenlet ran")
order.append(client.call(call).body)
gevent.idle()
gevent.joinall([gevent.spawn(client.call, call) for _ in range(3)], raise_error=True)
client.stop(Deadline(0.0))
server.stop()
assert order == ["another greenlet ran", b"hi"], order
print("fine")
"""


def test_a_call_in_an_unpatched_process_blocks_nobody_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")
