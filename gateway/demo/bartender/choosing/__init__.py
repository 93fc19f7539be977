"""Which drink?  Filters, what is missing, ranking, and inventing: pure, and the same for the same question."""
