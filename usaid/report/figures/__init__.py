"""The paper's figures made again."""
