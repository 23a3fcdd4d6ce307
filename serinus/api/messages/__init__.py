"""Parts of sentences for users: counts, shortened and escaped text, verdicts, and the reasons of Events."""
