"""Blue-green: a complete second version beside the active one, and one switch between them."""
