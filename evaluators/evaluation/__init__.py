"""What one evaluation says: its rows, the paper's denoisers on the same images, and a table of both."""
