"""Foreign formats in: pure translation into messages of the domain, one file per format."""
