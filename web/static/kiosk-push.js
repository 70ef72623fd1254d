// The button that is held while one speaks: on the screen, on the keyboard, or a real one that types a key.

const TAP_MS = 400; // shorter was a tap: it goes on until the next one
const LATCHED_MS = 15000;
const HELD_MS = 45000; // something leans on the button

/** Calls press() and release(), always in turn; press() may refuse with false. changed(): `state` is another. */
export class PushButton {
  #state = "rest"; // held, latched
  #pressedAt = 0;
  #limit = 0;

  constructor(button, key, { press, release, changed }) {
    Object.assign(this, { press, release, changed });
    button.addEventListener("pointerdown", (event) => {
      button.setPointerCapture(event.pointerId);
      this.#down();
    });
    for (const kind of ["pointerup", "pointercancel"]) button.addEventListener(kind, () => this.#up());
    const wanted = key.toLowerCase();
    const meant = ({ code, key }) => code.toLowerCase() === wanted || key.toLowerCase() === wanted;
    const listen = (kind, act) =>
      addEventListener(kind, (event) => {
        if (!meant(event)) return;
        event.preventDefault(); // also keeps Space from clicking the button
        if (!event.repeat) act();
      });
    listen("keydown", () => this.#down());
    listen("keyup", () => this.#up());
    addEventListener("blur", () => this.end());
  }

  get state() {
    return this.#state;
  }

  #become(state) {
    this.#state = state;
    this.changed();
  }

  /** Whoever held it has gone. */
  end() {
    clearTimeout(this.#limit);
    if (this.#state === "rest") return;
    this.#become("rest");
    this.release();
  }

  #down() {
    if (this.#state === "latched") return this.end();
    if (this.#state === "held" || this.press() === false) return;
    this.#become("held");
    this.#pressedAt = performance.now();
    this.#limit = setTimeout(() => this.end(), HELD_MS);
  }

  #up() {
    if (this.#state !== "held") return;
    if (performance.now() - this.#pressedAt > TAP_MS) return this.end();
    this.#become("latched");
    clearTimeout(this.#limit);
    this.#limit = setTimeout(() => this.end(), LATCHED_MS);
  }
}
