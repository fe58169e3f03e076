"""The help of ``usaid``: its commands by what they are for, in the order in which a newcomer needs them."""

import argparse

PURPOSES = {
    "before a run": ("plan", "data", "config"),
    "a run": ("run", "progress"),
    "a denoiser of your own": ("evaluate", "check", "denoise", "train"),
    "what came out": ("report", "row", "compare"),
    "the steps of a run, one by one": (
        *("score", "merge", "train-judge", "table", "statistics", "claims", "keep-images", "figure"),
    ),
    "the shell": ("completion",),
}
"""Each command once; one that is not installed is not shown."""


class PurposeParser(argparse.ArgumentParser):
    """A parser whose subcommands stand in groups."""

    def format_help(self) -> str:
        """Usage, description, the commands of each purpose, options."""
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        for title, actions in (*self._by_purpose(), ("options", self._get_optional_actions())):
            formatter.start_section(title)
            formatter.add_arguments(actions)
            formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()

    def _by_purpose(self) -> list[tuple[str, list[argparse.Action]]]:
        subparsers = [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        commands = {choice.dest: choice for action in subparsers for choice in action._choices_actions}
        groups = {
            title: [commands.pop(name) for name in names if name in commands] for title, names in PURPOSES.items()
        }
        return [(title, actions) for title, actions in (groups | {"further": [*commands.values()]}).items() if actions]
