"""What the container may use: processors and memory by its control group, not by the machine."""

import os
import resource


def cpus():
    """Whole processors, at least 1: affinity and quota, whichever is less."""
    try:
        count = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        count = os.cpu_count() or 1
    quota = _quota()
    return max(1, min(count, int(quota + 0.001)) if quota else count)


def _quota():
    """Processors by quota of cgroup v2, then v1; None without one."""
    text = _read("/sys/fs/cgroup/cpu.max").split()
    if len(text) == 2 and text[0] != "max":
        return int(text[0]) / int(text[1])
    quota = _read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
    period = _read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    if quota and period and int(quota) > 0 and int(period) > 0:
        return int(quota) / int(period)
    return None


def memory():
    """Bytes the container may use: its limit, else the machine's memory."""
    found = []
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = _read(path)
        if text.isdigit():
            found.append(int(text))
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            found.append(int(line.split()[1]) * 1024)
    return min(found) if found else 1 << 62


def descriptors(wanted):
    """Allow this process ``wanted`` open files, or as many as it may: (limit before, and now)."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before != resource.RLIM_INFINITY and before < wanted:
        now = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (now, most))
        return before, now
    return before, before


def fewer_descriptors(count):
    """Back to the limit ``count``: user code sees what the container gives, not what we need."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, most))


def resident(pid="self"):
    """Bytes of memory that a process holds, 0 when unknown."""
    fields = _read("/proc/%s/statm" % pid).split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else 0


def workers_for(resident_bytes):
    """How many workers of this size: one per processor, in half of the memory at most.

    The other half is for request bodies, arrays made of them, and what predictions allocate.
    """
    return max(1, min(cpus(), memory() // 2 // max(resident_bytes, 1)))


def _read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""
