"""One score job, and several that share work."""
