// The part of Markdown that assistants use, built as DOM: headings, lists, quotes, code, emphasis, links, line breaks.
//
// Text becomes text nodes, elements come from the fixed set below, and a link goes to http or https only, so there is
// nothing that a message could inject. Broken marks are shown as they are.

const FENCE = /^ {0,3}```/;
const HEADING = /^ {0,3}(#{1,6}) +(.+?) *#*$/;
const BULLET = /^( {0,3})[-*+] +(.*)$/;
const NUMBER = /^ {0,3}(\d{1,9})[.)] +(.*)$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const RULE = /^ {0,3}([-*_])( *\1){2,} *$/;

// One expression, tried at each place from left to right; repeats are bounded, so that no text makes it slow.
const INLINE = new RegExp(
  [
    "`([^`\\n]{1,2000})`",
    "\\[([^\\[\\]\\n]{1,500})\\]\\((https?://[^\\s<>\"'()]{1,2048})\\)",
    "(https?://[^\\s<>\"'`]{1,2048})",
    "\\*\\*(?=\\S)([^\\n]{1,500}?\\S)\\*\\*",
    "(?<!\\w)__(?=\\S)([^\\n]{1,500}?\\S)__(?!\\w)",
    "~~(?=\\S)([^\\n]{1,500}?\\S)~~",
    "(?<![\\w*])\\*(?=[^\\s*])([^*\\n]{0,499}[^\\s*])\\*(?![\\w*])",
    "(?<!\\w)_(?=[^\\s_])([^_\\n]{0,499}[^\\s_])_(?!\\w)",
  ].join("|"),
  "gu",
);
const NESTING_MAX = 4;

/** Return *text* as a fragment of block elements. */
export function markdown(text) {
  const blocks = document.createDocumentFragment();
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  let i = 0;
  while (i < lines.length) {
    if (!lines[i].trim()) i++;
    else i = block(lines, i, blocks);
  }
  return blocks;
}

/** Return *text* as a paragraph that keeps its line breaks and knows no marks but addresses. */
export function plain(text) {
  const paragraph = make("p");
  addresses(text, paragraph);
  return paragraph;
}

/** Return a link that leaves the page, or null: the address is not one for the web. */
export function link(address, ...children) {
  if (!/^https?:\/\//i.test(address)) return null;
  const anchor = make("a", ...children);
  anchor.href = address;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer nofollow";
  return anchor;
}

function block(lines, i, into) {
  const line = lines[i];
  if (FENCE.test(line)) return fenced(lines, i, into);
  if (RULE.test(line)) return into.append(make("hr")), i + 1;
  const heading = HEADING.exec(line);
  if (heading) {
    // The page has an h1 of its own; a message's headings are below it, whatever their number.
    into.append(inlineInto(make("h3"), heading[2]));
    return i + 1;
  }
  if (BULLET.test(line)) return list("ul", BULLET, lines, i, into);
  if (NUMBER.test(line)) return list("ol", NUMBER, lines, i, into);
  if (QUOTE.test(line)) return quote(lines, i, into);
  return paragraph(lines, i, into);
}

function fenced(lines, i, into) {
  const start = ++i;
  while (i < lines.length && !FENCE.test(lines[i])) i++;
  into.append(make("pre", make("code", lines.slice(start, i).join("\n"))));
  return i + 1;
}

function list(tag, mark, lines, i, into) {
  const element = make(tag);
  if (tag === "ol") element.start = Number(mark.exec(lines[i])[1]);
  while (i < lines.length) {
    const item = mark.exec(lines[i]);
    if (!item) break;
    const words = [item[2]];
    // An indented line goes on with the item above it.
    while (/^ {2,}\S/.test(lines[i + 1] ?? "") && !mark.test(lines[i + 1])) words.push(lines[++i].trim());
    element.append(inlineInto(make("li"), words.join("\n")));
    i++;
  }
  into.append(element);
  return i;
}

function quote(lines, i, into) {
  const words = [];
  for (let line; (line = QUOTE.exec(lines[i] ?? "")); i++) words.push(line[1]);
  into.append(make("blockquote", inlineInto(make("p"), words.join("\n"))));
  return i;
}

function paragraph(lines, i, into) {
  const start = i++;
  const ends = [FENCE, RULE, HEADING, BULLET, NUMBER, QUOTE];
  while (lines[i]?.trim() && !ends.some((end) => end.test(lines[i]))) i++;
  into.append(inlineInto(make("p"), lines.slice(start, i).join("\n")));
  return i;
}

function inlineInto(parent, text, depth = 0) {
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    parent.append(text.slice(from, found.index));
    parent.append(span(found, depth));
    from = found.index + found[0].length;
  }
  parent.append(text.slice(from));
  return parent;
}

function span(found, depth) {
  const [whole, code, label, target, bare, strong, strong2, gone, emphasis, emphasis2] = found;
  const within = (tag, words) => (depth < NESTING_MAX ? inlineInto(make(tag), words, depth + 1) : make(tag, words));
  if (code) return make("code", code);
  if (target) return link(target, label) ?? whole;
  if (bare) return bareLink(bare);
  if (strong ?? strong2) return within("strong", strong ?? strong2);
  if (gone) return within("s", gone);
  return within("em", emphasis ?? emphasis2);
}

function addresses(text, into) {
  let from = 0;
  for (const found of text.matchAll(/https?:\/\/[^\s<>"'`]{1,2048}/g)) {
    into.append(text.slice(from, found.index), bareLink(found[0]));
    from = found.index + found[0].length;
  }
  into.append(text.slice(from));
}

function bareLink(address) {
  // The full stop behind an address ends the sentence and not the address.
  const [trail] = /[.,;:!?)\]*_]*$/.exec(address);
  const target = address.slice(0, address.length - trail.length);
  const both = document.createDocumentFragment();
  both.append(link(target, target) ?? target, trail);
  return both;
}

function make(tag, ...children) {
  const element = document.createElement(tag);
  element.append(...children);
  return element;
}
