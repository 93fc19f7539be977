"""What keeps calls to others alive: rules for one service and its endpoints, as values and tables.

Pure: time (monotonic seconds), jitter and draws are arguments.  No locks: an instance belongs to one thread, and
nothing here yields.
"""
