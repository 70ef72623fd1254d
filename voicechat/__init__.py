"""Talk to a machine that hears everything: the conversation.

    from voicechat import Config, VoiceChat

    async with VoiceChat(Config(model="mini")) as chat:
        async for event in chat.talk(microphone):
            ...

The names are loaded when they are first used, so that the model alone can be imported where there
is no sound library.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streaming.audio import AudioChunk
    from voicechat.chat import VoiceChat
    from voicechat.config import Config
    from voicechat.errors import VoiceChatError
    from voicechat.events import Event

__all__ = ["AudioChunk", "Config", "Event", "VoiceChat", "VoiceChatError"]

_HOMES = {
    "AudioChunk": "streaming.audio",
    "Config": "voicechat.config",
    "Event": "voicechat.events",
    "VoiceChat": "voicechat.chat",
    "VoiceChatError": "voicechat.errors",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'voicechat' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
