"""How sure the means in the tables are."""
