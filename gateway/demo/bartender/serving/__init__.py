"""HTTP around the Bartender: who may ask, what was asked before, and how the answer travels."""
