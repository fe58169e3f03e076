"""A row for a leaderboard: the numbers of one denoiser, or of some, on all benchmarks of an experiment."""
