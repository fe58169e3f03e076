"""The paper: every number that it prints, and how its tables are laid out."""
