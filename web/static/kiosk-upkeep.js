// What keeps a page alive for weeks: the screen stays on, the server is there, the page is the newest one.

const PULSE_MS = 10000;
const PULSE_PATIENCE_MS = 5000;
const RENEWALS_MS = 600000; // between two of them, at least
const AGE_MS = 12 * 3600000; // browsers that run for weeks grow

let lock = null;

/** Again and again: the browser takes it back whenever the page is hidden. */
export async function keepScreenOn() {
  if (lock || document.visibilityState !== "visible") return;
  lock = (await navigator.wakeLock?.request("screen").catch(() => null)) ?? null;
  lock?.addEventListener("release", () => (lock = null));
}

/** Calls dead() when the server has not answered twice. A frozen server keeps its connections open. */
export function feelPulse(dead) {
  let missed = 0;
  setInterval(async () => {
    const signal = AbortSignal.timeout(PULSE_PATIENCE_MS);
    const alive = await fetch(new URL("../healthz", import.meta.url), { cache: "no-store", signal }).catch(() => null);
    missed = alive ? 0 : missed + 1;
    if (missed === 2) dead();
  }, PULSE_MS);
}

const own = new URL("./", import.meta.url).href;
const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
const files = new Set(loaded.filter((name) => name.startsWith(own)));
for (const name of ["capture-worklet.js", "playback-worklet.js"]) files.add(own + name); // come later

/** What this page was made of, as the server has it now: a string, or null when it cannot say. */
async function version() {
  try {
    const page = await fetch(location.pathname, { cache: "no-store" });
    const heads = await Promise.all([...files].map((file) => fetch(file, { method: "HEAD", cache: "no-store" })));
    if (![page, ...heads].every(({ ok }) => ok)) return null;
    return [page, ...heads].map(({ url, headers }) => `${url} ${headers.get("etag")}`).join("\n");
  } catch {
    return null;
  }
}

const first = version();

/** Loads the page again if the server has another one, or if it is old; at most every ten minutes. */
export async function renew() {
  const [before, now] = [await first, await version()];
  const changed = before !== now; // also if the server went before it had said what this page was made of
  const renewed = Number(sessionStorage.getItem("kiosk.renewed") ?? 0);
  if (now === null || !(changed || performance.now() > AGE_MS) || Date.now() - renewed < RENEWALS_MS) return;
  sessionStorage.setItem("kiosk.renewed", Date.now());
  location.replace(window.comeBack.address());
}

/** What is thrown forgives itself a few times; then the page is loaded again. */
export class Patience {
  #times = [];

  /** Whether it may be tried once more without that. */
  left() {
    const now = performance.now();
    this.#times = [...this.#times.filter((time) => now - time < 60000), now];
    return this.#times.length <= 3;
  }
}
