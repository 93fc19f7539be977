"""HTTP around Tasted: turns, which are signed, and pictures, which anybody may fetch."""
