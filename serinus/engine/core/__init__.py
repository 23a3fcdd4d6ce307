"""What every stage of a pass shares: the context that it reads, the plan that it builds, and the reasons that it gives."""
