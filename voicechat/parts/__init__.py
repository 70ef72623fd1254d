"""What is fetched, and not carried in the repository: voices, and who listens to them.

Each is data; no code that comes with it is ever run.
"""

from voicechat.parts.manifest import Part, PartError, part, parts
from voicechat.parts.store import Store

__all__ = ["Part", "PartError", "Store", "part", "parts"]
