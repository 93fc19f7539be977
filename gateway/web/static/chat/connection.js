// The stream of events, for as long as somebody looks at the page.
//
// Every connection asks for what came behind the last settled turn that is shown, so it does not matter when or why one
// ended. Reconnecting is done here and not by EventSource, which knows neither jitter nor a network that went silent,
// and gives up for good on the first refusal.

const NAMES = ["accepted", "preview", "turn", "ready", "beat", "displaced"];
const PAUSE_MS = 400;
const PAUSE_MAX_MS = 15_000;
const SILENT_BEATS = 2.5;
// A browser opens six connections to a host over HTTP/1.1: tabs that nobody looks at must not hold all of them.
const HIDDEN_MS = 20_000;

export class Connection {
  #url;
  #beatMs;
  #place;
  #on;
  #source = null;
  #attempts = 0;
  #retryTimer = 0;
  #silenceTimer = 0;
  #hiddenTimer = 0;
  #paused = false;
  #stopped = false;

  constructor({ url, beatMs, place, onEvent, onState, onUnknownVisitor }) {
    this.#url = url;
    this.#beatMs = beatMs;
    this.#place = place;
    this.#on = { onEvent, onState, onUnknownVisitor };
  }

  start() {
    document.addEventListener("visibilitychange", () => this.#visibility());
    addEventListener("focus", () => this.wake());
    addEventListener("online", () => this.#again(0));
    addEventListener("offline", () => this.#on.onState("offline"));
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", ({ persisted }) => persisted && this.#again(0));
    this.#open();
  }

  stop() {
    this.#stopped = true;
    this.#close();
  }

  /** Come back now if this tab had given its place to others. */
  wake() {
    if (this.#paused) this.#again(0);
  }

  #open() {
    this.#close();
    if (this.#stopped) return;
    this.#paused = false;
    const place = this.#place();
    const source = new EventSource(place === null ? this.#url : `${this.#url}&after=${place}`);
    this.#source = source;
    this.#alive(source);
    source.onopen = () => {
      this.#on.onState("open");
      this.#on.onEvent("opened");
    };
    source.onerror = () => this.#failed(source);
    for (const name of NAMES) {
      source.addEventListener(name, ({ data }) => {
        this.#alive(source);
        this.#heard(name, JSON.parse(data));
      });
    }
  }

  #heard(name, data) {
    if (name === "displaced") {
      this.#pause();
      this.#on.onState("displaced");
      return;
    }
    if (name === "ready") this.#attempts = 0;
    this.#on.onEvent(name, data);
  }

  async #failed(source) {
    // Closed: the gateway answered, and not with a stream. Otherwise the network failed, or the stream was ended.
    const refused = source.readyState === EventSource.CLOSED;
    this.#close();
    this.#on.onState(navigator.onLine ? "waiting" : "offline");
    const pause = Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** Math.min(this.#attempts++, 10));
    const jittered = pause / 2 + (pause / 2) * Math.random();
    const atLeast = refused ? await this.#refusal() : 0;
    // Meanwhile the network may have come back and brought a new stream.
    if (!this.#source) this.#again(Math.max(jittered, atLeast));
  }

  /** Ask why; return for how long to stay away. */
  async #refusal() {
    try {
      const answer = await fetch(this.#url, { method: "HEAD", signal: AbortSignal.timeout(10_000) });
      if (answer.status === 401) this.#on.onUnknownVisitor();
      // A proxy may give a date, which is no number: then the jittered pause is all there is.
      return Number(answer.headers.get("Retry-After")) * 1000 || 0;
    } catch {
      return 0;
    }
  }

  #again(afterMs) {
    if (this.#stopped) return;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#open(), afterMs);
  }

  #alive(source) {
    clearTimeout(this.#silenceTimer);
    this.#silenceTimer = setTimeout(() => this.#failed(source), this.#beatMs * SILENT_BEATS);
  }

  #visibility() {
    clearTimeout(this.#hiddenTimer);
    if (document.hidden) this.#hiddenTimer = setTimeout(() => this.#pause(), HIDDEN_MS);
    else if (this.#paused || !this.#source) this.#again(0);
  }

  #pause() {
    this.#close();
    this.#paused = true;
  }

  #close() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#silenceTimer);
    this.#source?.close();
    this.#source = null;
  }
}
