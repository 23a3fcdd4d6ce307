"""What measures: one file for each provider, registered by a line in registry.py. All that touches the network is here."""
