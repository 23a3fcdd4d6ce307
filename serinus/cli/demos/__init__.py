"""The demos: their stage, their screen and their stories."""
