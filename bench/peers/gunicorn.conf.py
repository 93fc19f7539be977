"""gunicorn's settings for contestants that are not the gateway: what config/gunicorn.conf.py says about the server."""

import os

bind = [f"127.0.0.1:{os.environ['PORT']}"]
# WEB_CONCURRENCY, gunicorn's own default, says how many workers.
worker_connections = 20_000
backlog = 4_096
keepalive = 75
control_socket_disable = True
accesslog = None
loglevel = "warning"
