"""One file per kind of job.  Every module here is imported when a worker starts (``workers/registry.py``)."""
