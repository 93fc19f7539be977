"""The API's operations alone in a Flask application, as a gateway has them."""

from __future__ import annotations

from collections.abc import Iterable

import flask
from werkzeug.test import Client

from gateway.settings.secret import Secret
from gateway.store.postgres import Database
from gateway.store.tokens import Tokens
from gateway.web.api.bearer import Bearers
from gateway.web.api.pages import api_pages
from gateway.web.api.problem import problems_below

__all__ = ["api_client"]


def api_client(database: Database, resources: Iterable[object], roots: Iterable[str]) -> Client:
    """Return a client of *resources*, which the tokens *roots* open, and those of the ledger."""
    app = flask.Flask("api")
    bearers = Bearers(tuple(Secret(token) for token in roots), Tokens(database))
    app.register_blueprint(api_pages(resources, bearers))
    problems_below(app, "/api/v1/", elsewhere=lambda error: error)
    app.add_url_rule("/page", "page", lambda: "", methods=["GET"])
    return Client(app)
