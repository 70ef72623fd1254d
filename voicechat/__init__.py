"""Talk to a machine that hears everything: the conversation.

from voicechat import Config, VoiceChat

async with VoiceChat(Config(model="mini")) as chat:
    async for event in chat.talk(microphone):
        ...
"""

from streaming.audio import AudioChunk
from voicechat.chat import VoiceChat
from voicechat.config import Config
from voicechat.errors import VoiceChatError
from voicechat.events import Event

__all__ = ["AudioChunk", "Config", "Event", "VoiceChat", "VoiceChatError"]
