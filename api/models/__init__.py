"""What travels over HTTP: request and response models, one file per route file."""
