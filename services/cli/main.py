"""The `maas` command's entry: nothing heavy is imported before Ctrl-C is understood."""

import os
import sys
import threading
from typing import NoReturn

from services.cli.errors import CommandFailed

_INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command; a failure prints its cause and its cure, and exits with 1."""
    try:
        from services.cli.verbs import app  # noqa: PLC0415 - a second of imports, in which Ctrl-C may come

        app()
    except CommandFailed as error:
        print(f"maas: {error}", file=sys.stderr)
        _leave(1)
    except KeyboardInterrupt:
        _leave(_INTERRUPTED)
    except SystemExit as error:
        _leave(error.code if isinstance(error.code, int) else int(error.code is not None))
    _leave(0)


def _leave(status: int) -> NoReturn:
    """End the process. A kernel that is still being compiled is nobody's any more: we do not wait for it."""
    if threading.active_count() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    main()
