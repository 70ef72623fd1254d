// The microphone and the loudspeaker of a page.

import { RATE } from "./pcm.js";
import { Problem } from "./problems.js";
import { Resampler } from "./resample.js";

/** performance.now() at which the context's clock showed `frame`, for a frame of the recent past. */
function whenFrame(context, frame) {
  return performance.now() - (context.currentTime - frame / context.sampleRate) * 1000;
}

/** What an analyser sees, as 0..1: a whisper is about 0.3, speech 0.6 to 0.9. */
function loudness(analyser, scope) {
  analyser.getFloatTimeDomainData(scope);
  let energy = 0;
  for (const sample of scope) energy += sample * sample;
  const decibel = 10 * Math.log10(energy / scope.length + 1e-12);
  return Math.max(0, Math.min(1, (decibel + 60) / 50));
}

class Meter {
  constructor(context) {
    this.analyser = new AnalyserNode(context, { fftSize: 1024, smoothingTimeConstant: 0.6 });
    this.samples = new Float32Array(1024);
  }
  get level() {
    return loudness(this.analyser, this.samples);
  }
  get scope() {
    this.analyser.getFloatTimeDomainData(this.samples);
    return this.samples;
  }
}

const QUIET = new Float32Array(1024);

/**
 * The microphone, as blocks of mono Float32 at 24 kHz.
 *
 * onblock({samples, rms, at}): `at` is performance.now() of the block's end. While muted the samples are zero.
 * onchange(): another device or rate took over. onproblem(Problem): it broke, and could not be restarted.
 */
export class Microphone {
  #stream = null;
  #context = null;
  #meter = null;
  #muted = false;
  #opening = null;
  #settling = 0;
  #suppresses;

  /** `suppresses`: the browser takes background noise away, and with it music and sounds. */
  constructor({ suppresses = false, onblock, onchange = () => {}, onproblem = () => {} }) {
    this.#suppresses = suppresses;
    Object.assign(this, { onblock, onchange, onproblem });
    this.devicesChanged = () => {
      clearTimeout(this.#settling); // a headset announces itself several times
      this.#settling = setTimeout(() => this.#restartIfMoved(), 600);
    };
  }

  /** Asks for permission. Throws Problem. */
  start() {
    this.#opening ??= this.#start().finally(() => (this.#opening = null));
    return this.#opening;
  }

  async #start() {
    if (this.open) return;
    if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) throw new Problem("insecure-origin");
    const audio = { echoCancellation: true, noiseSuppression: this.#suppresses, autoGainControl: true, channelCount: 1 };
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      throw new Problem(error.name === "NotAllowedError" ? "microphone-denied" : "no-microphone", error.message);
    }
    const [track] = this.#stream.getAudioTracks();
    track.enabled = !this.#muted;
    track.onended = () => this.#restart();
    this.#context = await this.#listen();
    navigator.mediaDevices.addEventListener("devicechange", this.devicesChanged);
    this.onchange();
  }

  /** Chromium and Safari resample to 24 kHz themselves; Firefox refuses, and is resampled here. */
  async #listen() {
    let context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    let source;
    try {
      source = context.createMediaStreamSource(this.#stream);
    } catch {
      await context.close();
      context = new AudioContext({ latencyHint: "interactive" });
      source = context.createMediaStreamSource(this.#stream);
    }
    await context.audioWorklet.addModule(new URL("capture-worklet.js", import.meta.url));
    const node = new AudioWorkletNode(context, "voicechat-capture", { numberOfOutputs: 0 });
    const resampler = new Resampler(context.sampleRate, RATE);
    node.port.onmessage = ({ data }) => {
      if (this.#context !== context) return; // of a device that was left
      const samples = this.#muted ? new Float32Array(data.samples.length) : data.samples;
      const at = whenFrame(context, data.end);
      this.onblock({ samples: resampler.push(samples), rms: this.#muted ? 0 : data.rms, at });
    };
    this.#meter = new Meter(context);
    source.connect(node);
    source.connect(this.#meter.analyser);
    if (context.state !== "running") await Promise.race([context.resume(), new Promise((r) => setTimeout(r, 500))]);
    return context;
  }

  /** From now on. Some browsers change it only when the microphone is opened. */
  suppress(noise) {
    if (noise === this.#suppresses) return;
    this.#suppresses = noise;
    return this.#restart();
  }

  /** The track ended, or a Bluetooth headset came or went: start again on what is the default now. */
  async #restart() {
    if (!this.#stream) return;
    this.stop();
    try {
      await this.start();
    } catch (problem) {
      this.onproblem(problem);
    }
  }

  async #restartIfMoved() {
    const [track] = this.#stream?.getAudioTracks() ?? [];
    if (!track) return;
    const { deviceId, groupId } = track.getSettings();
    const devices = (await navigator.mediaDevices.enumerateDevices()).filter((d) => d.kind === "audioinput");
    const same = devices.find((d) => d.deviceId === deviceId);
    const moved = !same || (groupId && same.groupId && same.groupId !== groupId);
    if (track.readyState === "ended" || moved) await this.#restart();
  }

  stop() {
    clearTimeout(this.#settling);
    navigator.mediaDevices?.removeEventListener("devicechange", this.devicesChanged);
    for (const track of this.#stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.#context?.close();
    this.#stream = this.#context = this.#meter = null;
  }

  mute(muted) {
    this.#muted = muted;
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  resume() {
    return this.#context?.resume();
  }

  get open() {
    return this.#context !== null;
  }
  get running() {
    return this.#context?.state === "running";
  }
  get muted() {
    return this.#muted;
  }
  get level() {
    return this.#muted ? 0 : (this.#meter?.level ?? 0);
  }
  get scope() {
    return this.#meter?.scope ?? QUIET;
  }
}

const HEARD_S = 60;

/**
 * The loudspeaker: 24 kHz mono sound, item after item.
 *
 * onstarted(item, at), onprogress(item, ms), onheld(item, ms), onended(item), onunderrun(item); onrendered(samples, at): everything
 * that sounded, in blocks of 50 ms with silence included. `at`: performance.now() of the first (of a block: the last) sample at the
 * ear.
 */
export class Player {
  #context = null;
  #node = null;
  #meter = null;
  #waiting = []; // messages from before the worklet was there
  #items = new Map(); // id -> {pushed, played: samples, arrived: whether all that was played has reached the ear}
  #playing = null; // {item, frame, played, held}: the last report
  #clears = new Map();
  #clearNumber = 0;
  #heard = new Float32Array(HEARD_S * RATE);
  #heardEnd = 0; // samples ever written
  #heardAt = 0; // performance.now() of the last one

  constructor(handlers = {}) {
    const none = () => {};
    const { onstarted = none, onprogress = none, onheld = none, onended = none, onunderrun = none } = handlers;
    const { onrendered = none, onstate = none } = handlers;
    Object.assign(this, { onstarted, onprogress, onheld, onended, onunderrun, onrendered, onstate });
  }

  /** Call it from a tap or a key: browsers start no sound otherwise. */
  async resume() {
    if (!this.#context) {
      if (!window.isSecureContext) throw new Problem("insecure-origin"); // worklets exist in secure contexts only
      this.#context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
      this.#context.onstatechange = () => this.onstate(this.#context.state);
      this.#ready = this.#build(this.#context);
    }
    const running = this.#context.resume();
    try {
      await this.#ready;
    } catch (error) {
      this.close();
      throw new Problem("offline", error.message); // the worklet could not be fetched
    }
    await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 500))]);
    return this.running;
  }
  #ready = null;

  async #build(context) {
    await context.audioWorklet.addModule(new URL("playback-worklet.js", import.meta.url));
    this.#node = new AudioWorkletNode(context, "voicechat-playback", { numberOfInputs: 0, outputChannelCount: [1] });
    this.#node.port.onmessage = ({ data }) => this.#receive(data);
    this.#meter = new Meter(context);
    this.#node.connect(this.#meter.analyser);
    this.#node.connect(context.destination);
    for (const [message, transfer] of this.#waiting.splice(0)) this.#node.port.postMessage(message, transfer);
  }

  play(item, samples) {
    const known = this.#items.get(item) ?? { pushed: 0, played: 0 };
    known.pushed += samples.length;
    this.#items.set(item, known);
    if (this.#items.size > 50) this.#items.delete(this.#items.keys().next().value);
    this.#post({ push: samples, item }, [samples.buffer]);
  }

  /** The item has been given whole: when it has sounded, onended is called. */
  finish(item) {
    this.#post({ end: item });
  }

  /**
   * How loud the item is from now on, 0..1, if it is the one that sounds; every other begins at 1. At 0 it falls silent within
   * 10 ms and is held: with more gain it goes on at the very next sample.
   */
  gain(item, gain) {
    this.#post({ gain, item });
  }

  /** Silence within 10 ms. Tells what had reached the ear: {itemId, playedMs, dropped: ids that never sounded}. */
  clear() {
    const number = ++this.#clearNumber;
    const last = this.#playing?.item ?? null;
    const answered = new Promise((resolve) => this.#clears.set(number, resolve));
    this.#post({ clear: number });
    const late = new Promise((resolve) => setTimeout(resolve, 150, null)); // a suspended context answers nothing
    return Promise.race([answered, late]).then((told) => {
      this.#clears.delete(number);
      const item = told ? told.item : last;
      this.#playing = null;
      return { itemId: item, playedMs: item === null ? 0 : this.playedMs(item), dropped: told?.dropped ?? [] };
    });
  }

  /** How much of the item has reached the ear. */
  playedMs(item) {
    const known = this.#items.get(item);
    if (!known) return 0;
    let rendered = known.played;
    let late = known.arrived ? 0 : this.latency * RATE;
    if (this.#playing?.item === item) {
      const since = Math.max(0, this.#context.currentTime * RATE - this.#playing.frame);
      if (this.#playing.held) late = Math.max(0, late - since);
      else rendered = Math.min(known.pushed, this.#playing.played + since);
    }
    return Math.max(0, (rendered - late) / (RATE / 1000));
  }

  #receive(data) {
    if (data.rendered) {
      this.#remember(data);
      if (data.item === null) return;
      this.#know(data.item, data.played);
      const { item, end: frame, played, queued, held } = data;
      if (!held) this.#playing = queued ? { item, frame, played } : null;
      this.onprogress(data.item, this.playedMs(data.item));
    } else if (data.started !== undefined) {
      this.#playing = { item: data.started, frame: data.frame, played: 0 };
      this.onstarted(data.started, whenFrame(this.#context, data.frame) + this.latency * 1000);
    } else if (data.holds !== undefined) {
      const { holds: item, frame, played } = data;
      this.#know(item, played);
      this.#playing = { item, frame, played, held: true };
      this.onheld(item, this.playedMs(item));
    } else if (data.ended !== undefined) {
      this.#know(data.ended, data.played, true);
      this.#playing = null;
      this.onended(data.ended);
    } else if (data.underrun !== undefined) {
      this.#playing = null;
      this.onunderrun(data.underrun);
    } else if (data.cleared !== undefined) {
      if (data.item !== null) this.#know(data.item, data.played, data.held);
      this.#playing = null;
      this.#clears.get(data.cleared)?.(data);
    }
  }

  #know(item, played, arrived = false) {
    const known = this.#items.get(item) ?? { pushed: played };
    this.#items.set(item, Object.assign(known, { played, arrived }));
  }

  #remember({ rendered, end }) {
    const at = whenFrame(this.#context, end) + this.latency * 1000;
    for (const sample of rendered) this.#heard[this.#heardEnd++ % this.#heard.length] = sample;
    this.#heardAt = at;
    this.onrendered(rendered, at);
  }

  #post(message, transfer = []) {
    if (this.#node) this.#node.port.postMessage(message, transfer);
    else if (message.clear === undefined) this.#waiting.push([message, transfer]);
    else this.#waiting = [];
  }

  /** The last minute as it sounded: {samples, rate, end: performance.now() of the last one}; sample i at end - (n-1-i)/24 ms. */
  get heard() {
    const count = Math.min(this.#heardEnd, this.#heard.length);
    const samples = new Float32Array(count);
    for (let i = 0; i < count; i++) samples[i] = this.#heard[(this.#heardEnd - count + i) % this.#heard.length];
    return { samples, rate: RATE, end: this.#heardAt };
  }

  /** Seconds between rendering a sample and hearing it; Bluetooth makes it large. */
  get latency() {
    return Math.min(0.5, (this.#context?.baseLatency || 0) + (this.#context?.outputLatency || 0));
  }
  get running() {
    return this.#context?.state === "running";
  }
  get level() {
    return this.#meter?.level ?? 0;
  }
  get scope() {
    return this.#meter?.scope ?? QUIET;
  }

  close() {
    this.#context?.close();
    this.#context = this.#node = this.#meter = this.#playing = null;
    this.#waiting = [];
  }
}
