"""Request and response models, one file per route file."""
