"""``python -m usaid_cli``: the command without its installation."""

from usaid_cli import main

main()
