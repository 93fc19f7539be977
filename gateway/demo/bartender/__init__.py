"""The Bartender: a sample assistant that knows cocktails and really answers.

Read in this order:

1. ``bartender.py``   THE SPINE: message in, answer out, pure and deterministic
2. ``hearing/``       what did the guest say: text to :class:`~gateway.demo.bartender.hearing.intent.Intent`
3. ``choosing/``      which drink: filters, what is missing, ranking, inventing
4. ``answers/``       what to say, one file per kind of answer
5. ``serving/``       HTTP around it, with what all samples share (``../serving``); slow answers, faults on demand
6. ``catalogue/``     the drinks themselves, as TOML that a person can read and extend

There is no model and no network behind it: rules, a table of drinks, and a seed taken from the turn's id.
"""
