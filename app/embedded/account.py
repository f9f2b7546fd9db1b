"""Who runs Postgres, which refuses to be root.

An ordinary user runs it as themself. Root runs it as an unprivileged account where that account can reach both the
programs and the data, and else inside a user namespace, where root's own files belong to somebody who is not root. No
folder's permissions are loosened for either.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CANDIDATES = ("postgres", "nobody")
NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")


class NoUsableAccount(Exception):
    """Nobody but root can reach the folder, and user namespaces are off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How Postgres programs are started: as ``uid`` (None: as we are), behind ``prefix``."""

    uid: int | None = None
    gid: int | None = None
    prefix: tuple[str, ...] = ()

    def run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; stdout and stderr are in the result, as one text, whatever the exit code."""
        return subprocess.run(  # noqa: S603 - programs of ours, on paths of ours
            [*self.prefix, *map(str, command)],
            user=self.uid,
            group=self.gid,
            extra_groups=() if self.uid is not None else None,
            cwd="/",
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            # A terminal's Ctrl-C goes to the whole foreground group; the database is stopped after its users.
            start_new_session=True,
        )

    def own(self, folder: Path) -> None:
        """Hand ``folder`` over to the account."""
        if self.uid is not None:
            os.chown(folder, self.uid, self.gid if self.gid is not None else -1)


def account_for(folder: Path, bin_dir: Path) -> Account:
    """Who can run the programs in ``bin_dir`` on data in ``folder``, which exists.

    Raises:
        NoUsableAccount: nobody; the message says what to do.
    """
    if os.geteuid() != 0:
        return Account()
    data = folder / "data"
    if data.exists():
        return _account_of_uid(data.stat().st_uid)
    for account in map(_account_of_name, CANDIDATES):
        if account is not None and _reaches(account, folder, bin_dir):
            return account
    namespace = Account(prefix=NAMESPACE)
    if shutil.which(NAMESPACE[0]) and namespace.run([bin_dir / "postgres", "--version"]).returncode == 0:
        return namespace
    raise NoUsableAccount(
        f"Postgres refuses to run as root, and no other account can reach {folder} and {bin_dir}: "
        "name another folder with SCRAPERSKY_DATA_DIR, start as an ordinary user, or set DATABASE_URL"
    )


def _account_of_uid(uid: int) -> Account:
    """Whoever made the data directory must go on with it: Postgres checks its owner."""
    if uid == 0:
        return Account(prefix=NAMESPACE)
    return Account(uid=uid, gid=pwd.getpwuid(uid).pw_gid)


def _account_of_name(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def _reaches(account: Account, folder: Path, bin_dir: Path) -> bool:
    try:
        seen = account.run(["test", "-x", folder]).returncode == 0
        return seen and account.run([bin_dir / "postgres", "--version"]).returncode == 0
    except PermissionError:
        return False
