"""gunicorn's settings for the gateway.

gunicorn reads this file before the worker patches the process, so it imports nothing of ours.  It
reads the environment itself, because the settings are a worker's: HOST, PORT and WEB_CONCURRENCY mean the
same in both.
"""

import math
import os
import shutil
import tempfile

bind = [f"{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '8080'}"]
workers = int(os.environ.get("WEB_CONCURRENCY") or 1)
worker_class = "gateway.server.worker.Worker"

# Callers that may wait in the kernel for this process to accept them.  How many it keeps is server.connections_max.
backlog = 2_048
# Each worker with a listener of its own would drop on a reload what waits in its queue, and would let a
# second copy bind a busy port in silence.
reuse_port = False
# On by default, and at one path for all copies of a user.
control_socket_disable = True

# Seconds without a sign of life from a worker's event loop; no request's time, a stream may be open for much
# longer.
timeout = 30
# Seconds from the order to stop until the master kills.  More than SWITCHBOARD_SERVER__DRAIN_S, by what the worker
# keeps for leaving in order, so that the drain decides and not this.  Only the variable is seen here: whoever sets
# server.drain_s in the TOML file sets it there too.
try:
    _drain_s = float(os.environ.get("SWITCHBOARD_SERVER__DRAIN_S") or 5)
    graceful_timeout = math.ceil(_drain_s) + 2
except (ValueError, OverflowError):
    # The worker refuses to start, and names this with all other problems of the settings.
    graceful_timeout = 7

# Times, sizes and numbers of what a caller may do are settings of ours: config/example.env, [server].

# The gateway writes its own access events (server.access_log_ratio); gunicorn's log is for gunicorn's troubles.
accesslog = None
errorlog = "-"
loglevel = "warning"

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
