"""What to say: one file per kind of answer, each function from a visit to what is said."""
