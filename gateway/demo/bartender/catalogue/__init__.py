"""The drinks and the shelf: data in TOML files beside the code that reads them, values that never change."""
