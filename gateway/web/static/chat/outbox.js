// What the visitor said and the gateway has not acknowledged yet.
//
// Every message has an id of its own from the beginning, and is sent again under it until there is an answer: the
// gateway takes an id once, so a lost answer costs a repeat and never a double. Messages go one after the other, or a
// retried one would be overtaken. They survive a reload of their tab, and only of their tab.

const TIMEOUT_MS = 15_000;
const PAUSE_MS = 500;
const PAUSE_MAX_MS = 15_000;
const PERMANENT = new Set([400, 403, 404, 413, 422]);

export class Outbox {
  #url;
  #chat;
  #key;
  #items;
  #sending = false;
  #stopped = false;
  #attempts = 0;
  #timer = 0;
  #on;

  constructor({ url, chat, onState, onSent, onUnknownVisitor }) {
    this.#url = url;
    this.#chat = chat;
    this.#key = `switchboard.outbox:${url}:${chat}`;
    this.#on = { onState, onSent, onUnknownVisitor };
    this.#items = this.#load();
  }

  start() {
    addEventListener("online", () => this.flush());
    this.flush();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Keep a message ({text} or {tap}) and return it with its id. */
  add(body) {
    const item = { id: newId(), body, refused: "" };
    this.#items.push(item);
    this.#save();
    return item;
  }

  waiting() {
    return [...this.#items];
  }

  /** Try a refused message once more. */
  retry(item) {
    item.refused = "";
    this.#save();
    this.flush();
  }

  /** Give a refused message up. */
  discard(item) {
    this.#items = this.#items.filter((other) => other !== item);
    this.#save();
  }

  /** Send what waits, now. */
  async flush() {
    clearTimeout(this.#timer);
    if (this.#sending || this.#stopped) return;
    this.#sending = true;
    try {
      let item;
      while (!this.#stopped && (item = this.#items.find(({ refused }) => !refused)) && (await this.#deliver(item)));
    } finally {
      this.#sending = false;
    }
  }

  /** Send one message; return whether the next one may go. */
  async #deliver(item) {
    this.#on.onState(item, "sending");
    let response, answer;
    try {
      response = await fetch(this.#url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ id: item.id, chat: this.#chat, ...item.body }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      answer = await response.json();
    } catch {
      // No answer, or not all of it. It may have been taken: the same id again is harmless.
      return this.#later(item);
    }
    if (response.ok) {
      this.#attempts = 0;
      this.discard(item);
      this.#on.onSent(item, answer.seq);
      return true;
    }
    if (response.status === 401) {
      this.#on.onUnknownVisitor();
      return false;
    }
    if (PERMANENT.has(response.status)) {
      item.refused = answer.message ?? "It was not accepted.";
      this.#save();
      this.#on.onState(item, "refused", item.refused);
      return true;
    }
    return this.#later(item, Number(response.headers.get("Retry-After")) * 1000);
  }

  #later(item, atLeastMs = 0) {
    const pause = Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** Math.min(this.#attempts++, 10));
    // Jitter: pages that were refused together must not come back together.
    const ms = Math.max(atLeastMs || 0, pause / 2 + (pause / 2) * Math.random());
    this.#timer = setTimeout(() => this.flush(), ms);
    this.#on.onState(item, "waiting");
    return false;
  }

  #load() {
    try {
      return JSON.parse(sessionStorage.getItem(this.#key)) ?? [];
    } catch {
      return [];
    }
  }

  #save() {
    try {
      sessionStorage.setItem(this.#key, JSON.stringify(this.#items));
    } catch {
      // No storage, or it is full: then messages live as long as the page does.
    }
  }
}

function newId() {
  // Not randomUUID(), which browsers give to secure pages only, and a page on a local network may be plain HTTP.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
