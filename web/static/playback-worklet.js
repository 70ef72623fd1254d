// The loudspeaker's queue. It alone knows which sample of which item sounds.
//
// in:  {push: Float32Array, item}   more of an item
//      {end: item}                  the item has been pushed whole
//      {gain: 0..1, item}           how loud, if it is the item that sounds; at 0 it is held: it keeps its place
//      {clear: number}              fall silent; answered by `cleared` with the same number
// out: {rendered, end, item, played, queued, held, level}   what sounded, every 50 ms, silence included
//      {started: item, frame} {ended: item, played} {holds: item, frame, played} {underrun: item} {overflow: item}
//      {cleared: number, item, played, held, dropped}   dropped: items that never sounded

const FADE = 128; // one quantum: 5 ms at 24 kHz, so that a cut does not click
const LOUD = Math.round(sampleRate * 0.01); // the gain is this many steps, one a sample: 10 ms for all of them
const REPORT = Math.round(sampleRate * 0.05);
const REFILL = Math.round(sampleRate * 0.06); // waits for this much after it ran dry
const MOST = sampleRate * 600;

class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    this.queue = []; // {item, samples, at}
    this.queued = 0; // samples
    this.item = null; // what sounds, or sounded last and has not ended
    this.played = 0; // samples of it
    this.ended = new Set(); // items that have been pushed whole
    this.dry = false;
    this.level = LOUD; // steps
    this.target = LOUD; // 0: held, or about to be
    this.held = false;
    this.clearing = null;
    this.later = []; // messages that came after a clear, and before it was done
    this.report = new Float32Array(REPORT);
    this.filled = 0;
    this.port.onmessage = ({ data }) => this.receive(data);
  }

  receive(message) {
    if (this.clearing !== null) {
      this.later.push(message);
    } else if (message.push) {
      if (this.queued + message.push.length > MOST) return this.port.postMessage({ overflow: message.item });
      this.queue.push({ item: message.item, samples: message.push, at: 0 });
      this.queued += message.push.length;
    } else if (message.end !== undefined) {
      this.ended.add(message.end);
    } else if (message.gain !== undefined) {
      if (message.item === this.item) this.turn(Math.round(message.gain * LOUD));
    } else if (message.clear !== undefined) {
      this.clearing = message.clear;
    }
  }

  process(_, [output]) {
    const out = output[0];
    const wanted = this.target ? out.length : Math.min(this.level, out.length); // no more than fades out
    const rendered = this.waiting() ? 0 : this.render(out.subarray(0, wanted));
    if (this.clearing !== null) this.clear(out, rendered);
    else if (!this.target) this.hold(rendered, rendered < wanted);
    else this.settle(rendered < out.length);
    for (const channel of output.slice(1)) channel.set(out);
    this.remember(out);
    return true;
  }

  /** After running dry: a little is gathered first, so that it does not stutter. */
  waiting() {
    if (this.dry && (this.queued >= REFILL || this.ended.has(this.queue[0]?.item))) this.dry = false;
    return this.dry;
  }

  render(out) {
    let written = 0;
    while (written < out.length && this.queue.length) {
      const head = this.queue[0];
      if (head.item !== this.item) {
        if (!this.target) break; // nothing begins behind an answer that is held
        if (this.item !== null) this.finish();
        this.item = head.item;
        this.played = 0;
        this.level = this.target = LOUD;
        this.port.postMessage({ started: head.item, frame: currentFrame + written });
      }
      const count = Math.min(out.length - written, head.samples.length - head.at);
      out.set(head.samples.subarray(head.at, head.at + count), written);
      this.shape(out, written, written + count);
      head.at += count;
      written += count;
      this.played += count;
      this.queued -= count;
      if (head.at === head.samples.length) this.queue.shift();
    }
    return written;
  }

  turn(target) {
    this.target = target;
    if (target) this.held = false;
  }

  shape(out, from, to) {
    if (this.level === LOUD && this.target === LOUD) return;
    for (let i = from; i < to; i++) {
      this.level += Math.sign(this.target - this.level);
      out[i] *= this.level / LOUD;
    }
  }

  /** Once it has faded, or has run dry on the way, it stands still. */
  hold(rendered, short) {
    if (short) this.level = 0;
    if (this.held || this.level) return;
    this.held = true;
    this.port.postMessage({ holds: this.item, frame: currentFrame + rendered, played: this.played });
  }

  /** The queue may have run out: the item is over, or late. */
  settle(short) {
    if (this.item === null || this.queue.length) return;
    if (this.ended.has(this.item)) {
      this.finish();
    } else if (short && !this.dry) {
      this.dry = true;
      this.port.postMessage({ underrun: this.item });
    }
  }

  finish() {
    this.port.postMessage({ ended: this.item, played: this.played });
    this.ended.delete(this.item);
    this.item = null;
    this.dry = false;
  }

  clear(out, rendered) {
    for (let i = 0; i < rendered; i++) out[i] *= Math.max(0, 1 - i / Math.min(FADE, out.length));
    const dropped = [...new Set(this.queue.map((piece) => piece.item))].filter((item) => item !== this.item);
    const { clearing: cleared, item, played, held } = this;
    this.port.postMessage({ cleared, item, played, held, dropped });
    this.queue = [];
    this.queued = 0;
    this.ended.clear();
    this.item = null;
    this.dry = false;
    this.turn(LOUD);
    this.clearing = null;
    for (const message of this.later.splice(0)) this.receive(message);
  }

  remember(out) {
    for (let i = 0; i < out.length; i++) {
      this.report[this.filled++] = out[i];
      if (this.filled < REPORT) continue;
      let energy = 0;
      for (const sample of this.report) energy += sample * sample;
      const { report: rendered, item, played, queued, held } = this;
      const level = Math.sqrt(energy / REPORT);
      const end = currentFrame + i + 1;
      this.port.postMessage({ rendered, end, item, played, queued, held, level }, [rendered.buffer]);
      this.report = new Float32Array(REPORT);
      this.filled = 0;
    }
  }
}

registerProcessor("voicechat-playback", Playback);
