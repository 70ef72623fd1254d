"""Audio Flamingo 3: load, encode, prefill, decode step by step."""

from voicechat.flamingo.flamingo import Flamingo, FlamingoMemory

__all__ = ["Flamingo", "FlamingoMemory"]
