// The cookie is gone or not believed any more: the page is loaded again, which makes its reader a visitor anew.
// What was not sent yet is kept (outbox.js) and goes out then. Once in a while only: with cookies switched off it would
// go on for ever.

const KEY = "switchboard.renewed";
const PAUSE_MS = 15_000;

/** Load the page again and return true, or return false: that was tried a moment ago. */
export function renewVisit() {
  let last = 0;
  try {
    last = Number(sessionStorage.getItem(KEY) ?? 0);
    sessionStorage.setItem(KEY, String(Date.now()));
  } catch {
    // No storage is given to a page without cookies either: loading again would not help.
    return false;
  }
  if (Date.now() - last < PAUSE_MS) return false;
  location.reload();
  return true;
}
