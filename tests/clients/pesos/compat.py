"""Names that Python 3 has dropped and that pesos and what it stands on still use.

Imported before them. Nothing here touches what they send or understand.
"""

import collections
import collections.abc
import inspect
import os
import uuid

os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"

for name in ("Callable", "Iterable", "Mapping", "MutableMapping", "Sequence"):
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))
if not hasattr(inspect, "getargspec"):
    inspect.getargspec = inspect.getfullargspec
if not hasattr(uuid.UUID, "get_bytes"):
    uuid.UUID.get_bytes = lambda self: self.bytes
