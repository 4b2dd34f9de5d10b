"""The law as dated data, and the strict loaders that read it."""
