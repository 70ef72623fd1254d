// A voice by itself, so that it can be chosen by ear.

import { Problem } from "./problems.js";

const SENTENCE = "Good morning. Seven times eight is fifty-six, and a cello has four strings.";
const NUMBERS = "1, 2, 3, 4, 5, 6, 7."; // each language reads them in its own words

export class Sample {
  #playing = null; // AbortController

  constructor(conversation) {
    this.conversation = conversation;
  }

  /** A button's work: a sentence in that voice; pressed again meanwhile, it stops. */
  async hear(voice, button) {
    if (this.#playing) return this.#playing.abort();
    const stopped = (this.#playing = new AbortController());
    const { conversation } = this;
    const unmuted = conversation.state !== "off" && !conversation.muted;
    button.textContent = "Stop";
    if (unmuted) conversation.setMuted(true); // it would be taken for speech
    try {
      await play(await spoken(voice, stopped.signal), stopped.signal);
    } catch (problem) {
      const told = problem instanceof Problem ? problem : new Problem("audio-tap-needed", problem.message);
      if (!stopped.signal.aborted) conversation.dispatchEvent(new CustomEvent("problem", { detail: told.event }));
    } finally {
      if (unmuted) conversation.setMuted(false);
      button.textContent = "Hear it";
      this.#playing = null;
    }
  }
}

async function spoken(voice, signal) {
  const input = /^espeak:(?!en)/.test(voice) ? NUMBERS : SENTENCE;
  const answer = await fetch(new URL("../v1/audio/speech", import.meta.url), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model: "voicechat", voice, input, response_format: "wav" }),
    signal,
  }).catch((error) => {
    throw new Problem("offline", error.message);
  });
  if (answer.ok) return answer.blob();
  if (answer.status === 401) throw new Problem("token");
  const told = await answer.json().catch(() => null);
  throw told ? new Problem("voice", told.error.message, sentence(told.error.message)) : new Problem("voice");
}

/** What is wrong, without what to do on a command line. */
const sentence = (line) => `${line[0].toUpperCase()}${line.slice(1).split(/[;:] /)[0]}.`;

/** Until it has been heard, or is stopped. */
function play(blob, signal) {
  const audio = new Audio(URL.createObjectURL(blob));
  return new Promise((resolve, reject) => {
    audio.onended = resolve;
    audio.onerror = () => reject(new Problem("voice"));
    signal.addEventListener("abort", () => (audio.pause(), resolve()));
    audio.play().catch(reject);
  }).finally(() => URL.revokeObjectURL(audio.src));
}
