"""What the large bodies are checked for, and turned into: jobs, which may run in another process."""
