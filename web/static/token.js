// The server's token: shown once, it is remembered in a cookie that no script can read.

import { Problem } from "./problems.js";

/** Resolves when the server has taken the token. Throws Problem. */
export async function showToken(token) {
  const body = new URLSearchParams({ token });
  const answer = await fetch(new URL("../token", import.meta.url), { method: "POST", body }).catch((error) => {
    throw new Problem("offline", error.message);
  });
  if (answer.ok) return;
  const wait = answer.headers.get("Retry-After");
  if (wait) throw new Problem("token", "", "Too many wrong tokens came from here.", `Wait ${wait} s, then try again.`);
  throw new Problem("token", "", "This token was not accepted.", "Check it and try again.");
}

/** A token behind the address's # has been used by now: nobody shall read it over a shoulder. */
export function hideToken() {
  if (/^#token=/.test(location.hash)) history.replaceState(null, "", location.pathname + location.search);
}
