"""Every picture of Tasted, drawn by code: as PNG, which each platform shows, and without a library."""
