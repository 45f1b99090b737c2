"""Where a kernel of a test listens."""

import tempfile
from uuid import uuid4


def own_sockets() -> dict[str, str]:
    """Settings of a KernelManager: a free port may be taken before the kernel binds it,
    a name of its own may not.
    """
    return {"transport": "ipc", "ip": f"{tempfile.gettempdir()}/{uuid4()}"}
