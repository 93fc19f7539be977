"""The server: a gunicorn worker on gevent's hub that has a greenlet only while a request is being handled."""
