"""Run the tools of this machine, and find them where cron's bare PATH does not look."""

import asyncio
import os
import shutil
from collections.abc import Mapping

SYSTEM_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CommandFailed(RuntimeError):  # noqa: N818  as ProbeFailed and SourceFailed
    """A tool of this machine is missing or refused: our trouble, never that of a service."""


async def run(program: str, *arguments: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return what *program* printed, or raise CommandFailed with its last words.

    A cancelled call takes the process with it.
    """
    path = shutil.which(program, path=f"{environ.get('PATH', '')}:{SYSTEM_FOLDERS}")
    if path is None:
        raise CommandFailed(f"{program} is not installed")
    process = await asyncio.create_subprocess_exec(
        path,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**environ, "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""},
    )
    try:
        out, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = " ".join(errors.decode(errors="replace").split()) or f"exit code {process.returncode}"
        raise CommandFailed(f"{program} failed: {said[:300].partition('. ')[0]}")
    return out.decode(errors="replace")
