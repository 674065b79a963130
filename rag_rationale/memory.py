"""What the C library keeps of freed memory, which counts as this process's until it is given back."""

from __future__ import annotations

import ctypes
import gc
import sys


def give_back() -> None:
    """Collect what is unreachable, and have glibc give freed memory back to the system; elsewhere only the first."""
    gc.collect()
    if sys.platform == "linux":
        getattr(ctypes.CDLL(None), "malloc_trim", int)(0)
