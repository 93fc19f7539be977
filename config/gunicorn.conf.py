"""gunicorn's settings for the gateway.

gunicorn reads this file before the worker patches the process, so it imports nothing of ours.  What the master must
know of [server] it looks up itself, where the worker does: the longer variable, the short one, the TOML file.  What is
wrong there the worker names with all other problems of the settings, and ends; here it is as if it were not set.
"""

import math
import os
import shutil
import tempfile
import tomllib
from pathlib import Path


def _file():
    path = Path(os.environ.get("SWITCHBOARD_CONFIG") or Path(__file__).with_name("switchboard.toml"))
    try:
        section = tomllib.loads(path.read_text()).get("server")
    except (OSError, ValueError):
        return {}
    return section if isinstance(section, dict) else {}


def _server(name, alias, default):
    value = os.environ.get(f"SWITCHBOARD_SERVER__{name.upper()}") or os.environ.get(alias) or _file().get(name)
    try:
        return default if value is None else type(default)(value)
    except (TypeError, ValueError):
        return default


_host = _server("host", "HOST", "127.0.0.1")
bind = [f"{f'[{_host}]' if ':' in _host else _host}:{_server('port', 'PORT', 8080)}"]
# None would be a master that waits for callers and has nobody to serve them, or to say what is wrong.
workers = max(1, _server("workers", "WEB_CONCURRENCY", 1))
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
# Seconds from the order to stop until the master kills.  More than server.drain_s, by what the worker keeps for leaving
# in order, so that the drain decides and not this.
_drain_s = _server("drain_s", "", 5.0)
graceful_timeout = (math.ceil(_drain_s) if math.isfinite(_drain_s) else 5) + 2

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
