"""Plain English, for assistants without a model: words out of what was typed, sayings, and sentences put together."""
