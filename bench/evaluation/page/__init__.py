"""The page that people look at and the picture for the README, drawn of the results alone."""
