"""A program in a pseudo-terminal, as a person would use it: waits for what it shows, and types."""

import os
import pty
import re
import select
import subprocess
import time
from typing import IO

CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")  # colours, cursor movements


def talk(
    command: list[str],
    script: list[tuple[str, str]],
    timeout: float = 200,
    errors: IO | None = None,
    **environment: str,
) -> tuple[int, str]:
    """Run a program; for each pair in turn, wait until a pattern is shown after the last one, and type a line.

    Its standard error goes to the terminal too, or to a file: libraries may write there at any time, in the middle of what is
    typed.

    Returns:
        The exit status, and everything that was shown, without control sequences.
    """
    master, slave = pty.openpty()
    program = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave if errors is None else errors, env=os.environ | environment
    )
    os.close(slave)
    shown, at, end, pending = b"", 0, time.monotonic() + timeout, list(script)
    try:
        while time.monotonic() < end:
            while pending and (found := re.search(pending[0][0].encode(), CONTROL.sub(b"", shown)[at:])):
                at += found.end()
                os.write(master, f"{pending.pop(0)[1]}\n".encode())
            if select.select([master], [], [], 0.2)[0]:
                try:
                    data = os.read(master, 65536)
                except OSError:  # the program has ended
                    break
                shown += data
            elif program.poll() is not None:
                break
        else:
            raise TimeoutError(f"waited for {pending}, shown: {shown[-3000:]!r}")
        return program.wait(timeout=30), CONTROL.sub(b"", shown).decode(errors="replace")
    finally:
        program.kill()
        program.wait()
        os.close(master)
