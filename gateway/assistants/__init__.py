"""Asking assistants: the services, model servers or scripts that answer turns.

``client.py`` finds one by name; ``http.py`` calls a service over ``gateway.rpc``, ``openai/`` a model server;
``scripted.py`` follows a script.  The wire format is pure: ``wire.py`` (and ``domain/signing.py``) write the request,
``sse.py``, ``stream.py`` and ``decode.py`` read the answer, ``schema.py`` publishes both.  README.md is for authors of
assistants.
"""
