"""Long steps of a command: a spinner on a terminal, plain lines everywhere else.

Problem   A person waits and wants to know for what. A log file or a pipe shows no spinner, and then nothing
          would be seen for half a minute.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def step(console: Console, words: str) -> Iterator[None]:
    """Tell that this is being done while the block runs; on a terminal also, afterwards, how long it took."""
    if not console.is_terminal:
        console.print(f"{words} ...")
        yield
        return
    started = time.monotonic()
    with console.status(words):
        yield
    console.print(f"[green]✓[/green] {words} [dim]{time.monotonic() - started:.1f} s[/dim]")
