// What the kiosk shows. Which screen that is, is decided in kiosk.js.

import { LINES } from "./kiosk-lines.js";

const EXAMPLE_MS = 7000;
const FADE_MS = 800;
const NAMES = (
  "title figure push invite how example status captions question answer line setup notice patience"
).split(" ");

export class Screen {
  #elements = Object.fromEntries(NAMES.map((name) => [name, document.getElementById(name)]));
  #asked = null; // item of the question that is shown
  #answered = null; // item of the answer that is shown
  #answers = null; // the question that it answers

  constructor({ lang, theme, title, invite, examples, attract }) {
    this.lines = LINES[lang];
    this.attract = attract;
    Object.assign(document.documentElement, { lang });
    document.documentElement.dataset.theme = theme;
    document.body.dataset.attract = attract;
    const { lines } = this;
    if (title) document.title = title;
    this.#write("title", title ?? "");
    this.#write("invite", invite ?? lines.invite);
    this.#write("how", lines.how[attract]);
    this.#write("notice", lines.notice[attract]);
    this.#write("line", lines.back);
    this.#turnExamples(examples ?? lines.examples);
    lock();
  }

  get button() {
    return this.#elements.push;
  }

  /** screen: attract, talk or pause. `left`: of the silence after which the visitor is forgotten, 1..0. */
  show(screen, state, { line, status, setup, push = "rest", left = 1 }) {
    const { body } = document;
    if (body.dataset.screen !== screen) body.dataset.screen = screen;
    if (body.dataset.state !== state) body.dataset.state = state;
    if (line) this.#write("line", this.lines[line]);
    this.#write("setup", setup ?? "");
    this.#write("status", this.lines[status] ?? "");
    this.#elements.push.hidden = this.attract !== "push" || screen === "pause";
    this.#elements.push.dataset.push = push;
    this.#write("push", this.lines.push[push]);
    this.#elements.patience.style.setProperty("--left", left);
  }

  caption({ role, id, text, final, removed }) {
    const { answer, captions } = this.#elements;
    if (role === "assistant") {
      if (id !== this.#answered) answer.replaceChildren();
      if (id !== this.#answered) this.#answers = this.#asked;
      this.#answered = id;
      answer.classList.remove("past");
      this.#speak(text);
    } else if (removed) {
      if (id === this.#asked) this.#write("question", "");
    } else {
      if (id !== this.#asked && !final) answer.classList.add("past");
      if (id !== this.#asked) this.#write("question", "");
      this.#asked = id;
      if (!text) return;
      this.#write("question", text);
      if (this.#answers !== id) answer.replaceChildren();
    }
    captions.classList.toggle("long", captions.scrollHeight > captions.clientHeight);
    captions.scrollTo({ top: captions.scrollHeight });
  }

  /** Nothing of a visitor stays. */
  forget() {
    const { question, answer } = this.#elements;
    question.replaceChildren();
    answer.replaceChildren();
    answer.classList.remove("past");
    this.#asked = this.#answered = this.#answers = null;
  }

  /** New words are added behind the old ones: they fade in, and are read out once. */
  #speak(text) {
    const { answer } = this.#elements;
    if (!text.startsWith(answer.textContent)) answer.replaceChildren();
    for (const word of text.slice(answer.textContent.length).match(/\s*\S+\s*$|\s*\S+/g) ?? []) {
      const span = document.createElement("span");
      span.textContent = word;
      answer.append(span);
    }
  }

  #write(name, text) {
    const element = this.#elements[name];
    if (element.textContent !== text) element.textContent = text;
  }

  #turnExamples(examples) {
    const { example } = this.#elements;
    const [open, close] = this.lines.quotes;
    let at = 0;
    const next = () => {
      this.#write("example", open + examples[at++ % examples.length] + close);
      example.classList.remove("gone");
    };
    next();
    if (examples.length === 1) return;
    setInterval(() => {
      example.classList.add("gone");
      setTimeout(next, FADE_MS);
    }, EXAMPLE_MS);
  }
}

/** Nobody gets out of it, or into the browser's own menus, by touching. */
function lock() {
  const stop = (event) => event.preventDefault();
  for (const kind of ["contextmenu", "dragstart", "drop", "dragover", "selectstart", "gesturestart", "copy"]) {
    addEventListener(kind, stop);
  }
  addEventListener("wheel", (event) => event.ctrlKey && stop(event), { passive: false });
  addEventListener("touchmove", (event) => event.touches.length > 1 && stop(event), { passive: false });
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && ["+", "-", "=", "0", "p", "s", "f", "u"].includes(event.key)) stop(event);
    if (["Tab", "Backspace", "F1", "F3", "F7", "ContextMenu"].includes(event.key)) stop(event);
  });
}
