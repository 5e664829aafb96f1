"""What can break here. Each error's docstring is its message's meaning and its cure."""

from services.platform.errors import PlatformError


class CompilerBroken(PlatformError):
    """The compiling process ended without a report: killed, out of memory, or the disk is full.

    The old network stays in force. Free memory or disk space, then load again; the log has its last words.
    """

    code = "compiler_broken"
