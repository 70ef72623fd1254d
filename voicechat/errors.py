"""What can go wrong, said so that the reader knows what to do. Every message is one line."""

NOTHING_TYPED = "nothing was typed: write what you want to ask, or attach a clip"


class VoiceChatError(Exception):
    """Anything that voicechat reports: what failed, what still works, what to do."""


class ConfigError(VoiceChatError):
    """An option that does not exist, or a value that it cannot have."""


class InputError(VoiceChatError):
    """Audio or text that cannot be taken in: a broken file, a device that is not there."""


class ModelError(VoiceChatError):
    """A model that cannot be loaded, or that failed while it answered."""


class VoiceFailed(VoiceChatError):
    """A voice that does not exist, or that failed while it spoke."""
