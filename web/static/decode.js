// Recordings that are dropped on the page: the server decodes them, so that every browser takes the same formats.

import { mono, RATE } from "./pcm.js";
import { Problem, said } from "./problems.js";

const LARGEST = 32 * 2 ** 20; // bytes; the server takes no more
const BUSY_MS = 5000; // others' recordings are being read
const TRIES = 4;

/** A file or an AudioBuffer -> mono Float32 at 24 kHz. Throws Problem. */
export async function decode(sound, name) {
  if (sound instanceof AudioBuffer) return mono(sound);
  if (sound.size > LARGEST) {
    const message = `${name} has ${(sound.size / 2 ** 20).toFixed(0)} MB.`;
    throw new Problem("clip", "", message, `Attach at most ${LARGEST / 2 ** 20} MB: cut it, or save it as MP3, first.`);
  }
  const door = new URL("../clips", import.meta.url);
  door.search = new URLSearchParams({ name });
  for (let tries = 1; ; tries++) {
    const answer = await fetch(door, { method: "POST", body: sound }).catch((error) => {
      throw new Problem("offline", error.message);
    });
    if (answer.ok) return Float32Array.from(new Int16Array(await answer.arrayBuffer()), (s) => s / 32768);
    if (answer.status === 503 && tries < TRIES) await new Promise((resume) => setTimeout(resume, BUSY_MS));
    else throw refusal(answer.status, (await answer.text()).trim(), name);
  }
}

function refusal(status, told, name) {
  if (status === 401) return new Problem("token", told);
  if (status !== 422 && status !== 413) return new Problem("clip", told, `${name} could not be sent.`, "Try it again in a while.");
  if (/cannot be read as audio/.test(told)) return new Problem("clip", told, `${name} could not be read as sound.`);
  return said("clip", told);
}
