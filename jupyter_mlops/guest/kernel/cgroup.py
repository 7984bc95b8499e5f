"""Memory and processor time of a container, as its cgroup tells."""

from __future__ import annotations

import os

UNLIMITED = 1 << 60


class Cgroup:
    """What the kernel of the host says about this container; zeros where it says nothing."""

    def __init__(self, root="/sys/fs/cgroup"):
        self._v2 = os.path.exists(os.path.join(root, "cgroup.controllers"))
        self._memory = root if self._v2 else os.path.join(root, "memory")
        self._cpu = root if self._v2 else os.path.join(root, "cpuacct")

    def oom_kills(self):
        """Processes of this container killed for want of memory, since it started."""
        name = "memory.events" if self._v2 else "memory.oom_control"
        return int(self._table(self._memory, name).get("oom_kill", 0))

    def memory(self):
        """Bytes in use, without file pages that can be dropped at once."""
        used = self._number(self._memory, "memory.current" if self._v2 else "memory.usage_in_bytes")
        stat = self._table(self._memory, "memory.stat")
        return max(
            0, used - int(stat.get("inactive_file" if self._v2 else "total_inactive_file", 0))
        )

    def memory_limit(self):
        name = "memory.max" if self._v2 else "memory.limit_in_bytes"
        limit = self._number(self._memory, name)
        return 0 if limit >= UNLIMITED else limit

    def cpu_seconds(self):
        if self._v2:
            return int(self._table(self._cpu, "cpu.stat").get("usage_usec", 0)) / 1e6
        return self._number(self._cpu, "cpuacct.usage") / 1e9

    def _number(self, folder, name):
        text = self._read(folder, name).strip()
        return int(text) if text.isdigit() else 0

    def _table(self, folder, name):
        rows = (line.split() for line in self._read(folder, name).splitlines())
        return {row[0]: row[1] for row in rows if len(row) == 2}

    @staticmethod
    def _read(folder, name):
        try:
            with open(os.path.join(folder, name)) as file:
                return file.read()
        except OSError:
            return ""
