"""The law and the arithmetic, as pure functions on frozen values."""
