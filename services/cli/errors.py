"""What a command can fail with."""


class CommandFailed(Exception):
    """The command cannot do its work. The message tells the cause and the cure."""
