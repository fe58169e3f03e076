"""What each job of an experiment reads: its files, its settings, and a hash of its code."""
