"""A small Flask application of nobody's: the same under our worker class and under gunicorn's own."""

from __future__ import annotations

import flask

app = flask.Flask(__name__)


@app.post("/bench/echo")
def echo() -> flask.Response:
    return flask.jsonify(flask.request.get_json())
