"""Messages about Rollouts to users and programs: triggers, texts, and delivery."""
