// Samples as the wire, a WAV file and a drawing want them.

import { MixDown } from "./mix.js";

export const RATE = 24000; // Hz, of everything on the wire

/** Float32 -1..1 -> Int16. */
export function toInt16(samples) {
  return Int16Array.from(samples, (s) => Math.max(-32768, Math.min(32767, Math.round(s * 32767))));
}

/** Float32 -> base64 of little-endian PCM16. */
export function toBase64(samples) {
  const bytes = new Uint8Array(toInt16(samples).buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

/** base64 of little-endian PCM16 -> Float32. */
export function fromBase64(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return Float32Array.from(new Int16Array(bytes.buffer, 0, bytes.length >> 1), (s) => s / 32768);
}

/** An AudioBuffer -> mono Float32 at 24 kHz. */
export async function mono(buffer) {
  if (buffer.sampleRate !== RATE) {
    const context = new OfflineAudioContext(buffer.numberOfChannels, Math.ceil(buffer.duration * RATE), RATE);
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(context.destination);
    source.start();
    buffer = await context.startRendering();
  }
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, c) => buffer.getChannelData(c));
  const samples = new Float32Array(buffer.length);
  const mix = new MixDown(RATE);
  for (let at = 0; at < samples.length; at += RATE) {
    samples.set(mix.push(channels.map((channel) => channel.subarray(at, at + RATE))), at);
  }
  return samples;
}

/** The largest magnitude in each of `count` equal parts, for drawing. */
export function peaks(samples, count = 96) {
  return Array.from({ length: count }, (_, i) => {
    const part = samples.subarray(Math.floor((i * samples.length) / count), Math.ceil(((i + 1) * samples.length) / count));
    return part.reduce((most, s) => Math.max(most, Math.abs(s)), 0);
  });
}

/** Interleaved Int16Arrays -> WAV file. */
export function wav(parts, channels, rate = RATE) {
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const head = new DataView(new ArrayBuffer(44));
  const tag = (at, text) => [...text].forEach((c, i) => head.setUint8(at + i, c.charCodeAt(0)));
  tag(0, "RIFF");
  head.setUint32(4, 36 + bytes, true);
  tag(8, "WAVEfmt ");
  head.setUint32(16, 16, true);
  head.setUint16(20, 1, true);
  head.setUint16(22, channels, true);
  head.setUint32(24, rate, true);
  head.setUint32(28, rate * channels * 2, true);
  head.setUint16(32, channels * 2, true);
  head.setUint16(34, 16, true);
  tag(36, "data");
  head.setUint32(40, bytes, true);
  return new Blob([head, ...parts], { type: "audio/wav" });
}
