"""What a microphone hears, for as long as it is there, and when it is there again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, nullcontext
from typing import Any

import numpy as np

from streaming.audio import AudioChunk, MixDown
from voicechat.errors import InputError
from voicechat.terminal.devices import AGAIN_S, BLOCK_S, INSTEAD, SILENT_S, Device, portaudio, quiet
from voicechat.terminal.options import complain


async def microphone(
    device: Device, level: Callable[[float], None], clean: Callable[[AudioChunk], AudioChunk]
) -> AsyncGenerator[AudioChunk, None]:
    """What the microphone hears, for ever, as `clean` leaves it; `level` is told the RMS of each block, full scale
    being 1.

    One that goes is waited for. Raises InputError when it cannot be opened in the first place, or delivers nothing.
    """
    mix, received, gone = MixDown(device.rate), 0, False
    while True:
        try:
            async with aclosing(_blocks(device, again=gone)) as blocks:
                async for wide in blocks:
                    if gone:
                        complain(f"the microphone {device.name!r} is back")
                        gone = False
                    block = mix.push(wide)
                    level(float(np.sqrt(np.mean(block * block))))
                    yield clean(AudioChunk(block, device.rate, received / device.rate))
                    received += len(block)
        except InputError as error:
            if not received:
                raise
            if not gone:
                complain(f"{error}; it is heard again as soon as it is there")
                gone = True
        await asyncio.sleep(AGAIN_S)


async def _blocks(device: Device, again: bool) -> AsyncGenerator[np.ndarray, None]:
    """float32 [n, channels], until the microphone delivers nothing any more. Raises InputError then, and when it
    cannot be opened."""
    sounddevice = portaudio()
    loop, blocks = asyncio.get_running_loop(), asyncio.Queue[np.ndarray]()

    def callback(samples: np.ndarray, *_: Any) -> None:  # on PortAudio's thread
        loop.call_soon_threadsafe(blocks.put_nowait, samples.copy())

    try:
        with quiet() if again else nullcontext():
            stream = sounddevice.InputStream(
                samplerate=device.rate, device=device.index, channels=device.channels, dtype="float32",
                blocksize=round(BLOCK_S * device.rate), latency="low", callback=callback,
            )  # fmt: skip
            stream.start()
    except sounddevice.PortAudioError as error:
        raise InputError(f"the microphone {device.name!r} cannot be opened ({error}): {INSTEAD['input']}") from None
    try:
        while True:
            try:
                async with asyncio.timeout(SILENT_S):  # wait_for would swallow a cancellation, now and then
                    block = await blocks.get()
            except TimeoutError:
                raise InputError(f"the microphone {device.name!r} delivers nothing: reconnect it") from None
            yield block
    finally:
        stream.abort(ignore_errors=True)
        stream.close(ignore_errors=True)
