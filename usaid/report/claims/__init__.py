"""Which of the paper's sentences hold in an experiment, and how sure that is."""
