// The conversation as it is downloaded: stereo sound, left the user, right the answer as it was heard; and a transcript.

import { RATE, toInt16, wav } from "./pcm.js";

const SLACK = RATE * 0.15; // a block this near to where the last one ended follows it without a seam

class Track {
  seconds = new Map(); // second -> Int16Array(RATE); a silent second is not kept
  next = 0; // sample after the last one written

  write(samples, end) {
    const start = Math.round(end) - samples.length;
    if (Math.abs(start - this.next) > SLACK) this.next = Math.max(start, 0);
    const values = toInt16(samples);
    for (let done = 0; done < values.length; ) {
      const second = Math.floor(this.next / RATE);
      const at = this.next - second * RATE;
      const part = values.subarray(done, done + RATE - at);
      if (part.some((value) => value !== 0)) {
        if (!this.seconds.has(second)) this.seconds.set(second, new Int16Array(RATE));
        this.seconds.get(second).set(part, at);
      }
      done += part.length;
      this.next += part.length;
    }
  }
}

/** Bounded: the oldest minutes are dropped, and the JSON says so. Times are seconds since the last `clear`. */
export class Recording {
  #lines = new Map(); // item -> {role, text, start_s, end_s, ...}

  constructor(minutes = 30) {
    this.longest = minutes * 60;
    this.clear();
  }

  clear() {
    this.user = new Track();
    this.answer = new Track();
    this.origin = performance.now();
    this.date = new Date();
    this.dropped = 0; // seconds
    this.#lines.clear();
  }

  /** A line of the transcript, again whenever more is known of it; it began `at`, or when it was first noted. */
  note(id, line, at = performance.now()) {
    const known = this.#lines.get(id);
    this.#lines.set(id, { ...known, ...line, start_s: known?.start_s ?? this.seconds(at) });
  }

  line(id) {
    return this.#lines.get(id);
  }

  end(id, at = performance.now()) {
    const line = this.#lines.get(id);
    if (line) line.end_s = this.seconds(at);
  }

  forget(id) {
    this.#lines.delete(id);
  }

  /** `at`: performance.now() of the end of the samples. */
  write(track, samples, at) {
    track.write(samples, (at - this.origin) * (RATE / 1000));
    const oldest = Math.floor(this.length / RATE) - this.longest;
    for (; this.dropped < oldest; this.dropped++) {
      this.user.seconds.delete(this.dropped);
      this.answer.seconds.delete(this.dropped);
    }
  }

  seconds(at) {
    return Math.round(at - this.origin) / 1000;
  }

  get length() {
    return Math.max(this.user.next, this.answer.next);
  }

  /** {wav: Blob, json: object} */
  save(about) {
    const parts = [];
    for (let second = this.dropped; second * RATE < this.length; second++) {
      const [left, right] = [this.user, this.answer].map((track) => track.seconds.get(second));
      const stereo = new Int16Array(2 * Math.min(RATE, this.length - second * RATE));
      for (let i = 0; i < stereo.length / 2; i++) {
        if (left) stereo[2 * i] = left[i];
        if (right) stereo[2 * i + 1] = right[i];
      }
      parts.push(stereo);
    }
    const shift = (s) => (s === undefined ? undefined : Math.round((s - this.dropped) * 1000) / 1000);
    const json = {
      recorded_at: this.date.toISOString(),
      rate: RATE,
      channels: ["user", "answer"],
      seconds: Math.round(this.length / 24 - this.dropped * 1000) / 1000,
      dropped_s: this.dropped, // of the oldest sound; negative times below lie before the recording
      ...about,
      transcript: [...this.#lines.values()].map((line) => ({ ...line, start_s: shift(line.start_s), end_s: shift(line.end_s) })),
    };
    return { wav: wav(parts, 2), json };
  }
}
