"""What did the cook say?  From a message to an intent, by rules: pure, bounded, and it never raises on any text."""
