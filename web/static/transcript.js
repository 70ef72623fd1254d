// What was said, line by line, and how long each answer was waited for.

const FULL_MS = 1500; // the whole width of a latency strip

function make(tag, name, text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}

export class Transcript {
  #lines = new Map(); // item -> li

  /** `scroll` holds `list`; `live` is read to those who do not see. */
  constructor({ scroll, list, live, empty }) {
    Object.assign(this, { scroll, list, live, empty });
  }

  caption({ role, id, text, final, interrupted, unheard, removed }) {
    if (removed) return this.#remove(id);
    const line = this.#line(id, role, role === "user" ? "You" : "Answer");
    const said = line.querySelector(".said");
    const wordless = final && role === "user" && !line.querySelector(".clip");
    said.textContent = text || (wordless ? "(not understood as words)" : "");
    line.classList.toggle("pending", !final && !text);
    line.querySelector(".unheard").textContent = unheard;
    line.querySelector(".cut").textContent = interrupted ? "interrupted" : "";
    if (final && text) {
      const after = interrupted ? ", interrupted" : "";
      this.live.textContent = `${role === "user" ? "You" : "Answer"}: ${text}${after}`;
    }
    this.#follow();
  }

  turn({ id, voice_to_voice_ms, timing, typed }) {
    const line = this.#lines.get(id);
    if (!line || voice_to_voice_ms === null) return;
    line.querySelector(".latency").replaceChildren(...strip(voice_to_voice_ms, timing ?? {}, typed));
    this.#follow();
  }

  /** A card above the words, which come when the clip has been listened to. */
  clip(id, card) {
    const line = this.#line(id, "user", "You");
    line.querySelector(".text").before(card);
    this.#follow();
  }

  reset() {
    this.#lines.clear();
    this.list.replaceChildren();
    this.live.textContent = "";
    this.empty.hidden = false;
  }

  #line(id, role, who) {
    if (this.#lines.has(id)) return this.#lines.get(id);
    const line = make("li", `line ${role}`);
    const text = make("p", "text");
    text.append(make("span", "said"), make("del", "unheard"), make("span", "cut"));
    line.append(make("span", "who", who), text, make("div", "latency"));
    this.#lines.set(id, line);
    this.list.append(line);
    this.empty.hidden = true;
    return line;
  }

  #remove(id) {
    this.#lines.get(id)?.remove();
    this.#lines.delete(id);
    this.empty.hidden = this.#lines.size > 0;
  }

  /** Stay at the end, unless somebody reads further up. */
  #follow() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroll;
    if (scrollHeight - scrollTop - clientHeight < 160) this.scroll.scrollTop = scrollHeight;
  }
}

/** Segments and the number; in words for screen readers and the pointer. An answer that was ready when the turn ended took no time. */
function strip(total, { speech_end_ms, first_token_ms, first_audio_ms }, typed) {
  const parts = [
    ["decided", speech_end_ms, "to be sure that you had finished"],
    ["token", first_token_ms, "to the first word"],
    ["sound", first_audio_ms - (first_token_ms ?? 0), "to its sound"],
  ].filter(([, ms]) => ms >= 1);
  const known = parts.reduce((sum, [, ms]) => sum + ms, 0);
  const rest = total - known;
  if (rest >= 1) parts.push(["rest", rest, parts.length ? "network and loudspeaker" : "in all"]);
  const spent = parts.map(([, ms, what]) => `${Math.round(ms)} ms ${what}`);
  if (first_audio_ms === 0) spent.splice(1, 0, "the answer was ready by then");
  const words = spent.join(", ");
  const from = typed ? "sending" : "your last word";
  const bar = make("div", "bar");
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", `${total} ms from ${from} to the first sound: ${words}`);
  bar.title = words;
  for (const [name, ms] of parts) {
    const segment = make("span", name);
    segment.style.width = `${(100 * ms) / Math.max(FULL_MS, total, known)}%`;
    bar.append(segment);
  }
  return [make("span", "ms", `${total} ms`), bar];
}
