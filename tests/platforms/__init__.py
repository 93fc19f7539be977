"""The other side of the channels, and the commands that act as it."""
