"""gunicorn's settings for the gateway.

gunicorn reads this file before its gevent worker patches the process, so it imports nothing of ours.  It
reads the environment itself, because the settings are a worker's: HOST, PORT and WEB_CONCURRENCY mean the
same in both.
"""

import os
import shutil
import sys
import tempfile

bind = [f"{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '8080'}"]
workers = int(os.environ.get("WEB_CONCURRENCY") or 1)
worker_class = "gevent"

# Open connections of one worker; above it the kernel's queue holds them (`backlog`).
worker_connections = 10_000
backlog = 2_048
# Each worker with a listener of its own would drop on a reload what waits in its queue, and would let a
# second copy bind a busy port in silence.
reuse_port = False
# On by default, and at one path for all copies of a user.
control_socket_disable = True

# Seconds without a sign of life from a worker's event loop; no request's time, a stream may be open for much
# longer.
timeout = 30
# Seconds from the order to stop until the master kills.  A second more than the turns' own
# SWITCHBOARD_SERVER__DRAIN_S, so that the drain decides and not this.  Only the variable is seen here: whoever sets
# server.drain_s in the TOML file sets it there too.
graceful_timeout = int(float(os.environ.get("SWITCHBOARD_SERVER__DRAIN_S") or 5)) + 1
# Seconds that an idle connection is kept, and that its next request's head may take.  0 would switch the
# second off.
keepalive = 75

# Headers: what is larger is refused with 431 before anything of ours runs.
limit_request_line = 8_190
limit_request_fields = 100
limit_request_field_size = 8_190

# The gateway writes its own access events (gateway/telemetry); gunicorn's log is for gunicorn's troubles.
accesslog = None
errorlog = "-"
loglevel = "warning"

# Seconds between two looks whether the worker has been told to stop.
_LOOK_S = 0.1
# Seconds after which gunicorn's worker, told to stop, has closed its listeners: it looks once a second.
_CLOSED_S = 1.2

# Seconds after which a request that still runs (a reader that does not read, most likely) is waited for no more:
# the master kills half a second later.
_LAST_S = graceful_timeout - 0.5

# Requests that this worker answers now, and whether it is on its way out already.
_answering = 0
_leaving = False


def pre_request(worker, req):
    """Count a request in.  Connections that lie idle are not among them, and must not hold up the end."""
    global _answering
    _answering += 1


def post_request(worker, req, environ, resp):
    """Count it out, however it ended."""
    global _answering
    _answering -= 1


def post_worker_init(worker):
    """Begin to drain as soon as the worker is told to stop, and end it once its last request is answered.

    By itself gunicorn's worker waits for idle connections too: until its master kills it, with what it holds in
    the ledger.  Ours is imported here, inside the worker: the process is patched by now.
    """
    import time

    import gevent

    from gateway import wsgi

    def watch():
        while worker.alive:
            gevent.sleep(_LOOK_S)
        told_at = time.monotonic()
        wsgi.drain()
        while time.monotonic() < told_at + (_LAST_S if _answering else _CLOSED_S):
            gevent.sleep(_LOOK_S)
        if not _leaving:
            # gevent passes it on to the main greenlet, which ends the worker in order.
            raise SystemExit(0)

    gevent.spawn(watch)


def worker_exit(server, worker):
    """Leave the ledger once the last request is answered."""
    global _leaving
    _leaving = True
    # Not imported: after a failed boot that would fail once more, and hide the first traceback behind a second.
    wsgi = sys.modules.get("gateway.wsgi")
    if wsgi:
        wsgi.stop()


# With several workers each scrape of /metrics must show the sum of all: prometheus-client then keeps its
# numbers in files of a shared folder.  It looks for the folder when it is imported, so in the worker.
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_made = []


def on_starting(server):
    """Make the shared folder of the workers' numbers, unless one is given or one worker needs none."""
    if workers > 1 and not os.environ.get(_FOLDER):
        _made.append(tempfile.mkdtemp(prefix="switchboard-metrics-"))
        os.environ[_FOLDER] = _made[0]


def child_exit(server, worker):
    """What a worker held open it holds no more; what it counted stays counted."""
    if os.environ.get(_FOLDER):
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)


def on_exit(server):
    """Take the folder away with the last of its users."""
    for folder in _made:
        shutil.rmtree(folder, ignore_errors=True)
