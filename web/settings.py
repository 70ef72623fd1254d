"""A connection's settings: the Realtime protocol's session object, with every default filled in."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from streaming.endpoint import EndpointTimes
from tts.voice import Voice, VoiceError
from voicechat import voices
from voicechat.turn import Wanted
from voicechat.turntaking import Patience, Policy
from web.schema import Refused, check_shape
from web.sound import Format
from web.voicenames import voice_named

PCM = {"type": "audio/pcm", "rate": 24_000}
SERVER_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "create_response": True,
    "interrupt_response": True,
}
SEMANTIC_VAD = {"type": "semantic_vad", "eagerness": "auto", "create_response": True, "interrupt_response": True}
PATIENCE = {"low": 1.6, "medium": 1.0, "auto": 1.0, "high": 0.6}  # by eagerness: a factor
UNJUDGED_S = {"low": 1.0, "medium": 0.5, "auto": 0.5, "high": 0.3}  # with a model that cannot judge


class Settings:
    """What `session.update` changes. `session` is what the client is shown."""

    def __init__(self, id: str, model: str, voice: Voice, instructions: str, times: EndpointTimes, holds: bool) -> None:
        """`holds`: the client can stop the sound of an answer and go on with it."""
        self.voice = voice
        self.judges = False  # the model tells what is finished
        self._times, self._holds = times, holds
        self._default = (voice.name, voice)
        self.session: dict[str, Any] = {
            "type": "realtime", "object": "realtime.session", "id": id, "model": model,
            "output_modalities": ["audio"], "instructions": instructions, "tools": [], "tool_choice": "auto",
            "max_output_tokens": "inf", "tracing": None, "truncation": "auto", "prompt": None, "include": None,
            "audio": {
                "input": {"format": PCM, "transcription": None, "noise_reduction": None,
                          "turn_detection": dict(SERVER_VAD)},
                "output": {"format": PCM, "voice": voice.name, "speed": 1.0},
            },
        }  # fmt: skip

    def update(self, changes: dict[str, Any]) -> None:
        """Merge what is present. Raises Refused and changes nothing where a value cannot be had."""
        changes = {k: v for k, v in changes.items() if k not in ("type", "object", "id", "model", "expires_at")}
        session = merged(self.session, changes)
        check_shape(session)  # it is echoed whole
        audio = session["audio"]
        audio["input"]["turn_detection"] = _filled(audio["input"]["turn_detection"])
        for name in ("input", "output"):
            audio[name]["format"] = _format(audio[name]["format"], f"session.audio.{name}.format")
        self._policy(audio["input"]["turn_detection"])
        voice = self._load(audio["output"])
        self.session, self.voice = session, voice

    @property
    def policy(self) -> Policy:
        return self._policy(self.session["audio"]["input"]["turn_detection"])

    @property
    def input_format(self) -> Format:
        return Format.of(self.session["audio"]["input"]["format"])

    @property
    def output_format(self) -> Format:
        return Format.of(self.session["audio"]["output"]["format"])

    @property
    def transcribes(self) -> bool:
        return self.session["audio"]["input"]["transcription"] is not None

    @property
    def wanted(self) -> Wanted:
        """How answers are to be."""
        limit = self.session["max_output_tokens"]
        return Wanted(
            aloud=self.session["output_modalities"] != ["text"],
            max_tokens=limit if isinstance(limit, int) else None,
        )

    def _policy(self, detection: dict[str, Any] | None) -> Policy:
        """How turns are taken. Raises Refused for times that cannot work."""
        times = self._times
        if detection is None:
            return Policy(detects=False, answers=False, interrupts=False, times=times)
        asked, idle_s = (detection["create_response"], detection["interrupt_response"]), None
        try:
            if detection["type"] == "semantic_vad":
                eagerness = detection["eagerness"]
                if self.judges:
                    judged = Policy.judged(times, Patience().scaled(PATIENCE[eagerness]))
                    return replace(judged, answers=asked[0], interrupts=asked[1], holds=self._holds)
                adapted = replace(times, silence_s=UNJUDGED_S[eagerness])
            else:
                idle_s = _idle_s(detection.get("idle_timeout_ms"))
                silence_s, threshold = detection["silence_duration_ms"] / 1000, detection["threshold"]
                adapted = replace(
                    times,
                    threshold=threshold,
                    release=min(times.release, max(0.01, threshold - 0.15)),
                    pause_s=min(times.pause_s, silence_s),
                    silence_s=silence_s,
                    pre_roll_s=detection["prefix_padding_ms"] / 1000,
                    post_roll_s=min(times.post_roll_s, silence_s),
                )
        except (ValueError, OverflowError) as error:
            told = f"turn_detection: {str(error).partition(' (')[0]}"
            raise Refused("invalid_value", told, "session.audio.input.turn_detection") from None
        return Policy(True, *asked, adapted, holds=self._holds, idle_s=idle_s)

    def _load(self, output: dict[str, Any]) -> Voice:
        name, voice = voice_named(output["voice"]), self._default[1]
        speed = output["speed"] or 1.0
        if not 0.25 <= speed <= 1.5:
            raise Refused("invalid_value", f"speed {speed} cannot be had: 0.25 to 1.5", "session.audio.output.speed")
        if name == self._default[0] and speed == 1.0:
            return voice
        try:
            return voices.load(name, speed)
        except VoiceError as error:
            raise Refused("invalid_value", str(error), "session.audio.output.voice") from None


NULLABLE = ("turn_detection", "transcription", "noise_reduction", "tracing", "prompt", "include")


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """`new` over `old`, key by key. A null turns off what can be off, and else changes nothing."""
    result = copy.deepcopy(old)
    for key, value in new.items():
        if value is None and key not in NULLABLE:
            continue
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        other_kind = both and value.get("type", result[key].get("type")) != result[key].get("type")
        result[key] = merged(result[key], value) if both and not other_kind else value
    return result


def _idle_s(ms: int | None) -> float | None:
    if ms is not None and ms < 1000:
        raise ValueError(f"make idle_timeout_ms at least 1000 ({ms})")
    return None if ms is None else ms / 1000


def _filled(detection: dict[str, Any] | None) -> dict[str, Any] | None:
    """Clients read these from the echo, and act on their own where they are missing."""
    if detection is None:
        return None
    defaults = SEMANTIC_VAD if detection["type"] == "semantic_vad" else SERVER_VAD
    return {**defaults, **{k: v for k, v in detection.items() if v is not None}}


def _format(wanted: dict[str, Any] | None, param: str) -> dict[str, Any]:
    if wanted is None:
        return dict(PCM)
    try:
        return Format.of(wanted).as_json()
    except ValueError as error:
        raise Refused("invalid_value", str(error), param) from None
