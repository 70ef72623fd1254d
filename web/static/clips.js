// Sound clips: dropped anywhere on the page, drawn, played back, and kept for the next question.

/** A card with the clip's waveform, a play button, and where it is in playing. */
export function card({ name, seconds, peaks }, file) {
  const element = document.createElement("div");
  element.className = "clip";
  const audio = new Audio(URL.createObjectURL(file));
  const button = Object.assign(document.createElement("button"), { type: "button", className: "icon" });
  const label = (verb, path) => {
    button.setAttribute("aria-label", `${verb} ${name}`);
    button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path class="solid" d="${path}" /></svg>`;
  };
  const idle = () => label("Play", "M8 5.5v13l11-6.5z");
  idle();
  button.onclick = () => (audio.paused ? audio.play() : audio.pause());
  audio.onplay = () => label("Pause", "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z");
  audio.onpause = audio.onended = idle;
  const wave = draw(peaks);
  audio.ontimeupdate = () => wave.style.setProperty("--at", audio.currentTime / (audio.duration || seconds));
  const text = document.createElement("p");
  text.append(Object.assign(document.createElement("span"), { className: "name", textContent: name }));
  text.append(Object.assign(document.createElement("span"), { className: "length", textContent: `${seconds.toFixed(1)} s` }));
  element.append(button, wave, text);
  return element;
}

/** Clips that came back and wait for the next question; each can be taken out. */
export class Tray {
  #cards = new Map(); // file -> its card

  constructor(element) {
    this.element = element;
  }

  /** A card that was shown elsewhere. */
  add(card, file) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "icon remove" });
    button.setAttribute("aria-label", `Take out ${file.name}`);
    button.innerHTML = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 6l12 12M18 6L6 18" /></svg>';
    button.onclick = () => this.#remove(file);
    card.append(button);
    this.#cards.set(file, card);
    this.element.append(card);
    this.element.hidden = false;
  }

  /** The files; they are here no more. */
  take() {
    const files = [...this.#cards.keys()];
    for (const file of files) this.#remove(file);
    return files;
  }

  #remove(file) {
    this.#cards.get(file)?.remove();
    this.#cards.delete(file);
    this.element.hidden = this.#cards.size === 0;
  }
}

function draw(peaks) {
  const most = Math.max(0.05, ...peaks);
  const bars = peaks.map((peak, i) => {
    const half = Math.max(0.6, (peak / most) * 15);
    return `M${i * 3 + 1.5} ${16 - half}v${2 * half}`;
  });
  const wave = document.createElement("div");
  wave.className = "wave";
  const svg = `<svg viewBox="0 0 ${peaks.length * 3} 32" preserveAspectRatio="none" aria-hidden="true"><path d="${bars.join("")}" /></svg>`;
  wave.innerHTML = svg + svg; // the second one is the part that has been played
  return wave;
}

/** Files dropped anywhere, and `onfiles` for them. `veil` is shown while something is dragged over the page. */
export function acceptDrops(veil, onfiles) {
  let depth = 0;
  const show = (shown) => (veil.hidden = !shown);
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (!holdsFiles(event)) return;
    depth++;
    show(true);
  });
  addEventListener("dragleave", (event) => {
    if (holdsFiles(event) && --depth <= 0) show((depth = 0));
  });
  addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    show((depth = 0));
    onfiles([...event.dataTransfer.files]);
  });
}
