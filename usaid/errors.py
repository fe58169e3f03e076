"""The one exception that users see: a single line that names the file or key at fault and the cure."""


class UsaidError(Exception):
    """A mistake in what was given to the suite: a file, a key, a value.

    The message is one line, names the file or key, and says what to do. The command line prints it without a
    traceback; anything else that is raised is a bug.
    """
