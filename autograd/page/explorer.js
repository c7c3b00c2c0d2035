// The explorer: shows, opens, steps. Every number and every place comes with the page; nothing is laid out here.
// The script of the page is `shared.js` and then this file, within one function.

const LEVELS = data.levels.map((level) => level === "model" ? level : level + "s");

/** A number as a factor or term: negative ones in parentheses. */
const factor = (text) => text.startsWith("-") && text !== "-" ? `(${text})` : text;

// The graph -------------------------------------------------------------------------------------------------------

const ops = data.ops.map(([name, glyph, text, infix]) => ({ name, glyph, text, infix }));
const boxes = data.boxes.map((b, i) => ({ ...b, id: -1 - i, box: true, open: false, around: null }));
for (const b of boxes) b.ways = new Map(b.bends.map(([from, to, ys]) => [`${from}>${to}`, ys]));
for (const b of boxes) b.around = b.parent < 0 ? null : boxes[b.parent];
const nodes = data.label.map((label, i) => ({
  id: i, label, data: number(data.data[i]), grad: number(data.grad[i]), op: ops[data.op[i]] || null, kind: data.kind[i],
  x: data.x[i].map((x) => Array.isArray(x) ? number(x[0]) : x), plain: data.x[i].map(Array.isArray),
  d: data.d[i].map(number), around: boxes[data.box[i]], at: data.at[i], readers: [],
  python: i in data.python ? number(data.python[i]) : null, // where its .grad is another number
  line: i in data.line ? data.lines[data.line[i]] : "", count: data.parts[i] || 0, stale: false, output: false, start: false,
}));
for (const i of data.stale) nodes[i].stale = true;
for (const i of data.outputs) nodes[i].output = true;
for (const i of data.starts) nodes[i].start = true;
const root = boxes[0];
const thing = (id) => id < 0 ? boxes[-1 - id] : nodes[id];
let unnamed = 0;
for (const n of nodes) {
  const prefix = n.around.prefix ? n.around.prefix + "." : "";
  n.name = n.label ? (prefix && n.label.startsWith(prefix) ? n.label.slice(prefix.length) : n.label) : n.count ? "values left out" : `v${++unnamed}`;
  n.sealed = n.count > 0;
  n.made = n.op !== null;
  n.x.forEach((x, k) => { if (!n.plain[k]) nodes[x].readers.push([n, k]); });
}
const starts = nodes.filter((n) => n.start);
const goal = starts.length === 1 && starts[0].label ? cut(starts[0].label, 24) : "L";
const largest = greatest(nodes.map((n) => n.grad));

/** The largest size of a finite number. */
function greatest(xs) {
  return xs.reduce((most, x) => x !== null && Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most, 0);
}

function path(item) {
  let b = item.box ? item : item.around;
  while (b && !b.path) b = b.around;
  return b ? b.path : "";
}

function members(box, found = []) {
  for (const id of box.parts) id < 0 ? members(thing(id), found) : found.push(nodes[id]);
  return found;
}

/** The gradient that goes back along one edge: the reader's, times the local derivative. */
function gain(reader, k) {
  const d = reader.d[k];
  if (d === null || d === undefined) return null;
  if (reader.sealed) return d;
  return reader.grad === null ? null : d * reader.grad;
}

function operands(n, text) {
  return n.x.map((x, k) => n.plain[k] ? short(x) === repr(x) ? short(x) : repr(x) : text(nodes[x]));
}

/** What was computed, with names or numbers in the place of the operands. */
function formula(n, text, longest = 8) {
  let xs = operands(n, text);
  if (n.sealed) return "";
  const op = n.op || { name: "by hand", infix: false };
  if (op.infix && xs.length === 2) return `${op.name === "pow" ? factor(xs[0]) : xs[0]} ${op.glyph === "==" ? "=" : op.glyph} ${factor(xs[1])}`;
  if (op.name === "neg") return `-${factor(xs[0])}`;
  if (op.name === "dot") return "weighted sum";
  if (xs.length > longest) xs = [...xs.slice(0, longest - 2), "…", xs[xs.length - 1]];
  return `${op.name}(${xs.join(", ")})`;
}

const name = (n) => cut(n.name, 40);
const along = (a, b) => `d${factorName(a)}/d${factorName(b)}`;
const factorName = (text, short = cut(text, 40)) => /^[\p{L}\p{N}_.[\]]+$/u.test(short) ? short : `(${short})`;

// What is open, and where it stands -------------------------------------------------------------------------------

const GAP = 60, PAD = 16, HEAD = 28;
let shown = new Map(); // the boxes in the picture by id: {item, x, y, w, h}
let frames = [];       // the open ones, outermost first
let edges = [];
let standsFor = [];    // for each node the item in the picture that shows it
let chosen = null;     // the item whose explanation stays
let focused = null;

function closedSize(item) {
  return data.sizes[item.box && item.face < 0 ? "box" : (item.box ? nodes[item.face] : item).made && !item.sealed ? "result" : "leaf"];
}

/** The size of an item as it is now; an open one makes room, column by column, for what is in it. */
function measure(item) {
  const [w, h] = item === root ? [0, 0] : closedSize(item);
  if (!item.box || !item.open) return (item.now = { w, h });
  const columns = [];
  for (const id of item.parts) {
    const part = thing(id), column = (columns[part.at[0]] ||= { w: 0, more: 0, parts: [] });
    measure(part);
    column.w = Math.max(column.w, part.now.w);
    column.parts.push(part);
  }
  let x = PAD, highest = Infinity, lowest = 0;
  for (const column of columns) {
    column.x = x;
    x += column.w + GAP;
    column.parts.sort((a, b) => a.at[1] - b.at[1]);
    for (const part of column.parts) {
      part.now.more = part.now.h - closedSize(part)[1];
      column.more += part.now.more;
    }
    let shift = -column.more / 2; // what is opened pushes up as far as down
    for (const part of column.parts) {
      part.now.x = column.x + (column.w - part.now.w) / 2;
      part.now.y = part.at[1] + shift + part.now.more / 2 - part.now.h / 2;
      shift += part.now.more;
      highest = Math.min(highest, part.now.y);
      lowest = Math.max(lowest, part.now.y + part.now.h);
    }
  }
  for (const [, , ys] of item.bends) for (const y of ys) highest = Math.min(highest, y), lowest = Math.max(lowest, y);
  const top = (item === root ? PAD : HEAD + PAD) - highest;
  for (const id of item.parts) thing(id).now.y += top;
  const atLeast = item === root ? 0 : 30 + 7 * Math.min(30, item.title.length);
  return (item.now = { w: Math.max(x - GAP + PAD, atLeast), h: lowest + top + PAD, columns, top });
}

/** The height at which a long edge passes a column, moved by what was opened above it. */
function passing(box, column, y) {
  const { parts, more } = box.now.columns[column];
  return y + box.now.top - more / 2 + parts.reduce((sum, p) => sum + (p.at[1] < y ? p.now.more : 0), 0);
}

function locate() {
  measure(root);
  shown = new Map();
  frames = [];
  standsFor = new Array(nodes.length);
  const visit = (item, x, y) => {
    Object.assign(item.now, { left: x, top0: y });
    if (item.box && item.open) {
      if (item !== root) frames.push(item);
      for (const id of item.parts) visit(thing(id), x + thing(id).now.x, y + thing(id).now.y);
      return;
    }
    shown.set(item.id, { item, x, y, w: item.now.w, h: item.now.h });
    if (item.box) for (const n of members(item)) standsFor[n.id] = item;
    else standsFor[item.id] = item;
  };
  visit(root, 0, 0);
  connect();
}

function connect() {
  const between = new Map();
  for (const n of nodes) {
    n.x.forEach((x, k) => {
      if (n.plain[k]) return;
      const from = standsFor[x], to = standsFor[n.id];
      if (from === to) return;
      const key = to.box ? `${from.id}>${to.id}` : `${from.id}>${to.id}.${k}`;
      const edge = between.get(key) || { from, to, k, uses: [], gain: null };
      const g = gain(n, k);
      if (g !== null && (edge.gain === null || Math.abs(g) > Math.abs(edge.gain) || Number.isNaN(g))) edge.gain = g;
      edge.uses.push([n, k]);
      between.set(key, edge);
    });
  }
  edges = [...between.values()];
  assignPorts();
}

function ancestors(item) {
  const way = [item];
  while (way[0].around) way.unshift(way[0].around);
  return way;
}

/** The points through which an edge goes: out at the right, past the columns between, in at the left. */
function route(edge) {
  const a = shown.get(edge.from.id), b = shown.get(edge.to.id);
  const points = [[a.x + a.w, a.y + a.h / 2]];
  const one = ancestors(edge.from), other = ancestors(edge.to);
  let k = 0;
  while (one[k] === other[k]) k++;
  const pass = (box, from, to) => {
    const ys = box.ways.get(`${from ? from.id : null}>${to ? to.id : null}`) || [];
    ys.forEach((y, i) => {
      const column = (from ? from.at[0] + 1 : 0) + i, { x, w } = box.now.columns[column];
      const height = box.now.top0 + passing(box, column, y);
      points.push([box.now.left + x, height], [box.now.left + x + w, height]);
    });
  };
  const end = [b.x, b.y + b.h * (edge.of > 1 ? 0.2 + 0.6 * edge.port / (edge.of - 1) : 0.5)];
  const border = (box, part, right) => { // out of a column, or into one, on the level: no box of the column is crossed
    const { x, w } = box.now.columns[part.at[0]], at = box.now.left + x + (right ? w : 0);
    const height = right ? points[points.length - 1][1] : part === edge.to ? end[1] : part.now.top0 + part.now.h / 2;
    if (Math.abs(at - (right ? part.now.left + part.now.w : part.now.left)) > 1) points.push([at, height]);
  };
  for (let j = one.length - 1; j > k; j--) border(one[j - 1], one[j], true), pass(one[j - 1], one[j], null);
  border(one[k - 1], one[k], true);
  pass(one[k - 1], one[k], other[k]);
  border(one[k - 1], other[k], false);
  for (let j = k + 1; j < other.length; j++) pass(other[j - 1], null, other[j]), border(other[j - 1], other[j], false);
  return [...points, end];
}

/** Where edges come in at the left of a box: in the order of the operands, or of the places they come from. */
function assignPorts() {
  const into = new Map();
  for (const edge of edges) into.set(edge.to, [...(into.get(edge.to) || []), edge]);
  for (const [to, all] of into) {
    const height = (e) => e.from.now.top0 + e.from.now.h / 2;
    if (to.box) all.sort((e, f) => height(e) - height(f));
    else all.sort((e, f) => e.k - f.k);
    all.forEach((edge, port) => Object.assign(edge, { port, of: all.length }));
  }
}

function curve(points) {
  let text = `M${points[0][0]} ${points[0][1]}`;
  for (let i = 1; i < points.length; i++) {
    const [ax, ay] = points[i - 1], [bx, by] = points[i];
    const reach = bx > ax ? (bx - ax) / 2 : Math.min(120, 40 + Math.abs(by - ay) / 3);
    text += `C${ax + reach} ${ay} ${bx - reach} ${by} ${bx} ${by}`;
  }
  return text;
}

// The picture -----------------------------------------------------------------------------------------------------

const world = find("world");

function paint() {
  locate();
  world.replaceChildren();
  const [below, lines, slopes, above] = [1, 2, 3, 4].map(() => put("g", { role: "none" }));
  for (const box of frames) drawFrame(box, below, above);
  const most = greatest(edges.map((e) => e.gain));
  for (const edge of edges) drawEdge(edge, most, lines, slopes);
  for (const place of shown.values()) drawItem(place, above);
  world.append(below, lines, slopes, above);
  if (!focused || !world.contains(focused.element)) focused = null;
  const first = focused || (chosen && (shown.get(chosen.id) || {}).item) || leftmost();
  first.element.setAttribute("tabindex", "0");
  mark();
  showState();
}

function drawFrame(box, below, above) {
  const { left: x, top0: y, w, h } = box.now;
  below.append(put("rect", { class: "open", x, y, width: w, height: h, rx: 10 }));
  const head = put("g", { class: "head", "data-id": box.id, role: "treeitem", tabindex: "-1", "aria-expanded": "true", "aria-label": `${box.title}, open` },
    put("rect", { x: x + 1, y: y + 1, width: w - 2, height: HEAD - 4, rx: 9 }),
    put("text", { x: x + 12, y: y + 17 }, `− ${cut(title(box), Math.max(8, Math.floor(w / 7.2) - 4))}`));
  wire(head, box);
  above.append(head);
}

function leftmost() {
  return [...shown.values()].reduce((a, b) => b.x < a.x || (b.x === a.x && b.y < a.y) ? b : a).item;
}

function title(box) {
  return box.face >= 0 ? `${name(nodes[box.face])} = ${box.title}` : box.title;
}

function drawItem({ item, x, y, w, h }, layer) {
  const n = item.box ? (item.face >= 0 ? nodes[item.face] : null) : item;
  const classes = ["item"];
  if (n && n.kind === "p") classes.push("parameter");
  if (n && n.output) classes.push("output");
  const wild = n ? !Number.isFinite(n.data) && !n.sealed : members(item).some((m) => !m.sealed && !Number.isFinite(m.data));
  if (wild) classes.push("wild");
  const g = put("g", { class: classes.join(" "), role: "treeitem", tabindex: "-1", "data-id": item.id,
    "aria-expanded": item.box && item.opens >= 0 ? "false" : null });
  if (item.box) g.append(put("rect", { class: "back", x: x + 4, y: y + 4, width: w, height: h, rx: 8 }));
  g.append(put("rect", { class: "card", x, y, width: w, height: h, rx: 8 }));
  item.tint = put("rect", { class: "tint", x, y, width: w, height: h, rx: 8 });
  const inside = put("svg", { x: x + 8, y, width: w - 14, height: h });
  g.append(item.tint, inside);
  item.texts = {};
  const line = (at, text, kind = "") => {
    const element = put("text", { x: 0, y: at, class: kind }, text);
    inside.append(element);
    return element;
  };
  const room = Math.floor((w - 16) / 7);
  if (n && !n.sealed) {
    const sign = item.box ? item.title : n.made ? (n.op ? n.op.glyph : "by hand") : "";
    const width = sign ? Math.max(22, 8 * [...cut(sign, 11)].length + 8) : 0;
    line(18, cut(n.name, Math.floor((w - 20 - width) / 7.2)), "name");
    if (sign) inside.append(put("rect", { class: "pill", x: w - 16 - width, y: 5, width, height: 18, rx: 9 }),
      put("text", { class: "sign", x: w - 16 - width / 2, y: 18 }, cut(sign, 11)));
    if (n.made) line(35, item.box ? `opens: ${members(item).length} values` : cut(formula(n, (m) => cut(m.name, 9)), 20), "small");
    item.texts.data = line(h - 28, "", "later-too");
    item.texts.grad = line(h - 11, "", "later-too");
  } else {
    const [heading, ...rest] = item.box ? item.title.split(/: (.*)/s) : ["values left out"];
    const all = item.box ? members(item) : [item], left = all.reduce((sum, m) => sum + m.count, 0);
    const made = left || all.filter((m) => m.made).length, owned = all.filter((m) => m.kind === "p").length;
    const leaves = all.filter((m) => !m.made && !m.sealed && m.kind !== "p").length;
    line(18, cut(heading, room), "name");
    if (rest[0]) line(35, cut(rest[0], room - 1), "small");
    else if (item.kind === "bundle" && made) line(35, "computed alike", "small");
    item.count = [made ? counted(made, "value") : "", owned ? counted(owned, "parameter") : "", leaves ? counted(leaves, "input") : ""].filter(Boolean).join(", ");
    item.texts.data = line(h - 28, item.count === heading ? "" : item.count, "small");
    item.texts.grad = line(h - 11, "", "later-too small");
    if (item.box && item.opens >= 0) inside.append(put("text", { class: "sign", x: w - 22, y: 18 }, "+"));
  }
  wire(g, item);
  layer.append(g);
}

function strength(g, most) {
  return most ? Math.sqrt(Math.min(1, Math.abs(g) / most)) : 0;
}

function sign(g) {
  return g === null ? "" : !Number.isFinite(g) ? "w" : g > 0 ? "p" : g < 0 ? "n" : "";
}

function drawEdge(edge, most, lines, slopes) {
  const points = route(edge), [x, y] = points[points.length - 1];
  edge.width = edge.gain !== null && Number.isFinite(edge.gain) ? 1 + 4 * strength(edge.gain, most) : 1;
  edge.element = put("path", { d: curve(points), "marker-end": "url(#tip)", "stroke-width": edge.width.toFixed(2) });
  const [[n, k]] = edge.uses;
  const crowded = edge.of > 1 && edge.to.now.h * 0.6 / (edge.of - 1) < 9;
  const text = crowded ? "" : edge.uses.length > 1 ? `${edge.uses.length}` : edge.to.box || n.sealed || n.d[k] === null ? "" : short(n.d[k]);
  edge.text = put("text", { class: "slope", x: x - 8, y: y - 4 }, text);
  lines.append(edge.element);
  if (text) slopes.append(edge.text);
}

function wire(element, item) {
  item.element = element;
  element.addEventListener("click", () => {
    if (moved) return;
    focus(item);
    if (item.box && item.opens >= 0) toggle(item);
    else choose(item);
  });
  element.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") explain(item); });
  element.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") explain(chosen); });
  element.addEventListener("focus", () => { focused = item; choose(item); });
}

/** Which edges belong to the item that is explained. */
function mark(item = chosen) {
  for (const { item: each } of shown.values()) each.element.classList.toggle("chosen", each === chosen);
  const near = item && !(item.box && item.open) ? edges.filter((e) => e.from === item || e.to === item) : [];
  world.classList.toggle("dim", near.length > 0 && edges.length > 60);
  for (const e of edges) {
    e.element.classList.toggle("near", near.includes(e));
    e.text.classList.toggle("near", near.includes(e));
  }
}

// Opening and closing ---------------------------------------------------------------------------------------------

/** Paint again, with `item` at the same place of the screen. */
function keep(item, change) {
  const before = item.now && { x: item.now.left, y: item.now.top0 };
  change();
  locate();
  if (before && item.now) {
    view.x += (before.x - item.now.left) * view.k;
    view.y += (before.y - item.now.top0) * view.k;
  }
  remember();
  paint();
  place();
}

function toggle(box) {
  if (box.opens < 0) return;
  const away = !box.open && count() + box.parts.length > data.most;
  if (away) return say(`Opening ${box.title} would show more than ${data.most} boxes: close something first.`);
  keep(box, () => { box.open = !box.open; });
  choose(box);
  focus(box);
  if (box.open) reveal(box);
  say(`${box.title} ${box.open ? "opened" : "closed"}`);
}

function count() {
  return shown.size;
}

/** Open to a level; what would be too much for a page to show stays closed. */
function openTo(level) {
  for (const b of boxes) b.open = b.opens >= level;
  root.open = true;
  let total = 0, waiting = [root], refused = 0;
  while (waiting.length) {
    const next = [];
    for (const b of waiting) {
      if (total + b.parts.length > data.most && b !== root) { b.open = false; refused++; continue; }
      total += b.parts.length;
      for (const id of b.parts) if (id < 0 && thing(id).open) next.push(thing(id));
    }
    waiting = next;
  }
  for (const b of boxes) if (b.around && !b.around.open) b.open = false;
  remember();
  paint();
  fit(READABLE);
  for (const button of find("levels").children) button.setAttribute("aria-pressed", String(Number(button.dataset.level) === level));
  if (refused) say(`Not all at once: with more than ${data.most} boxes, ${refused} parts stay closed. Open them one by one.`);
}

/** Make sure that an item is in the picture, opening what it is in. */
function uncover(item) {
  const closed = ancestors(item).slice(0, -1).filter((b) => !b.open);
  if (!closed.length) return;
  for (const b of closed) b.open = true;
  remember();
  paint();
}

function goTo(item) {
  uncover(item);
  choose(item);
  focus(item);
  centre(item);
}

function focus(item) {
  for (const element of world.querySelectorAll('[tabindex="0"]')) element.setAttribute("tabindex", "-1");
  focused = item;
  item.element.setAttribute("tabindex", "0");
  item.element.focus({ preventScroll: true });
}

// Pan and zoom ----------------------------------------------------------------------------------------------------

const stage = find("stage"), graph = find("graph");
const view = { x: 0, y: 0, k: 1 };
const READABLE = 0.65; // the smallest scale at which the page begins
let moved = false;

function place() {
  world.setAttribute("transform", `translate(${view.x.toFixed(2)} ${view.y.toFixed(2)}) scale(${view.k.toFixed(4)})`);
}

function smoothly(change) {
  world.classList.add("moving");
  change();
  place();
  setTimeout(() => world.classList.remove("moving"), 320);
}

/** Show all of it; with `least`, no smaller than can be read, from the left. */
function fit(least = 0.02) {
  const { width, height } = stage.getBoundingClientRect(), { w, h } = root.now;
  const whole = Math.min((width - 8) / w, (height - 24) / h);
  view.k = Math.min(1.4, Math.max(whole, least));
  view.x = Math.max(4, (width - w * view.k) / 2);
  view.y = Math.max(4, (height - h * view.k) / 2);
  place();
}

function zoom(by, x, y) {
  const k = Math.min(4, Math.max(0.02, view.k * by));
  view.x = x - (x - view.x) * k / view.k;
  view.y = y - (y - view.y) * k / view.k;
  view.k = k;
  place();
}

function zoomMiddle(by) {
  const { width, height } = stage.getBoundingClientRect();
  smoothly(() => zoom(by, width / 2, height / 2));
}

/** Bring an item into the middle, large enough to read. */
function centre(item) {
  const { width, height } = stage.getBoundingClientRect(), { left, top0, w, h } = item.now;
  smoothly(() => {
    view.k = Math.max(0.8, Math.min(view.k, 1.6));
    view.x = width / 2 - (left + w / 2) * view.k;
    view.y = height / 2 - (top0 + h / 2) * view.k;
  });
}

/** Move as little as needed to have an item in sight. */
function reveal(item) {
  const { width, height } = stage.getBoundingClientRect(), { left, top0, w, h } = item.now;
  if (w * view.k > width || h * view.k > height) smoothly(() => {
    view.k = Math.max(Math.min(view.k, (width - 20) / w, (height - 20) / h), 0.3);
  });
  const x = left * view.k + view.x, y = top0 * view.k + view.y, right = x + w * view.k, bottom = y + h * view.k;
  const dx = x < 10 || w * view.k > width - 20 ? 10 - x : Math.min(0, width - 10 - right);
  const dy = y < 10 || h * view.k > height - 20 ? 10 - y : Math.min(0, height - 10 - bottom);
  if (dx || dy) smoothly(() => { view.x += dx; view.y += dy; });
}

const pointers = new Map();
graph.addEventListener("pointerdown", (event) => {
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  if (pointers.size === 1) moved = false;
});
window.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const after = [event.clientX, event.clientY];
  const far = Math.hypot(after[0] - before[0], after[1] - before[1]);
  if (!moved && far < 5) return;
  moved = true;
  if (pointers.size === 1) {
    view.x += after[0] - before[0];
    view.y += after[1] - before[1];
  } else {
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const { left, top } = stage.getBoundingClientRect();
    const apart = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
    zoom(apart(after) / Math.max(1, apart(before)), (after[0] + other[0]) / 2 - left, (after[1] + other[1]) / 2 - top);
  }
  pointers.set(event.pointerId, after);
  place();
});
for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, (event) => pointers.delete(event.pointerId));
graph.addEventListener("wheel", (event) => {
  event.preventDefault();
  const { left, top } = stage.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.clientX - left, event.clientY - top);
}, { passive: false });

// The steps: forward one operation at a time, then backward -------------------------------------------------------

let order = [];      // the items that compute, in the order in which they do
let back = [];       // those through which a gradient goes, in the opposite order
let rankOf = new Map(), backRank = new Map();
let now = 0;

const total = () => order.length + (starts.some((n) => n.grad !== null) ? 1 + back.length : 0);

/** Order what is in the picture anew, and stay at the end if there we were, or at the same item. */
function remember() {
  const at = now >= total() ? null : current();
  const forward = now <= order.length;
  locate();
  order = inOrder();
  const passes = (item) => (item.box ? members(item) : [item]).some((n) => n.grad !== null && n.d.some((d) => d !== null));
  back = order.filter(passes).reverse();
  rankOf = new Map(order.map((item, k) => [item, k + 1]));
  backRank = new Map(back.map((item, k) => [item, order.length + 2 + k]));
  if (at === null) now = total();
  else {
    const n = at && (at.box ? members(at)[0] : at), item = n && standsFor[n.id];
    now = !item ? Math.min(now, total()) : forward ? rankOf.get(item) || 0 : backRank.get(item) || order.length + 1;
  }
}

function inOrder() {
  const waits = new Map(), after = new Map(), first = new Map();
  for (const n of nodes) {
    const item = standsFor[n.id];
    if (!first.has(item)) first.set(item, n.id);
    if (n.made) waits.set(item, waits.get(item) || new Set());
  }
  for (const { from, to } of edges) {
    if (!waits.has(from) || !waits.has(to)) continue;
    waits.get(to).add(from);
    if (!after.has(from)) after.set(from, new Set());
    after.get(from).add(to);
  }
  const found = [], left = new Set([...waits.keys()].sort((a, b) => first.get(a) - first.get(b)));
  let ready = [...left].filter((item) => !waits.get(item).size);
  while (left.size) {
    if (!ready.length) ready = [left.values().next().value]; // parts that need each other: the one begun first
    let next = 0;
    for (let i = 1; i < ready.length; i++) if (first.get(ready[i]) < first.get(ready[next])) next = i;
    const [item] = ready.splice(next, 1);
    left.delete(item);
    found.push(item);
    for (const later of after.get(item) || []) {
      waits.get(later).delete(item);
      if (!waits.get(later).size && left.has(later) && !ready.includes(later)) ready.push(later);
    }
  }
  return found;
}

function current() {
  if (now === 0 || now === order.length + 1) return null;
  return now <= order.length ? order[now - 1] : back[now - order.length - 2];
}

const isComputed = (item) => !rankOf.has(item) || rankOf.get(item) <= now;
const hasPassed = (item) => backRank.has(item) && backRank.get(item) <= now;

/** What of a node's gradient has arrived by now: the sum, and from how many of the edges. */
function soFar(n) {
  if (n.grad === null || now <= order.length) return { sum: null, got: 0, of: 0 };
  let sum = n.start ? n.grad : null, got = 0, of = 0;
  for (const [r, k] of n.readers) {
    const g = gain(r, k);
    if (g === null) continue;
    of++;
    if (!hasPassed(standsFor[r.id])) continue;
    got++;
    sum = (sum === null ? 0 : sum) + g;
  }
  return { sum: got === of ? n.grad : sum, got, of };
}

function showState() {
  const active = now < total() || stepped ? current() : null;
  for (const { item } of shown.values()) {
    const n = item.box ? (item.face >= 0 ? nodes[item.face] : null) : item;
    const computed = isComputed(item);
    item.element.classList.toggle("later", !computed);
    item.element.classList.toggle("now", item === active || (now === order.length + 1 && Boolean(n && n.start)));
    let g = null, told = "";
    if (n && !n.sealed) {
      const { sum, got, of } = soFar(n);
      g = sum;
      item.texts.data.textContent = computed ? `data ${short(n.data)}` : "data ?";
      item.texts.grad.textContent = n.grad === null && n.kind === "c" ? "constant" : `grad ${short(g)}${got < of && got ? " …" : ""}`;
      told = `${name(n)}${n.made && !item.box ? ", " + formula(n, name) : ""}, data ${computed ? short(n.data) : "not computed yet"}, gradient ${g === null ? "none yet" : short(g)}`;
    } else {
      const done = now >= total() || hasPassed(item) || (!rankOf.has(item) && now > order.length);
      const grads = (item.box ? members(item) : [item]).map((m) => rankOf.has(item) ? m.grad : soFar(m).sum).filter((x) => x !== null);
      if (done && grads.length) {
        g = grads.reduce((a, b) => Number.isNaN(b) || Math.abs(b) > Math.abs(a) ? b : a, 0);
        item.texts.grad.textContent = `max |grad| ${short(Math.abs(g))}`;
      } else item.texts.grad.textContent = "grad -";
      told = `${item.title || "values left out"}, ${item.count || ""}, ${item.texts.grad.textContent}${item.box && item.opens >= 0 ? ", closed" : ""}`;
    }
    item.element.setAttribute("aria-label", told);
    item.tint.setAttribute("class", `tint ${sign(g)}`);
    item.tint.setAttribute("fill-opacity", (0.1 + 0.45 * strength(g || 0, largest)).toFixed(3));
  }
  for (const edge of edges) {
    const passed = hasPassed(edge.to), done = isComputed(edge.to), on = edge.to === active;
    edge.element.setAttribute("class", `edge ${passed ? sign(edge.gain) : ""}${done ? "" : " later"}${on ? " now" : ""}`);
    edge.element.setAttribute("stroke-width", (passed || on ? edge.width : 1.2).toFixed(2));
    edge.text.setAttribute("class", `slope${on ? " now" : ""}`);
  }
  mark();
  tellStep(current());
  explain(chosen);
  find("position").max = total();
  find("position").value = now;
  const where = now === 0 ? "Start" : now <= order.length ? `Forward ${now} of ${order.length}` :
    now === order.length + 1 ? "Backward begins" : `Backward ${now - order.length - 1} of ${back.length}`;
  find("where").textContent = now >= total() ? `${where} (end)` : where;
  find("position").setAttribute("aria-valuetext", where);
}

function tellStep(active) {
  const card = find("step");
  card.hidden = now >= total() && !stepped;
  const lines = [];
  if (now === 0) lines.push(heading("Start"), p("The leaves have their numbers. Nothing is computed yet."));
  else if (now <= order.length) forwardStep(active, lines);
  else if (now === order.length + 1) {
    lines.push(heading("Backward begins"));
    for (const n of starts) if (n.grad !== null) lines.push(code(`${along(goal, n.name)} = ${repr(n.grad)}`));
    if (starts.length > 1) lines.push(p(`L is the sum of the ${starts.length} outputs.`));
    else if (starts[0].grad !== 1) lines.push(p("It does not begin with 1: the output has this gradient already."));
  } else backwardStep(active, lines);
  if (now >= total()) lines.push(p("This was the last step."));
  card.replaceChildren(...lines);
}

function forwardStep(item, lines) {
  lines.push(heading(`Forward: ${item.box ? title(item) : name(item)}`));
  if (!item.box) {
    lines.push(code(`${name(item)} = ${formula(item, name)}\n  = ${formula(item, (m) => repr(m.data))}\n  = ${repr(item.data)}`));
    if (item.op && !item.op.infix) lines.push(p(`${item.op.name}: ${item.op.text}`));
    return;
  }
  const inside = members(item), made = inside.reduce((sum, n) => sum + (n.count || n.made), 0);
  lines.push(p(`${counted(made, "value")} computed in it. Out of it comes:`));
  const out = inside.filter((n) => n.output || n.readers.some(([r]) => standsFor[r.id] !== item)).filter((n) => n.made && !n.sealed);
  lines.push(code(out.slice(0, 8).map((n) => `${name(n)} = ${repr(n.data)}`).join("\n") + (out.length > 8 ? `\n… and ${out.length - 8} more` : "")));
}

function backwardStep(item, lines) {
  lines.push(heading(`Backward through ${item.box ? title(item) : `${item.op ? item.op.glyph : "by hand"} to ${name(item)}`}`));
  const into = item.box ? members(item) : [item];
  const reached = new Map();
  for (const n of into) n.x.forEach((x, k) => {
    if (n.plain[k] || gain(n, k) === null) return;
    const u = nodes[x];
    if (item.box && standsFor[x] === item) return;
    reached.set(u, [...(reached.get(u) || []), [n, k]]);
  });
  let left = 6;
  for (const [u, uses] of reached) {
    if (left-- <= 0) break;
    for (const [r, k] of uses.slice(0, 3)) lines.push(code(r.sealed ? `${along(goal, u.name)} += ${repr(gain(r, k))}` :
      `${along(goal, u.name)} += ${along(goal, r.name)} * ${along(r.name, u.name)}\n   = ${factor(repr(r.grad))} * ${factor(repr(r.d[k]))}\n   = ${repr(gain(r, k))}`));
    if (uses.length > 3) lines.push(p(`… and along ${uses.length - 3} more edges`));
    const { sum, got, of } = soFar(u);
    lines.push(p(`${along(goal, u.name)} is now ${repr(sum)}, ${got < of ? `from ${got} of ${of} edges` : of > 1 ? `from all ${of} edges` : "complete"}.`));
  }
  if (reached.size > 6) lines.push(p(`… and ${reached.size - 6} more operands`));
  if (!reached.size) lines.push(p("Its operands are inside it, or constants."));
}

let stepped = false;

function step(to) {
  stepped = true;
  now = Math.max(0, Math.min(total(), to));
  showState();
  const item = current() || (now === order.length + 1 ? standsFor[starts[0].id] : null);
  if (item) { see(item); }
  if (now >= total()) player.stop();
}

/** Bring the step's item into sight when it is not. */
function see(item) {
  const { width, height } = stage.getBoundingClientRect(), { left, top0, w, h } = item.now;
  const x = left * view.k + view.x, y = top0 * view.k + view.y;
  if (x < 0 || y < 0 || x + w * view.k > width || y + h * view.k > height) {
    smoothly(() => {
      view.x = width / 2 - (left + w / 2) * view.k;
      view.y = height / 2 - (top0 + h / 2) * view.k;
    });
  }
}

const player = stepper({
  at: () => now, total, go: step, wait: () => 1400,
  keys: { first: "Home", previous: "P, Page Up", play: "space", next: "N, Page Down", last: "End" },
});

// The explanation -------------------------------------------------------------------------------------------------

const heading = (text) => put("h2", {}, put("bdi", {}, text));
const p = (...inside) => put("p", {}, ...inside);
const code = (text) => put("div", { class: "formula", dir: "ltr" }, text);

function link(item) {
  const button = put("button", { class: "link" }, put("bdi", {}, item.box ? item.title : name(item)));
  button.addEventListener("click", () => goTo(item));
  return button;
}

function list(rows) {
  const dl = put("dl");
  for (const [key, text] of rows) {
    if (text === "" || text === null) continue;
    const wild = typeof text === "string" && /^(nan|-?inf)$/.test(text);
    dl.append(put("dt", {}, key), put("dd", { class: wild ? "wild" : null }, text));
  }
  return dl;
}

function choose(item) {
  chosen = item;
  mark();
  explain(item);
}

function explain(item) {
  mark(item);
  const panel = find("detail");
  if (!item) {
    panel.replaceChildren(...(now < total() ? [] : [heading(data.title), summary()]), put("p", { class: "hint" }, "Point at a box, or go to one with Tab and the arrow keys, to see its value, its gradient and where this comes from. N steps on from here; ? tells the keys."));
    return;
  }
  panel.replaceChildren(...(item.box && item.face < 0 ? explainBox(item) : explainNode(item.box ? nodes[item.face] : item, item)));
}

function summary() {
  const outputs = nodes.filter((n) => n.output).slice(0, 4);
  return list([
    ["computed", counted(nodes.filter((n) => n.made && !n.sealed).length, "value")],
    ["leaves", String(nodes.filter((n) => !n.made && !n.sealed).length)],
    ...outputs.map((n) => [n.name, repr(n.data)]),
  ]);
}

function explainBox(box) {
  const all = members(box), grads = all.map((n) => n.grad).filter((g) => g !== null).map(Math.abs);
  const left = all.reduce((sum, n) => sum + n.count, 0), places = [...new Set(all.map((n) => n.line).filter(Boolean))];
  const lines = [heading(box.title || data.title), p(put("span", { class: "path" }, put("bdi", {}, path(box))))];
  lines.push(list([
    ["kind", box.kind === "module" ? box.level || "module" : "values that are shown together"],
    ["computed", String(left || all.filter((n) => n.made).length)],
    ["parameters", String(all.filter((n) => n.kind === "p").length || "")],
    ["|grad| mean", !left && now >= total() && grads.length ? repr(grads.reduce((a, b) => a + b, 0) / grads.length) : ""],
    ["|grad| max", !left && now >= total() && grads.length ? repr(grads.reduce((a, b) => Number.isNaN(b) || b > a ? b : a, 0)) : ""],
    ["recorded at", places.length > 1 ? `${places.length} lines` : places[0] || ""],
  ]));
  if (left) lines.push(p(`Its ${left} values are not in this page; explore(..., max_nodes=) with a larger number puts them in.`));
  else if (box !== root) {
    const button = put("button", {}, box.open ? "Close it" : "Open it");
    button.addEventListener("click", () => toggle(box));
    lines.push(button);
  }
  return lines;
}

function explainNode(n, item) {
  const lines = [heading(cut(n.name, 300))];
  const where = path(n);
  if (n.label && n.label !== n.name || where) lines.push(p(put("span", { class: "path" }, put("bdi", {}, [n.label !== n.name ? n.label : "", where ? `in ${where}` : ""].filter(Boolean).join(", ")))));
  if (n.sealed) return [...lines, p(`${n.count} values that are not in this page.`)];
  const computed = isComputed(standsFor[n.id] || item), { sum, got, of } = soFar(n);
  const differs = n.python !== null;
  lines.push(list([
    ["value", computed ? repr(n.data) : "not computed yet"],
    ["gradient", n.kind === "c" && n.grad === null ? "none: a constant" : now > order.length ? repr(sum) + (got < of ? ` so far, from ${got} of ${of} edges` : "") : "not computed yet"],
    [".grad in Python", differs ? repr(n.python) : ""],
    ["kind", n.kind === "p" ? "parameter" : n.kind === "c" ? "constant" : n.made ? "" : "leaf"],
    ["recorded at", n.line],
  ]));
  if (differs) lines.push(p("Python's number is another one: of other backward passes, or of several, or somebody changed it."));
  if (n.made) {
    lines.push(put("h3", {}, "Formula"), code(`${name(n)} = ${formula(n, name)}` + (computed ? `\n  = ${formula(n, (m) => repr(m.data))}\n  = ${repr(n.data)}` : "")));
    if (n.op && !n.op.infix) lines.push(p(`${n.op.name}: ${n.op.text}`));
    if (n.stale) lines.push(p("An operand was given another number after this was computed."));
    const used = n.x.filter((x, k) => !n.plain[k]);
    if (used.length) lines.push(p("from ", ...spaced([...new Set(used)].slice(0, 12).map((x) => link(nodes[x]))), used.length > 12 ? ` and ${used.length - 12} more` : ""));
  }
  const uses = n.readers.filter(([r, k]) => gain(r, k) !== null);
  if (now > order.length && (uses.length || n.start)) lines.push(put("h3", {}, "Chain rule"), code(chain(n, uses, got === of)));
  if (n.readers.length) {
    const readers = [...new Set(n.readers.map(([r]) => r))];
    lines.push(p("read by ", ...spaced(readers.slice(0, 12).map(link)), readers.length > 12 ? ` and ${readers.length - 12} more` : ""));
  }
  if (n.made && !data.lines.length) lines.push(p(put("span", { class: "path" }, "The line that recorded it is not known: record within autograd.record_lines() to see it.")));
  return lines;
}

const spaced = (items) => items.flatMap((item, i) => i ? [", ", item] : [item]);

/** dL/dw = dL/dz * dz/dw = 0.25 * 0.5 = 0.125, a sum where several read it. */
function chain(n, uses, complete) {
  const what = along(goal, n.name), some = uses.slice(0, 8), more = uses.length > 8 ? ` + … (${uses.length - 8} more)` : "";
  if (!uses.length) return `${what} = ${repr(n.grad)}`;
  const sum = (terms) => terms.join(" + ") + more;
  const rows = [
    sum(some.map(([r]) => r.sealed ? "the part left out" : `${along(goal, r.name)} * ${along(r.name, n.name)}`)),
    sum(some.map(([r, k]) => r.sealed ? factor(repr(gain(r, k))) : `${factor(repr(r.grad))} * ${factor(repr(r.d[k]))}`)),
  ];
  if (uses.length > 1) rows.push(sum(some.map(([r, k]) => factor(repr(gain(r, k))))));
  if (complete) rows.push(repr(n.grad));
  return `${what} = ${rows.join("\n  = ")}`;
}

// Search ----------------------------------------------------------------------------------------------------------

const box = find("search"), results = find("results");
let found = [], pick = 0;

function search() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  found = !words.length ? [] : [...boxes.slice(1).filter((b) => b.kind === "module"), ...nodes.filter((n) => !n.sealed)].map((item) => {
    const text = (item.box ? `${item.title} ${item.path}` : `${item.label} ${item.name} ${item.op && item.made ? item.op.name + " " + item.op.glyph : ""} ${path(item)}`).toLowerCase();
    const own = (item.box ? item.path : item.name).toLowerCase();
    return { item, score: words.every((w) => text.includes(w)) ? (own === words.join(" ") ? 3 : own.startsWith(words[0]) ? 2 : own.includes(words[0]) ? 1 : 0) : -1 };
  }).filter((f) => f.score >= 0).sort((a, b) => b.score - a.score || a.item.id - b.item.id).map((f) => f.item);
  pick = 0;
  const rows = found.slice(0, 50).map((item, i) => {
    const li = put("li", { role: "option", id: `found-${i}` }, put("bdi", {}, item.box ? item.title : `${name(item)}${item.made ? " = " + formula(item, name) : ""}`), " ", put("small", {}, put("bdi", {}, path(item))));
    li.addEventListener("pointerdown", (event) => { event.preventDefault(); pick = i; take(); });
    return li;
  });
  if (words.length) rows.push(put("li", { role: "presentation" }, put("small", {}, found.length > 50 ? `the first 50 of ${found.length}` : found.length ? `${found.length} found` : "nothing found")));
  results.replaceChildren(...rows);
  results.hidden = !words.length;
  box.setAttribute("aria-expanded", String(words.length > 0));
  highlight();
}

function highlight() {
  [...results.children].forEach((li, i) => { if (i < found.length) li.setAttribute("aria-selected", String(i === pick)); });
  const li = results.children[pick];
  if (found.length && li) { box.setAttribute("aria-activedescendant", li.id); li.scrollIntoView({ block: "nearest" }); }
  else box.removeAttribute("aria-activedescendant");
}

function leaveSearch() {
  results.hidden = true;
  box.setAttribute("aria-expanded", "false");
  box.removeAttribute("aria-activedescendant");
}

function take() {
  const item = found[pick];
  if (!item) return;
  leaveSearch();
  goTo(item);
}

box.addEventListener("input", search);
box.addEventListener("focus", () => { if (box.value) search(); });
box.addEventListener("blur", leaveSearch);
box.addEventListener("keydown", (event) => {
  const most = Math.min(50, found.length);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (most) pick = (pick + (event.key === "ArrowDown" ? 1 : most - 1)) % most;
    highlight();
  } else if (event.key === "Enter") take();
  else if (event.key === "Escape") { box.value = ""; leaveSearch(); graphFocus(); }
  else return;
  event.preventDefault();
});

// Keys ------------------------------------------------------------------------------------------------------------

function graphFocus() {
  focus(focused || leftmost());
}

function walk(key) {
  const item = focused;
  if (!item) return graphFocus();
  let next = null;
  if (item.box && item.open) next = key === "ArrowUp" || key === "ArrowLeft" ? item.around !== root && item.around : thing(item.parts[0]);
  else if (key === "ArrowLeft") next = (edges.find((e) => e.to === item) || {}).from;
  else if (key === "ArrowRight") next = (edges.find((e) => e.from === item) || {}).to;
  else {
    const here = item.now, middle = (t) => t.left + t.w / 2, down = key === "ArrowDown";
    const others = [...shown.values()].map((s) => s.item).filter((o) => o !== item && (down ? o.now.top0 > here.top0 : o.now.top0 < here.top0));
    const distance = (o) => Math.abs(o.now.top0 - here.top0) + 3 * Math.abs(middle(o.now) - middle(here));
    next = others.sort((a, b) => distance(a) - distance(b))[0];
    if (item.around !== root && !down && (!next || distance(next) > 600)) next = item.around;
  }
  if (next) { focus(next); see(next); }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || find("help").open) return;
  const target = event.target, typing = target.matches("input, select, textarea");
  if (typing && event.key !== "PageDown" && event.key !== "PageUp") return;
  const onButton = target.matches("button");
  const keys = {
    n: () => step(now + 1), PageDown: () => step(now + 1), p: () => step(now - 1), PageUp: () => step(now - 1),
    Home: () => step(0), End: () => step(total()), "/": () => box.focus(), "?": () => find("help").showModal(),
    "+": () => zoomMiddle(1.25), "=": () => zoomMiddle(1.25), "-": () => zoomMiddle(0.8), 0: () => smoothly(() => fit()),
    "<": () => player.faster(-1), ">": () => player.faster(1),
    " ": () => { if (onButton) return true; player.toggle(); },
    Enter: () => { if (onButton || !focused) return true; focused.box ? toggle(focused) : choose(focused); },
  };
  for (const arrow of ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]) keys[arrow] = () => target.closest("#panel") ? true : walk(arrow);
  const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (act && act() !== true) event.preventDefault();
});

// Beginning -------------------------------------------------------------------------------------------------------

let said = 0;

/** A word for everyone, and for who cannot see: below the graph. */
function say(text) {
  const notes = find("notes");
  clearTimeout(said);
  notes.replaceChildren(text);
  said = setTimeout(note, 6000);
}

function note() {
  const lines = [];
  if (data.note) lines.push(data.note);
  if (!data.called && starts.some((n) => n.grad !== null)) lines.push("backward() was not called: these gradients are what it would give; .grad in Python is as it was");
  const odd = nodes.filter((n) => !n.sealed && (!Number.isFinite(n.data) || (n.grad !== null && !Number.isFinite(n.grad))));
  const inside = [lines.join(". ") + (lines.length ? ". " : "")];
  if (odd.length) {
    const button = put("button", { class: "wild" }, `${odd.length} value${odd.length > 1 ? "s have" : " has"} a nan or inf; the first: ${cut(odd[0].name, 30)}`);
    button.addEventListener("click", () => goTo(odd[0]));
    inside.push(button);
  }
  find("notes").replaceChildren(...inside);
}

const opened = LEVELS.map((_, level) => boxes.filter((b) => b.opens >= level).length);
for (const level of [...LEVELS.keys()].reverse()) {
  if (level && opened[level] === opened[level - 1] && level !== data.level) continue; // no other than the finer one
  const button = put("button", { "data-level": level, "aria-pressed": "false" }, LEVELS[level]);
  button.addEventListener("click", () => openTo(level));
  find("levels").append(button);
}
find("levels").hidden = boxes.length === 1;
find("notes").setAttribute("role", "status");
find("zoom-in").addEventListener("click", () => zoomMiddle(1.25));
find("zoom-out").addEventListener("click", () => zoomMiddle(0.8));
find("fit").addEventListener("click", () => smoothly(() => fit()));
window.addEventListener("resize", () => { if (!focused) fit(READABLE); });
let screen = null;
window.addEventListener("beforeprint", () => { screen = { ...view }; fit(); });
window.addEventListener("afterprint", () => { Object.assign(view, screen || {}); place(); });

now = Infinity;
note();
openTo(data.level);
window.explorer = { repr, short }; // for whoever checks the numbers
