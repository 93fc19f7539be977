"""Which recipe: who may eat it, what is missing, and in which order to offer."""
