"""What can break in the platform. Each error's docstring is its message's meaning and its cure."""


class PlatformError(Exception):
    """The root of this package's errors; `code` is stable and public."""

    code = "platform_error"


class SettingsInvalid(PlatformError):
    """A setting has a value we cannot use. Correct the variable that the message names."""

    code = "settings_invalid"


class MigrationConflict(PlatformError):
    """An applied migration was changed or is missing. Restore the file; write a new one for a new change."""

    code = "migration_conflict"


class QueriesInvalid(PlatformError):
    """A queries.sql lacks a name or repeats one. Correct the file that the message names."""

    code = "queries_invalid"


class PortUnavailable(PlatformError):
    """Another service does not answer. Commands between services are safe to repeat: try again."""

    code = "service_unavailable"


class RemoteFault(PlatformError):
    """Another service failed while serving us. Its log has the cause under the same request id."""

    code = "remote_fault"
