"""What large JSON is checked for, and turned into: jobs, which may run in another process."""
