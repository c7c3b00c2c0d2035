// The recording: shows the frames of a training, one after the other. Python has computed every number; here they are
// only scaled to colours and places. The script of the page is `shared.js` and then this file, within one function.

// What Python has written ----------------------------------------------------------------------------------------------

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const floats = (text) => new Float64Array(bytes(text).buffer);
const { columns, layers, samples, classes, function: plane, bins } = data;
const sizes = columns.length ? [data.inputs, ...columns.map((c) => c.size)] : [];
const frames = data.frames.epochs.map((epoch, i) => read(epoch, data.frames.notes[i], floats(data.frames.numbers[i]), bytes(data.frames.marks[i])));
const total = frames.length - 1, lastEpoch = Math.floor(frames[total].epoch);
const history = { names: data.history.names, epochs: data.history.epochs, values: data.history.values.map(floats) };
const rowOf = new Map(history.epochs.map((epoch, i) => [epoch, i]));

/** The numbers and marks of a frame by what they are, in the order of `View.frame`. */
function read(epoch, note, numbers, marks) {
  let at = 0, from = 0;
  const take = (n) => numbers.subarray(at, at += n), bits = (n) => marks.subarray(from, from += n);
  const five = (x) => ({ mean: x[0], deviation: x[1], low: x[2], high: x[3], odd: x[4] });
  const frame = { epoch, note };
  frame.layers = layers.map(() => ({ weights: five(take(5)), outputs: five(take(5)), slope: take(1)[0], bars: [bits(bins), bits(bins)] }));
  frame.weights = columns.map((c) => ({ w: take(c.size * c.inputs), b: spread(c.biases, take(c.biases.filter(Boolean).length)) }));
  frame.values = samples.map(() => sizes.map(take));
  frame.outputs = data.outputs ? samples.map(() => take(data.outputs)) : [];
  frame.curves = plane && plane.kind === "curve" ? Array.from({ length: plane.outputs }, () => take(plane.n)) : [];
  frame.field = plane && plane.kind !== "curve" ? bits(plane.n * plane.n) : null;
  return frame;
}

/** The biases, null for a neuron that has none. */
function spread(has, found) {
  let k = 0;
  return has.map((there) => there ? found[k++] : null);
}

/** The number of a name after an epoch; a frame with a note is none of an epoch. */
function numberOf(k, frame) {
  const row = frame.note ? undefined : rowOf.get(frame.epoch);
  return row === undefined ? null : history.values[k][row];
}

const isWild = (x) => x !== null && !Number.isFinite(x);

/** How large the numbers become, but for the largest tenth: one outlier shall not make all else pale. */
function most(xs) {
  const found = xs.filter((x) => Number.isFinite(x)).sort((a, b) => a - b);
  return found.length ? found[Math.floor(0.9 * (found.length - 1))] : 0;
}

const greatest = (xs) => xs.reduce((m, x) => Number.isFinite(x) ? Math.max(m, Math.abs(x)) : m, 0);

/** What has the full colour in all frames: `sizes` are the largest number of each; where all explodes, not so large. */
function full(sizes) {
  const found = sizes.filter((x) => x > 0);
  return found.length ? Math.min(most(found), 30 * found[0]) : 0;
}

const strength = (x, largest) => largest && Number.isFinite(x) ? Math.sqrt(Math.min(1, Math.abs(x) / largest)) : 0;
const sign = (x) => !Number.isFinite(x) ? "w" : x > 0 ? "p" : x < 0 ? "n" : "";
const LARGE = 4e307; // twice as much is still finite

/** The ends of a scale, apart. */
function span(low, high) {
  const [a, b] = [low, high].map((x) => Number.isFinite(x) ? Math.max(-LARGE, Math.min(LARGE, x)) : 0), room = Math.abs(a) / 2 || 1;
  return b > a ? [a, b] : [a - room, a + room];
}

// Names ----------------------------------------------------------------------------------------------------------------

const column = (c) => c ? columns[c - 1] : { name: "inputs", activation: "" };
const inputName = (k) => data.inputs === 1 ? "x" : `x[${k}]`;
const outputName = (k, n) => classes.length === n && n > 1 ? classes[k] : n === 1 ? "output" : `output[${k}]`;
const neuronName = (c, k) => c ? `${columns[c - 1].name}, neuron ${k}` : `input ${inputName(k)}`;

function sampleName({ index, x, target }) {
  const few = x.length && x.length < 4 ? ` (${x.map((v) => short(number(v))).join(", ")})` : "";
  return cut(`Sample ${index}${few}${target ? `, target ${target}` : ""}`, 60);
}

function frameName(i) {
  const { epoch, note } = frames[i];
  if (note) return note[0].toUpperCase() + note.slice(1);
  return epoch === 0 ? "Before training" : `Epoch ${epoch} of ${lastEpoch}`;
}

// The network ----------------------------------------------------------------------------------------------------------

const network = find("network");
const neurons = [];  // of each column its neurons: {x, y, r, element, tint, text}
const lines = [];    // the edges: {c, j, k, element, text}
let chosen = null;   // [column, neuron]
let current = [columns.length, 0]; // the neuron that Tab reaches
const largestWeight = full(frames.map((f) => Math.max(...f.weights.map(({ w }) => greatest(w)), 0)));
const largestValue = sizes.map((_, c) => full(frames.map((f) => Math.max(...f.values.map((v) => greatest(v[c])), 0))));

function buildNetwork() {
  const width = Math.max(280, network.parentElement.clientWidth - 24), n = Math.max(...sizes);
  const height = Math.max(150, Math.min(n * (n <= 8 ? 56 : n <= 20 ? 29 : 15), 640)), top = 34;
  const names = columns.length ? Array.from({ length: sizes[sizes.length - 1] }, (_, k) => cut(outputName(k, sizes[sizes.length - 1]), 12)) : [];
  const right = 22 + 6.2 * Math.max(...names.map((name) => name.length)), left = 26 + 6.2 * inputName(data.inputs - 1).length;
  const apart = (width - left - right) / (sizes.length - 1);
  network.setAttribute("viewBox", `0 0 ${width} ${height + top + 8}`);
  network.replaceChildren();
  neurons.length = lines.length = 0;
  sizes.forEach((size, c) => {
    const step = height / size, r = Math.max(2.5, Math.min(15, step * 0.4 - (step >= 38 ? 4 : 0)));
    neurons.push(Array.from({ length: size }, (_, k) => ({ x: left + c * apart, y: top + step * (k + 0.5) - (step >= 38 ? 5 : 0), r, step })));
  });
  const edges = put("g", {}), above = put("g", {});
  const taken = neurons.flat().filter(({ step }) => step >= 38).map(({ x, y, r }) => [x, y + r + 8]); // by the neurons' numbers
  columns.forEach((column, i) => {
    const written = column.size * column.inputs <= 16 && apart >= 96;
    for (let k = 0; k < column.size; k++) for (let j = 0; j < column.inputs; j++) {
      const a = neurons[i][j], b = neurons[i + 1][k], d = Math.hypot(b.x - a.x, b.y - a.y);
      const [x, y] = [(b.x - a.x) / d, (b.y - a.y) / d];
      const free = written ? [0.5, 0.66, 0.34, 0.74, 0.26].map((at) => [a.x + at * (b.x - a.x), a.y + at * (b.y - a.y)]).find(([u, v]) =>
        taken.every(([other, height]) => Math.abs(other - u) > 48 || Math.abs(height - v) > 12)) : null;
      const element = put("line", { x1: a.x + x * a.r, y1: a.y + y * a.r, x2: b.x - x * b.r, y2: b.y - y * b.r });
      if (free) taken.push(free);
      const text = free ? put("text", { class: "weight", x: free[0], y: free[1] + 3 }) : null;
      lines.push({ c: i, j, k, element, text });
      edges.append(element);
      if (text) above.append(text);
    }
  });
  network.append(edges, above);
  neurons.forEach((all, c) => {
    const room = Math.floor((c === 0 || c === columns.length ? Math.min(apart, 2 * (c ? right : left)) : apart) / 6.2), { name, activation } = column(c);
    network.append(put("text", { class: "column", x: all[0].x, y: 12 }, cut(name, room)));
    if (activation) network.append(put("text", { class: "column", x: all[0].x, y: 25 }, cut(activation, room)));
    all.forEach((place, k) => network.append(drawNeuron(place, c, k)));
  });
  reach(current);
}

function drawNeuron(place, c, k) {
  const { x, y, r, step } = place, end = c === columns.length;
  place.tint = put("circle", { class: "tint", cx: x, cy: y, r });
  place.text = step >= 38 ? put("text", { x, y: y + r + 12 }) : null;
  place.element = put("g", { class: "neuron", role: "button", tabindex: "-1", "data-at": `${c}.${k}`, "aria-pressed": "false" },
    put("circle", { class: "body", cx: x, cy: y, r }), place.tint, place.text);
  if ((c === 0 || end) && step >= 12) {
    place.element.append(put("text", { class: end ? "name last" : "name", x: end ? x + r + 5 : x - r - 5, y: y + 4 }, cut(end ? outputName(k, sizes[c]) : inputName(k), 12)));
  }
  place.element.addEventListener("click", () => choose(chosen && chosen[0] === c && chosen[1] === k ? null : [c, k]));
  place.element.addEventListener("focus", () => reach([c, k]));
  return place.element;
}

/** The one neuron that Tab comes to. */
function reach([c, k]) {
  for (const { element } of neurons.flat()) element.setAttribute("tabindex", "-1");
  current = [c, k];
  neurons[c][k].element.setAttribute("tabindex", "0");
}

function walk(by) {
  const all = neurons.flatMap((column, c) => column.map((_, k) => [c, k]));
  const at = all.findIndex(([c, k]) => c === current[0] && k === current[1]), to = all[(at + by + all.length) % all.length];
  neurons[to[0]][to[1]].element.focus();
}

function choose(neuron) {
  chosen = neuron;
  showNetwork(frames[now]);
  showDetail(frames[now]);
}

function showNetwork(frame) {
  if (!columns.length) return;
  const values = frame.values[sample];
  network.classList.toggle("chosen-one", chosen !== null);
  const dense = Math.max(...sizes) > 20 ? 0.6 : 1;
  for (const { c, j, k, element, text } of lines) {
    const w = frame.weights[c].w[k * columns[c].inputs + j], s = strength(w, largestWeight);
    const near = chosen && ((chosen[0] === c + 1 && chosen[1] === k) || (chosen[0] === c && chosen[1] === j));
    element.setAttribute("class", `edge ${sign(w)}${near ? " near" : ""}`);
    element.setAttribute("stroke-width", (dense * (0.4 + 4 * s * s)).toFixed(2));
    element.setAttribute("stroke-opacity", Number.isFinite(w) ? (0.12 + 0.75 * s).toFixed(2) : "1");
    if (text) {
      text.textContent = short(w);
      text.setAttribute("class", isWild(w) ? "weight wild" : "weight");
    }
  }
  neurons.forEach((all, c) => all.forEach(({ element, tint, text }, k) => {
    const a = values[c][k], bias = c ? frame.weights[c - 1].b[k] : null, picked = chosen !== null && chosen[0] === c && chosen[1] === k;
    tint.setAttribute("class", `tint ${sign(a)}`);
    tint.setAttribute("fill-opacity", Number.isFinite(a) ? (a ? 0.1 + 0.9 * strength(a, largestValue[c]) : 0).toFixed(3) : "0.8");
    if (text) {
      text.textContent = short(a);
      text.setAttribute("class", isWild(a) ? "wild" : "");
    }
    element.classList.toggle("chosen", picked);
    element.setAttribute("aria-pressed", String(picked));
    element.setAttribute("aria-label", `${neuronName(c, k)}: ${short(a)}${bias === null ? "" : `, bias ${short(bias)}`}`);
  }));
}

// The chosen neuron, in full -------------------------------------------------------------------------------------------

const cell = (x, tag = "td") => put(tag, { class: typeof x === "number" && isWild(x) ? "wild" : null }, typeof x === "string" ? put("bdi", {}, x) : repr(x));
const row = (xs, head = true) => put("tr", {}, ...xs.map((x, i) => head && !i ? put("th", { scope: "row" }, put("bdi", {}, x)) : cell(x)));
const heads = (names) => put("thead", {}, put("tr", {}, ...names.map((name) => put("th", { scope: "col" }, put("bdi", {}, name)))));

function showDetail(frame) {
  const panel = find("detail");
  panel.hidden = !columns.length;
  if (!columns.length) return;
  panel.classList.toggle("hint", !chosen);
  if (!chosen) return panel.replaceChildren(put("p", { class: "hint" }, "Choose a neuron, with the mouse or with Tab, ↑ and ↓ and Enter, to see its numbers in full."));
  const [c, k] = chosen, values = frame.values[sample], lines = [put("h2", {}, put("bdi", {}, neuronName(c, k)))];
  const out = put("dl", {}, put("dt", {}, c ? "gives out" : "value"), put("dd", { class: isWild(values[c][k]) ? "wild" : null }, repr(values[c][k])));
  if (c) {
    const { w, b } = frame.weights[c - 1], { inputs, activation } = columns[c - 1];
    out.append(put("dt", {}, "bias"), put("dd", { class: isWild(b[k]) ? "wild" : null }, b[k] === null ? "none" : repr(b[k])));
    if (activation) out.append(put("dt", {}, "activation"), put("dd", {}, activation));
    const body = put("tbody", {}, ...Array.from({ length: inputs }, (_, j) => row([c > 1 ? `neuron ${j}` : inputName(j), values[c - 1][j], w[k * inputs + j]])));
    lines.push(out, put("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Inputs and weights" }, put("table", {}, heads([c > 1 ? `from ${columns[c - 2].name}` : "from", "input", "weight"]), body)));
  } else lines.push(out);
  panel.replaceChildren(...lines);
}

// The outputs of a model that is not drawn -----------------------------------------------------------------------------

const largestOutput = full(frames.map((f) => Math.max(...f.outputs.map(greatest), 0)));

function showOutputs(frame) {
  if (!frame.outputs.length) return;
  const found = frame.outputs[sample], n = found.length, rows = [];
  found.forEach((x, k) => {
    const name = outputName(k, n), label = samples[sample].of[0], right = n > 1 && label === k;
    const end = Number.isFinite(x) ? 50 + 49 * Math.max(-1, Math.min(1, x / (largestOutput || 1))) : 50;
    rows.push(put("span", { class: right ? "name true" : "name" }, put("bdi", {}, cut(name, 24)), right ? " (target)" : ""),
      put("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
        put("rect", { class: sign(x), x: Math.min(50, end), y: 1, width: Math.abs(end - 50), height: 8 }),
        put("line", { x1: 50, x2: 50, y1: 0, y2: 10, "vector-effect": "non-scaling-stroke" })),
      put("span", { class: isWild(x) ? "wild" : null }, short(x)));
  });
  find("outputs").replaceChildren(...rows);
}

// The layers: weights and outputs, as histograms -----------------------------------------------------------------------

const ranges = layers.map((_, l) => ["weights", "outputs"].map((what) => {
  const low = -most(frames.map((f) => -f.layers[l][what].low)), high = most(frames.map((f) => f.layers[l][what].high));
  return span(low, high);
}));

function bars(heights, { low, high }, [left, right]) {
  const x = (v) => 200 * Math.max(0, Math.min(1, (v - left) / (right - left)));
  const from = x(low), width = Math.max(2, x(high) - from), each = width / bins;
  let path = `M${from} 34`;
  heights.forEach((h, i) => { path += `V${34 - 32 * h / 255}H${(from + each * (i + 1)).toFixed(1)}`; });
  const svg = put("svg", { class: "bars", viewBox: "0 0 200 36", preserveAspectRatio: "none", "aria-hidden": "true" });
  if (Number.isFinite(low)) svg.append(put("path", { d: path + "V34Z" }));
  svg.append(put("line", { x1: 0, x2: 200, y1: 34.5, y2: 34.5, "vector-effect": "non-scaling-stroke" }));
  if (left < 0 && right > 0) svg.append(put("line", { class: "zero", x1: x(0), x2: x(0), y1: 30, y2: 36, "vector-effect": "non-scaling-stroke" }));
  return put("div", {}, svg, put("div", { class: "ends", "aria-hidden": "true" }, put("span", {}, short(left)), put("span", {}, short(right))));
}

function statistics({ mean, deviation, odd }) {
  const text = Number.isFinite(mean) ? `${short(mean)} ± ${short(deviation)}` : "";
  return put("div", {}, text, odd ? put("span", { class: "wild" }, `${text ? ", " : ""}${odd.toLocaleString("en")} nan or inf`) : "");
}

function showLayers(frame) {
  if (!layers.length) return;
  const slopes = frames.some((f) => f.layers.some(({ slope }) => slope >= 0 || Number.isNaN(slope)));
  const names = ["layer", "parameters: mean ± deviation", "outputs for the samples", ...(slopes ? ["|gradient|"] : [])];
  const body = layers.map(({ name, outputs }, l) => {
    const { weights: w, outputs: a, slope, bars: [first, second] } = frame.layers[l];
    const known = !(slope < 0);
    const label = (k) => put("span", { class: "label", "aria-hidden": "true" }, names[k]); // where a phone has no heads
    return put("tr", {}, put("th", { scope: "row" }, put("bdi", {}, cut(name, 40))),
      put("td", {}, label(1), bars(first, w, ranges[l][0]), statistics(w)),
      put("td", {}, label(2), outputs ? bars(second, a, ranges[l][1]) : "", outputs ? statistics(a) : "-"),
      slopes ? put("td", {}, label(3), put("span", { class: known && isWild(slope) ? "wild" : null }, known ? short(slope) : "-")) : null);
  });
  find("layers").replaceChildren(heads(names), put("tbody", {}, ...body));
}

// The function over its inputs -----------------------------------------------------------------------------------------

const SHAPES = {
  o: (r) => `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`, s: (r) => `M${-r} ${-r}H${r}V${r}H${-r}Z`,
  "^": (r) => `M0 ${-1.2 * r}L${1.2 * r} ${r}H${-1.2 * r}Z`, D: (r) => `M0 ${-1.3 * r}L${1.3 * r} 0L0 ${1.3 * r}L${-1.3 * r} 0Z`,
  v: (r) => `M0 ${1.2 * r}L${1.2 * r} ${-r}H${-1.2 * r}Z`, P: (r) => `M${-r / 3} ${-r}H${r / 3}V${-r / 3}H${r}V${r / 3}H${r / 3}V${r}H${-r / 3}V${r / 3}H${-r}V${-r / 3}H${-r / 3}Z`,
};
const shapes = Object.values(SHAPES);
const marker = (label, r) => shapes[label === null ? 0 : label % shapes.length](r);
const isTwo = classes.length === 2;
const axes = { left: 46, right: 13, top: 8, bottom: 22 };
let scales = null; // from numbers to places in the plot

/** Round numbers between low and high, some `wanted` of them. */
function ticks(low, high, wanted) {
  const rough = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough) || rough, found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step && found.length < 20; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

function range(i) {
  if (plane.kind !== "curve" || i === 0) return [plane.low[i], plane.high[i]];
  const found = frames.flatMap((f) => f.curves.flatMap((c) => [...c])), low = -most(found.map((v) => -v)), high = most(found);
  if (plane.outputs > 1) return span(low, high);
  const [a, b] = plane.range, room = 0.6 * (b - a); // as far as the targets, and somewhat beyond
  return [Math.max(a - room, Math.min(low, a - 0.1 * (b - a))), Math.min(b + room, Math.max(high, b + 0.1 * (b - a)))];
}

function buildFunction() {
  const plot = find("plot"), room = find("function-panel").clientWidth - 24, flat = plane.kind === "curve";
  const width = Math.max(220, Math.min(room, flat ? 560 : 400)), height = flat ? Math.min(300, 0.7 * width) : width - axes.left - axes.right + axes.top + axes.bottom;
  const svg = find("function"), [x0, x1] = range(0), [y0, y1] = range(1);
  const w = width - axes.left - axes.right, h = height - axes.top - axes.bottom;
  scales = { x: (v) => axes.left + w * (v - x0) / (x1 - x0), y: (v) => axes.top + h * (1 - (v - y0) / (y1 - y0)), w, h, y0, y1 };
  plot.style.maxWidth = `${width}px`;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("class", isTwo ? "two" : "");
  svg.replaceChildren();
  const ground = find("ground"), percent = (v, of) => `${(100 * v / of).toFixed(3)}%`;
  Object.assign(ground.style, { left: percent(axes.left, width), top: percent(axes.top, height), width: percent(w, width), height: percent(h, height) });
  find("field").hidden = flat;
  if (!flat) { // a pixel for each place; those at the edge are cut in half
    Object.assign(find("field"), { width: plane.n, height: plane.n });
    Object.assign(find("field").style, { width: percent(plane.n, plane.n - 1), height: percent(plane.n, plane.n - 1), left: percent(-0.5, plane.n - 1), top: percent(-0.5, plane.n - 1) });
  }
  const under = put("g", {}), over = put("g", {});
  for (const v of ticks(x0, x1, w / 70)) under.append(put("text", { class: "ticks", x: scales.x(v), y: height - 7, "text-anchor": "middle" }, short(v)));
  for (const v of ticks(y0, y1, h / 45)) {
    if (flat) under.append(put("line", { class: "rule", x1: axes.left, x2: axes.left + w, y1: scales.y(v), y2: scales.y(v) }));
    under.append(put("text", { class: "ticks", x: axes.left - 5, y: scales.y(v) + 4, "text-anchor": "end" }, short(v)));
  }
  if (flat && plane.threshold !== null) under.append(put("line", { class: "axis", "stroke-dasharray": "4 3", x1: axes.left, x2: axes.left + w, y1: scales.y(plane.threshold), y2: scales.y(plane.threshold) }));
  under.append(put("rect", { class: "axis", x: axes.left, y: axes.top, width: w, height: h }));
  const lines = flat ? frames[0].curves.map((_, k) => put("path", { class: `line s${k % 6}` })) : [put("path", { class: "border" })];
  for (const point of plane.points) over.append(dot(point, "dot", plane.points.length > 150 ? 2.6 : 3.6));
  const watched = samples.map((s, i) => {
    const element = dot([...s.x.map(number), ...s.of], "watched", 5.5);
    element.append(put("title", {}, sampleName(s)));
    element.addEventListener("click", () => pick(i));
    return element;
  });
  const here = put("circle", { class: "here", r: 10 });
  svg.append(under, ...(flat ? [over, ...lines] : [...lines, over]), ...watched, here);
  Object.assign(scales, { lines, here });
}

/** Where a sample stands, in the shape and colour of its class, or in the colour of its target. */
function spot([a, b, c, d]) {
  const flat = plane.kind === "curve", label = flat ? b : c, value = number(flat ? c : d);
  const rug = flat && plane.outputs > 1 && label !== null; // classes have no height: they stand on the axis
  const y = flat ? (rug ? scales.y0 : value) : b;
  return { x: scales.x(a), y: Number.isFinite(y) ? scales.y(Math.max(scales.y0, Math.min(scales.y1, y))) - (rug ? 5 : 0) : axes.top, label, value };
}

function dot(point, kind, r) {
  const { x, y, label, value } = spot(point), [low, high] = plane.range, t = 2 * (value - low) / (high - low) - 1;
  const colour = label !== null ? `k${label % 8}` : plane.kind === "curve" ? "unknown" : Number.isFinite(t) ? `signed-${t < 0 ? "n" : "p"}` : "unknown";
  const opacity = label === null && plane.kind === "values" && Number.isFinite(t) ? (0.15 + 0.85 * Math.abs(t)).toFixed(2) : null;
  return put("path", { class: `${kind} ${colour}${opacity ? " of-value" : ""}`, d: marker(label, r), transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`, "fill-opacity": opacity });
}

/** What a byte says, as `Function` in Python wrote it: the class k, by how much it is ahead, how deep its colour is. */
function level(byte) {
  if (byte === 255) return { k: 0, ahead: 0, deep: 0, wild: true };
  if (plane.kind === "values") return { k: Number(byte > 127), ahead: 0, deep: Math.abs(byte / 127 - 1), wild: false };
  const part = (Math.floor(byte / classes.length) / (Math.floor(255 / classes.length) - 1)) ** 2, ahead = part / Math.max(1e-3, 1 - part);
  return { k: byte % classes.length, ahead, deep: Math.tanh(ahead), wild: false };
}

const colourOf = (name) => {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
};

function paintField(frame) {
  const { n } = plane, canvas = find("field"), paper = canvas.getContext("2d", { willReadFrequently: true }), image = paper.createImageData(n, n);
  const palette = classes.length > 2 ? classes.map((_, k) => colourOf(`--c${k % 8}`)) : [colourOf("--neg"), colourOf("--pos")], wild = colourOf("--wild");
  frame.field.forEach((byte, i) => {
    const { k, deep, wild: odd } = level(byte), at = 4 * ((n - 1 - Math.floor(i / n)) * n + i % n);
    const alpha = odd ? 0.5 : plane.kind === "values" ? 0.85 * deep : 0.14 + 0.5 * deep;
    image.data.set([...(odd ? wild : palette[k]), Math.round(255 * alpha)], at);
  });
  paper.putImageData(image, 0, 0);
}

/** Where one class ends and another begins: between two places with a different class, nearer to that less sure. */
function borders(field) {
  const { n } = plane, [x0, y0] = plane.low, dx = (plane.high[0] - x0) / (n - 1), dy = (plane.high[1] - y0) / (n - 1);
  const levels = Array.from(field, level);
  let path = "";
  for (let k = isTwo ? 1 : 0; k < classes.length; k++) {
    if (!levels.some((v) => v.k === k && !v.wild)) continue;
    const f = (i, j) => { const v = levels[j * n + i]; return v.wild ? NaN : (v.k === k ? 1 : -1) * (v.ahead + 1e-5); };
    for (let j = 0; j < n - 1; j++) for (let i = 0; i < n - 1; i++) {
      const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]], found = [];
      corners.forEach((a, m) => {
        const b = corners[(m + 1) % 4], u = f(...a), v = f(...b);
        if (!(u * v < 0)) return;
        const t = u / (u - v);
        found.push([x0 + dx * (a[0] + t * (b[0] - a[0])), y0 + dy * (a[1] + t * (b[1] - a[1]))]);
      });
      for (let m = 0; m + 1 < found.length; m += 2) {
        const [a, b] = [found[m], found[m + 1]];
        path += `M${scales.x(a[0]).toFixed(1)} ${scales.y(a[1]).toFixed(1)}L${scales.x(b[0]).toFixed(1)} ${scales.y(b[1]).toFixed(1)}`;
      }
    }
  }
  return path;
}

function curve(ys) {
  const [x0] = plane.low, step = (plane.high[0] - x0) / (plane.n - 1), beyond = 3 * (scales.y1 - scales.y0);
  let path = "", pen = false;
  ys.forEach((y, i) => {
    if (!Number.isFinite(y)) { pen = false; return; }
    const far = Math.max(scales.y0 - beyond, Math.min(scales.y1 + beyond, y));
    path += `${pen ? "L" : "M"}${scales.x(x0 + i * step).toFixed(1)} ${scales.y(far).toFixed(1)}`;
    pen = true;
  });
  return path;
}

function showFunction(frame) {
  if (!plane) return;
  if (frame.field) {
    paintField(frame);
    if (plane.kind === "classes") scales.lines[0].setAttribute("d", borders(frame.field));
  }
  frame.curves.forEach((ys, k) => scales.lines[k].setAttribute("d", curve(ys)));
  if (samples.length) {
    const { x, y } = spot([...samples[sample].x.map(number), ...samples[sample].of]);
    Object.entries({ cx: x, cy: y }).forEach(([key, v]) => scales.here.setAttribute(key, v.toFixed(1)));
  }
  const odd = frame.field ? frame.field.reduce((sum, byte) => sum + (byte === 255), 0) : frame.curves.reduce((sum, ys) => sum + ys.filter((y) => !Number.isFinite(y)).length, 0);
  const places = odd ? put("span", { class: "wild" }, ` nan or inf at ${odd} of ${frame.field ? frame.field.length : frame.curves.length * plane.n} places.`) : "";
  const shown = plane.of > plane.points.length ? ` ${plane.points.length} of ${plane.of.toLocaleString("en")} samples are drawn.` : "";
  const said = plane.kind === "classes" ? `The line: ${plane.rule}. A deeper colour is surer.` : plane.rule ? `The broken line: ${plane.rule}.` : "";
  find("rule").replaceChildren(said + shown, places);
}

function functionKey() {
  const items = [], icon = (...inside) => put("svg", { viewBox: "-13 -7 26 14", "aria-hidden": "true", class: isTwo ? "two" : "" }, ...inside);
  const item = (picture, text) => items.push(put("li", {}, picture, put("bdi", {}, cut(text, 40))));
  if (plane.kind === "curve") frames[0].curves.forEach((_, k) => item(icon(put("path", { class: `line s${k % 6}`, d: "M-12 0H12" })), outputName(k, plane.outputs)));
  if (plane.kind === "values") items.push(put("li", {}, short(plane.range[0]), put("svg", { class: "scale", "aria-hidden": "true" }), short(plane.range[1])));
  if (classes.length) classes.forEach((name, k) => item(icon(put("path", { class: `dot k${k % 8}`, d: marker(k, 4.5) })), isTwo || plane.kind !== "curve" ? `class ${name}` : `class ${name}, at the foot`));
  else item(icon(put("path", { class: `dot ${plane.kind === "curve" ? "unknown" : "signed-p"}`, d: marker(null, 4) })), "samples");
  find("function-key").replaceChildren(...items);
  find("function-title").textContent = plane.kind === "classes" ? "Decision boundary" : "The function";
  find("function").setAttribute("aria-label", plane.kind === "classes" ? "Which class the model finds where, and the samples" : plane.kind === "curve" ? "The output over the input, and the samples" : "The output as colour over both inputs, and the samples");
}

// Curves over the epochs -----------------------------------------------------------------------------------------------

class Chart {
  constructor(id, names) {
    Object.assign(this, { svg: find(id), key: find(`${id}-key`), names, log: false });
    if (!names.length) return;
    const jump = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const { left, width } = this.svg.getBoundingClientRect(), at = (event.clientX - left) / width * this.width;
      const epoch = (at - axes.left) / this.w * this.end, far = (f) => Math.abs(f.epoch - epoch);
      player.stop();
      go(frames.reduce((best, f, i) => far(f) < far(frames[best]) ? i : best, 0));
    };
    this.svg.addEventListener("pointerdown", jump);
    this.svg.addEventListener("pointermove", jump);
  }

  /** The finite numbers of all lines, as far as they can be drawn. */
  finite() {
    return this.names.flatMap((k) => [...history.values[k]]).filter((x) => Number.isFinite(x) && (!this.log || x > 0));
  }

  build() {
    if (!this.names.length) return;
    const { svg } = this, width = Math.max(240, svg.parentElement.clientWidth - 24), height = 170, found = this.finite();
    const scale = this.log ? Math.log10 : (x) => Math.max(-LARGE, Math.min(LARGE, x)), w = width - axes.left - axes.right, h = height - axes.top - axes.bottom;
    let [low, high] = span(found.length ? Math.min(...found) : 0, found.length ? Math.max(...found) : 1);
    if (!this.log && low > 0 && low < 0.4 * high) low = 0;
    const [a, b] = [scale(low), scale(high)], edge = 0.04 * (b - a);
    this.end = Math.max(1, ...frames.map((f) => f.epoch), ...history.epochs);
    this.x = (epoch) => axes.left + w * epoch / this.end;
    this.y = (v) => axes.top + h * (1 - (scale(v) - a + edge) / (b - a + 2 * edge));
    Object.assign(this, { width, height, w });
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren();
    for (const v of ticks(0, this.end, w / 70)) if (Number.isInteger(v)) svg.append(put("text", { class: "ticks", x: this.x(v), y: height - 7, "text-anchor": "middle" }, String(v)));
    for (const v of this.log ? powers(a, b) : ticks(low, high, 4)) {
      svg.append(put("line", { class: "rule", x1: axes.left, x2: axes.left + w, y1: this.y(v), y2: this.y(v) }),
        put("text", { class: "ticks", x: axes.left - 5, y: this.y(v) + 4, "text-anchor": "end" }, short(v)));
    }
    svg.append(put("rect", { class: "axis", x: axes.left, y: axes.top, width: w, height: h }));
    this.names.forEach((k, i) => svg.append(put("path", { class: `line s${i % 6}`, "stroke-dasharray": dashes(k), d: this.path(k) }), ...this.oddities(k)));
    this.cursor = put("line", { class: "cursor", y1: axes.top, y2: axes.top + h });
    this.dots = this.names.map((_, i) => put("circle", { class: `f${i % 6}`, r: 4 }));
    svg.append(this.cursor, ...this.dots);
    const names = this.names.map((k) => cut(history.names[k], 40));
    svg.setAttribute("aria-label", `${names.join(", ")} over the epochs 0 to ${Math.floor(this.end)}; the numbers stand in the table of all epochs`);
  }

  path(k) {
    let path = "", pen = false;
    history.values[k].forEach((v, i) => {
      if (!Number.isFinite(v) || (this.log && v <= 0)) { pen = false; return; }
      path += `${pen ? "L" : "M"}${this.x(history.epochs[i]).toFixed(1)} ${this.y(v).toFixed(1)}`;
      if (!pen) path += "h.01"; // one number alone is a dot
      pen = true;
    });
    return path;
  }

  /** What is nan or inf stands at the upper edge, the first of a row of them. */
  oddities(k) {
    const values = history.values[k];
    return history.epochs.flatMap((epoch, i) => isWild(values[i]) && (!i || !isWild(values[i - 1]))
      ? [put("text", { class: "wild", x: this.x(epoch), y: axes.top + 12, "text-anchor": this.x(epoch) > this.width - 60 ? "end" : "start" }, repr(values[i]))] : []);
  }

  show(frame) {
    if (!this.names.length) return;
    for (const end of ["x1", "x2"]) this.cursor.setAttribute(end, this.x(frame.epoch).toFixed(1));
    const items = this.names.map((k, i) => {
      const v = numberOf(k, frame), there = v !== null && Number.isFinite(v) && (!this.log || v > 0);
      this.dots[i].setAttribute("visibility", there ? "visible" : "hidden");
      if (there) Object.entries({ cx: this.x(frame.epoch), cy: this.y(v) }).forEach(([key, at]) => this.dots[i].setAttribute(key, at.toFixed(1)));
      return put("li", {}, put("svg", { viewBox: "0 0 26 14", "aria-hidden": "true" }, put("path", { class: `line s${i % 6}`, "stroke-dasharray": dashes(k), d: "M1 7H25" })),
        put("bdi", {}, cut(history.names[k], 40)), put("span", { class: isWild(v) ? "wild" : null }, short(v)));
    });
    this.key.replaceChildren(...items);
  }
}

const dashes = (k) => history.names[k].startsWith("val_") ? "6 4" : null;

function powers(a, b) {
  const found = [], step = Math.max(1, Math.ceil((b - a) / 5));
  for (let e = Math.ceil(a); e <= b; e += step) found.push(10 ** e);
  return found.length > 1 ? found : ticks(10 ** a, 10 ** b, 4).filter((v) => v > 0);
}

const isLoss = (name) => /^(val_)?loss$/.test(name);
const charts = [true, false].map((losses) => new Chart(losses ? "loss" : "metrics", [...history.names.keys()].filter((k) => isLoss(history.names[k]) === losses)));

// Tables ---------------------------------------------------------------------------------------------------------------

function buildFramesTable() {
  const body = frames.map((f, i) => row([frameName(i), ...history.names.map((_, k) => numberOf(k, f))]));
  find("frames-table").querySelector(".scroll").replaceChildren(put("table", {}, heads(["epoch", ...history.names]), put("tbody", {}, ...body)));
}

function showTables(frame) {
  if (find("frames-table").open) {
    const rows = find("frames-table").querySelectorAll("tbody tr");
    rows.forEach((tr, i) => { if (i === now) tr.setAttribute("aria-current", "true"); else tr.removeAttribute("aria-current"); });
  }
  if (!find("numbers-table").open) return;
  const tables = sizes.map((size, c) => {
    const { name, inputs } = c ? columns[c - 1] : { name: "inputs", inputs: 0 };
    const names = [c ? "neuron" : "input", c ? "gives out" : "value", ...(c ? ["bias", ...Array.from({ length: inputs }, (_, j) => `w[${j}]`)] : [])];
    const rows = Array.from({ length: size }, (_, k) => row([c ? String(k) : inputName(k), frame.values[sample][c][k],
      ...(c ? [frame.weights[c - 1].b[k], ...frame.weights[c - 1].w.subarray(k * inputs, (k + 1) * inputs)] : [])]));
    return put("table", {}, put("caption", {}, put("bdi", {}, name)), heads(names), put("tbody", {}, ...rows));
  });
  if (frame.outputs.length) {
    const found = frame.outputs[sample], rows = Array.from(found, (x, k) => row([outputName(k, found.length), x]));
    tables.push(put("table", {}, put("caption", {}, "outputs for the sample"), heads(["output", "number"]), put("tbody", {}, ...rows)));
  }
  const rows = layers.map(({ name, weights }, l) => {
    const { weights: w, outputs: a, slope } = frame.layers[l];
    return row([name, String(weights), w.mean, w.deviation, w.low, w.high, a.mean, a.deviation, a.low, a.high, slope < 0 ? null : slope].map((x, i) => i > 5 && i < 10 && !layers[l].outputs ? null : x));
  });
  const of = (what) => ["mean", "deviation", "smallest", "largest"].map((name) => `${what}: ${name}`);
  if (layers.length) tables.push(put("table", {}, put("caption", {}, "layers"), heads(["layer", "parameters", ...of("parameters"), ...of("outputs"), "|gradient|"]), put("tbody", {}, ...rows)));
  find("numbers-table").querySelector(".scroll").replaceChildren(...tables);
}

// One frame ------------------------------------------------------------------------------------------------------------

let now = total, sample = 0;

function show() {
  const frame = frames[now], name = frameName(now);
  const numbers = history.names.flatMap((_, k) => {
    const v = numberOf(k, frame);
    return v === null ? [] : [put("span", {}, put("bdi", {}, cut(history.names[k], 40)), " ", put("span", { class: isWild(v) ? "wild" : null }, short(v)))];
  });
  find("state").replaceChildren(put("b", {}, name), ...numbers);
  showNetwork(frame);
  showDetail(frame);
  showOutputs(frame);
  showLayers(frame);
  showFunction(frame);
  for (const chart of charts) chart.show(frame);
  showTables(frame);
  find("position").max = total;
  find("position").value = now;
  find("position").setAttribute("aria-valuetext", name);
  find("where").textContent = frame.note ? `Epoch ${lastEpoch}${frame.epoch > lastEpoch ? ", unfinished" : ", the end"}` : name + (now === total ? " (end)" : "");
}

function go(to) {
  now = Math.max(0, Math.min(total, to));
  find("state").setAttribute("aria-live", player.playing() ? "off" : "polite"); // nobody reads so fast
  show();
}

function pick(i) {
  if (!samples.length) return;
  sample = (i + samples.length) % samples.length;
  find("sample").selectedIndex = sample;
  show();
}

const player = stepper({
  at: () => now, total: () => total, go, wait: () => Math.max(50, Math.min(700, 14000 / (total + 1))),
  keys: { first: "Home", previous: "←", play: "space", next: "→", last: "End" },
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || find("help").open) return;
  const target = event.target, slider = target.matches("input[type=range]");
  if (target.matches("select, input") && !slider) return;
  const own = slider || target.closest(".scroll"), inNetwork = target.closest("#network");
  const keys = {
    ArrowRight: () => own ? true : go(now + 1), ArrowLeft: () => own ? true : go(now - 1), n: () => go(now + 1), p: () => go(now - 1),
    Home: () => go(0), End: () => go(total), "<": () => player.faster(-1), ">": () => player.faster(1),
    "[": () => pick(sample - 1), "]": () => pick(sample + 1), "?": () => find("help").showModal(),
    " ": () => { if (target.matches("button, summary")) return true; player.toggle(); },
    Enter: () => { if (!inNetwork || !target.matches(".neuron")) return true; target.dispatchEvent(new MouseEvent("click")); },
    ArrowDown: () => inNetwork ? walk(1) : true, ArrowUp: () => inNetwork ? walk(-1) : true,
    Escape: () => choose(null),
  };
  const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (act && act() !== true) event.preventDefault();
});

// Beginning ------------------------------------------------------------------------------------------------------------

function build() {
  if (columns.length) buildNetwork();
  if (plane) buildFunction();
  for (const chart of charts) chart.build();
  show();
}

samples.forEach((s, i) => find("sample").append(put("option", { value: i }, sampleName(s))));
find("chooser").hidden = !samples.length || !(columns.length || data.outputs);
find("network-panel").hidden = !columns.length;
find("outputs-panel").hidden = !data.outputs;
find("layers-panel").hidden = !layers.length;
find("function-panel").hidden = !plane;
charts.forEach(({ names, svg }) => { svg.parentElement.hidden = !names.length; });
for (const side of document.querySelectorAll(".side")) {
  side.hidden = [...side.children].every((panel) => panel.hidden);
  if (side.hidden) document.querySelector("main").classList.add("single");
}
find("log-label").hidden = !history.names.some(isLoss) || charts[0].finite().some((x) => x <= 0);
find("remarks").textContent = data.remarks.join(" ");
find("network-key").textContent = columns.length ? `${data.model}. Blue is positive, orange negative; the widest line is a weight of ±${short(largestWeight)}${largestWeight ? " or more" : ""}.` : "";
find("numbers-table").hidden = !columns.length && !data.outputs && !layers.length;
find("where").setAttribute("aria-live", "off"); // the state says it
if (plane) functionKey();
buildFramesTable();
find("sample").addEventListener("change", (event) => pick(event.target.selectedIndex));
find("sample-previous").addEventListener("click", () => pick(sample - 1));
find("sample-next").addEventListener("click", () => pick(sample + 1));
find("log").addEventListener("change", (event) => { charts[0].log = event.target.checked; charts[0].build(); show(); });
for (const id of ["frames-table", "numbers-table"]) find(id).addEventListener("toggle", () => showTables(frames[now]));
find("theme").addEventListener("click", () => showFunction(frames[now]));
for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", () => showFunction(frames[now]));
let width = 0;
window.addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; build(); } });
width = innerWidth;
build();
window.recording = { repr, short, frames, go }; // for whoever checks the numbers
