"""Tasted: a sample assistant that knows recipes, stays beside the stove, and calls when the time is up.

Read in this order:

1. ``tasted.py``     THE SPINE: message in, answer out, pure; the time of day is an argument
2. ``hearing/``      what did the cook say: text to :class:`~gateway.demo.tasted.hearing.intent.Intent`
3. ``choosing/``     which recipe: diets, what is missing, ranking
4. ``answers/``      what to say, one file per kind of answer
5. ``timers.py``     timers: asked for in the reply, kept by the gateway, so that nothing is lost with this process
6. ``pictures/``     every picture, drawn by code
7. ``serving/``      HTTP around it, with what all samples share (``../serving``)
8. ``catalogue/``    the recipes themselves, as TOML that a person can read and extend

There is no model and no network behind it, and nothing of a conversation is kept in the process.
"""
