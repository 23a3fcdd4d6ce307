"""Messages about Rollouts to people and programs: which are due, their text, and their delivery."""
