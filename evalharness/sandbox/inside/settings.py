"""What the harness tells the interpreters that it starts. Plain tuples, because they cross as marshal."""

from __future__ import annotations

from typing import NamedTuple

OPEN_FILES = 128
"""How many descriptors a program may have at most, at every level; all above are closed.

At levels B and C files that were removed but are still open escape the look at the disk: this bounds them."""

DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


class View(NamedTuple):
    """What of the machine's files a program may see.

    ``folders`` and ``files`` are readable, under the paths that they have here. ``hidden`` are folders inside them that
    are not (site-packages holds answers), ``search_path`` is the program's ``sys.path``.
    """

    folders: tuple[str, ...]
    files: tuple[str, ...]
    hidden: tuple[str, ...]
    search_path: tuple[str, ...]


class Settings(NamedTuple):
    """How one worker runs programs.

    ``level`` is A, B, C or D; ``root`` the folder that becomes the root (A: empty, to mount on; B: a copy), ``work``
    the program's own folder as it is called inside. ``uid`` is the program's user, -1 for the one that it is started
    as. ``kernel_limits`` are (RLIMIT number, soft, hard), ``tasks`` is RLIMIT_NPROC of a program, which counts all that
    its user runs. ``core`` is the CPU to stay on, -1 for any. ``command`` runs programs that are not Python, and
    ``executable`` are the files that doing so executes.
    """

    level: str
    root: str
    work: str
    uid: int
    view: View
    output_bytes: int
    disk_bytes: int
    disk_files: int
    kernel_limits: tuple[tuple[int, int, int], ...]
    tasks: int
    core: int
    command: tuple[str, ...] = ()
    executable: tuple[str, ...] = ()

    @classmethod
    def parse(cls, plain: tuple[object, ...]) -> Settings:
        """Back from what marshal made of it: the inner records arrive as tuples."""
        settings = cls(*plain)  # type: ignore[arg-type]
        return settings._replace(view=View(*settings.view))
