"""HTTP around a sample assistant: who may ask, what was asked before, and how an answer travels."""
