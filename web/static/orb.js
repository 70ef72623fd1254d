// Both voices as one figure: a disc and inner ring for the answer, an outer ring for the user.

const POINTS = 180;
const FRAME_MS = 30;

export class Orb {
  #user = new Float32Array(POINTS);
  #answer = new Float32Array(POINTS);
  #wave = new Float32Array(POINTS / 2 + 1);
  #smooth = new Float32Array(POINTS / 2 + 1);
  #levels = { user: 0, answer: 0 };
  #glow = 0; // of the disc, follows the state
  #then = 0;

  constructor(canvas, conversation) {
    Object.assign(this, { canvas, conversation, context: canvas.getContext("2d") });
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#dress());
    new ResizeObserver(() => this.#dress()).observe(canvas.parentElement);
    conversation.addEventListener("levels", ({ detail }) => (this.targets = detail));
    this.targets = { user: 0, answer: 0 };
    this.#dress();
    const loop = (now) => {
      if (now - this.#then > FRAME_MS) this.#frame(now);
      requestAnimationFrame(loop);
    };
    requestAnimationFrame(loop);
  }

  #dress() {
    const style = getComputedStyle(this.canvas);
    this.accent = style.getPropertyValue("--vc-accent").trim();
    this.ink = style.getPropertyValue("--vc-ink").trim();
    this.faint = style.getPropertyValue("--vc-ring").trim();
    const size = Math.min(this.canvas.parentElement.clientWidth, this.canvas.parentElement.clientHeight);
    this.size = size;
    this.canvas.width = this.canvas.height = Math.round(size * devicePixelRatio);
    Object.assign(this.canvas.style, { width: `${size}px`, height: `${size}px` });
    this.still = false;
  }

  #frame(now) {
    const state = this.conversation.state;
    if (state === "off" && this.still) return; // nothing moves
    this.#then = now;
    const quiet = state === "off" ? { user: 0, answer: 0 } : this.targets;
    for (const kind of ["user", "answer"]) this.#levels[kind] += (quiet[kind] - this.#levels[kind]) * 0.3;
    const glow = { off: 0.35, speaking: 1, hearing: 0.5, thinking: 0.65 }[state] ?? 0.5;
    this.#glow += (glow - this.#glow) * 0.12;
    this.#follow(this.#user, "user");
    this.#follow(this.#answer, "answer");
    this.still = state === "off" && Math.abs(glow - this.#glow) < 0.01 && this.#levels.answer < 0.01;
    this.#draw(state, now);
  }

  /** The waveform, mirrored left and right so that the ring closes, smoothed in place and time. */
  #follow(ring, kind) {
    const scope = this.conversation.scope(kind);
    const half = POINTS / 2;
    const wave = this.#wave.fill(0);
    if (!this.calm.matches) for (let i = 0; i <= half; i++) for (let k = 0; k < 10; k++) wave[i] += scope[i * 10 + k] / 10;
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i <= half; i++) {
        let sum = 0;
        for (let k = -6; k <= 6; k++) sum += wave[Math.abs(i + k) > half ? 2 * half - i - k : Math.abs(i + k)];
        this.#smooth[i] = sum / 13;
      }
      wave.set(this.#smooth);
    }
    for (let i = 0; i <= half; i++) {
      ring[i] += (Math.tanh(wave[i] * 60) * this.#levels[kind] - ring[i]) * 0.35;
      ring[(POINTS - i) % POINTS] = ring[i];
    }
  }

  #draw(state, now) {
    const { context, size } = this;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, size, size);
    context.translate(size / 2, size / 2);
    const base = size * 0.3 * (1 + 0.1 * this.#levels.answer);
    const disc = context.createLinearGradient(0, -base, 0, base);
    disc.addColorStop(0, this.#tint(0.12 + 0.6 * this.#glow));
    disc.addColorStop(1, this.#tint(0.03 + 0.2 * this.#glow));
    this.#ring(this.#answer, base, size * 0.045);
    context.fillStyle = disc;
    context.fill();
    context.strokeStyle = this.#tint(0.35 + 0.65 * this.#glow);
    context.lineWidth = 1.5;
    context.stroke();

    const outer = size * 0.4;
    this.#ring(this.#user, outer + size * 0.02 * this.#levels.user, size * 0.055);
    context.strokeStyle = state === "hearing" ? this.ink : this.faint;
    context.lineWidth = state === "hearing" ? 1.5 + this.#levels.user : 1.25;
    context.stroke();
    if (state === "thinking" || state === "connecting" || state === "reconnecting") this.#seek(outer, now);
  }

  #ring(wave, radius, depth) {
    const { context } = this;
    context.beginPath();
    for (let i = 0; i < POINTS; i++) {
      const angle = (2 * Math.PI * i) / POINTS - Math.PI / 2;
      const r = radius + wave[i] * depth;
      context.lineTo(Math.cos(angle) * r, Math.sin(angle) * r);
    }
    context.closePath();
  }

  /** An arc that goes round: something is being looked for. */
  #seek(radius, now) {
    const { context } = this;
    const at = this.calm.matches ? -Math.PI / 2 : (now / 1000) * 2.2;
    for (let i = 0; i < 24; i++) {
      context.beginPath();
      context.arc(0, 0, radius, at + i * 0.05, at + (i + 1.2) * 0.05);
      context.strokeStyle = this.#tint((i / 24) ** 2);
      context.lineWidth = 2.5;
      context.stroke();
    }
  }

  #tint(alpha) {
    return this.accent + Math.round(alpha * 255).toString(16).padStart(2, "0"); // the accent is #rrggbb
  }
}
