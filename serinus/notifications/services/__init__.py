"""One file for each type of service that messages are sent through."""
