"""The recipes and what they are made of: TOML that a person can read and extend, checked once at the start."""
