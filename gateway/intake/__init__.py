"""Intake: a delivery's messages become turns, or are refused by a bound with a name."""
