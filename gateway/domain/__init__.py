"""Pure values, tables and rules: no I/O, no clock, no randomness.

Time, jitter and bytes are arguments, so that every rule can be tested without waiting and replayed exactly.
Values are frozen ``msgspec`` structs: they are built, checked and written to JSON in one step at the borders.
"""
