"""Rules of kinds beyond their schemas."""
