"""The paper's tables made again: our numbers, the paper's and the difference, as CSV, LaTeX and Markdown."""
