// Keeps what is new in sight for whoever is reading there, and leaves everybody else where they are.
//
// It follows the end until the newest turn begins at the top: a long answer is read from its beginning.

const NEAR_PX = 96;
const MARGIN_PX = 16;

export class Scroller {
  #box;
  #log;
  #button;
  #follows = true;
  #height = 0;

  constructor(box, log, button) {
    this.#box = box;
    this.#log = log;
    this.#button = button;
    box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    button.addEventListener("click", () => {
      this.#box.scrollTop = this.#box.scrollHeight;
      this.follow();
    });
    // Whatever makes the content grow (a word, a picture that arrives) or the box shrink (a keyboard).
    const watch = new ResizeObserver(() => this.#resized());
    watch.observe(box);
    watch.observe(box.firstElementChild);
  }

  /** Show what is new, from now on. */
  follow() {
    this.#follows = true;
    // Never back: who has read on in a long answer stays there.
    this.#box.scrollTop = Math.max(this.#box.scrollTop, this.#target());
    this.#button.hidden = true;
  }

  #target() {
    const { scrollHeight, clientHeight } = this.#box;
    const newest = this.#log.lastElementChild;
    const end = scrollHeight - clientHeight;
    return newest ? Math.min(end, newest.offsetTop - MARGIN_PX) : end;
  }

  #scrolled() {
    // Between growth and #resized the place says nothing about what the reader wants.
    if (this.#box.scrollHeight !== this.#height) return;
    this.#follows = this.#box.scrollTop >= this.#target() - NEAR_PX;
    if (this.#follows) this.#button.hidden = true;
  }

  #resized() {
    const grew = this.#box.scrollHeight > this.#height;
    this.#height = this.#box.scrollHeight;
    if (this.#follows) this.follow();
    else if (grew) this.#button.hidden = false;
  }
}
