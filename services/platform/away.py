"""Is it our fault, or is somebody we need not there now?

Problem   PostgreSQL that is killed, recovers or is started again is told by a dozen kinds of errors, and
          other services by one more. Whoever can wait, or say "try again", must know them from faults.
Idea      Two questions, asked of an error; nobody else lists the kinds.
"""

import asyncpg

from services.platform.errors import PortUnavailable

_DATABASE = (
    ConnectionError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,  # it stops, crashed, or is recovering
    asyncpg.InterfaceError,  # the connection was closed under the statement
    asyncpg.exceptions.InternalClientError,  # the same, told to a session that asked nothing at that moment
)


def is_database_away(error: BaseException) -> bool:
    """Whether `error` is what is raised while PostgreSQL is killed, recovers or is started again."""
    # An argument of the wrong type is an InterfaceError too, and a ValueError.
    return isinstance(error, _DATABASE) and not isinstance(error, ValueError)


def is_away(error: BaseException) -> bool:
    """The same of what a port raises: its service lives elsewhere, or here over such a database."""
    return isinstance(error, PortUnavailable) or is_database_away(error)
