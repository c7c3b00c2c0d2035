// What all pages share: numbers as Python writes them, elements, the stepper at the foot, light and dark. The script of
// a page is this file and then its own, within one function; `data` is all that Python has written into the page.

const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);

// Numbers as Python writes them -----------------------------------------------------------------------------------

const number = (x) => x === "nan" ? NaN : x === "inf" ? Infinity : x === "-inf" ? -Infinity : x;

function special(x) {
  return Number.isNaN(x) ? "nan" : x === Infinity ? "inf" : x === -Infinity ? "-inf" : x === 0 ? (Object.is(x, -0) ? "-0" : "0") : "";
}

/** Digits and a decimal exponent as text, in the way of repr and of format(x, ".4g"). */
function written(sign, digits, exponent, most) {
  if (exponent < -4 || exponent >= most) {
    const power = String(Math.abs(exponent)).padStart(2, "0");
    return sign + digits[0] + (digits.length > 1 ? "." + digits.slice(1) : "") + "e" + (exponent < 0 ? "-" : "+") + power;
  }
  if (exponent < 0) return sign + "0." + "0".repeat(-exponent - 1) + digits;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0"), rest = digits.slice(exponent + 1);
  return sign + whole + (rest ? "." + rest : "");
}

/** repr(x) of Python. */
function repr(x) {
  if (x === null || x === undefined) return "-";
  const odd = special(x);
  if (odd) return odd.endsWith("0") ? odd + ".0" : odd;
  const [mantissa, exponent] = Math.abs(x).toExponential().split("e");
  const text = written(x < 0 ? "-" : "", mantissa.replace(".", ""), Number(exponent), 16);
  return /[.e]/.test(text) ? text : text + ".0";
}

/** format(x, ".4g") of Python. */
function short(x) {
  if (x === null || x === undefined) return "-";
  const odd = special(x);
  if (odd) return odd;
  let [mantissa, exponent] = Math.abs(x).toExponential(3).split("e");
  const exact = Math.abs(x).toExponential(40).split("e")[0].replace(".", "");
  if (/^\d{4}50*$/.test(exact) && Number(exact[3]) % 2 === 0) mantissa = exact[0] + "." + exact.slice(1, 4); // a tie goes to the even digit
  const digits = mantissa.replace(".", "").replace(/0+$/, "");
  return written(x < 0 ? "-" : "", digits, Number(exponent), 4);
}

// Text and elements ---------------------------------------------------------------------------------------------------

const counted = (n, what) => `${n.toLocaleString("en")} ${what}${n > 1 ? "s" : ""}`;

function cut(text, most) {
  let width = 0, kept = "";
  for (const c of text) {
    width += c.codePointAt(0) > 0x10ff ? 2 : 1;
    if (width > most) return kept.replace(/.$/u, "") + "…";
    kept += c;
  }
  return kept;
}

function put(tag, attributes = {}, ...inside) {
  const svg = ["svg", "g", "rect", "path", "text", "line", "circle"].includes(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [key, x] of Object.entries(attributes)) if (x !== null && x !== false) element.setAttribute(key, x);
  element.append(...inside.filter((x) => x !== null));
  return element;
}

// The stepper ---------------------------------------------------------------------------------------------------------

/** The buttons, slider and speed at the foot: `at()` is the step shown of `total()`, `go` shows another; `keys` by button. */
function stepper({ at, total, go, wait, keys }) {
  const play = find("play"), speed = find("speed");
  let timer = 0;
  const playing = (now) => {
    play.setAttribute("aria-pressed", String(now));
    play.setAttribute("aria-label", now ? "Pause" : "Play");
  };
  const stop = () => { clearTimeout(timer); timer = 0; playing(false); };
  const later = () => { timer = setTimeout(() => { go(at() + 1); if (at() < total()) later(); else stop(); }, wait() / Number(speed.value)); };
  const toggle = () => {
    if (timer) return stop();
    playing(true);
    later();
    if (at() >= total()) go(0);
  };
  const targets = { first: () => 0, previous: () => at() - 1, next: () => at() + 1, last: total };
  for (const [id, target] of Object.entries(targets)) find(id).addEventListener("click", () => go(target()));
  for (const [id, key] of Object.entries(keys)) find(id).title = `${find(id).getAttribute("aria-label")} (${key})`;
  play.addEventListener("click", toggle);
  find("position").addEventListener("input", (event) => { stop(); go(Number(event.target.value)); });
  return {
    toggle, stop, playing: () => timer !== 0,
    faster: (by) => { speed.selectedIndex = Math.max(0, Math.min(speed.options.length - 1, speed.selectedIndex + by)); },
  };
}

// The buttons at the head ---------------------------------------------------------------------------------------------

function setTheme() {
  const html = document.documentElement;
  const dark = html.dataset.theme === "dark" || (html.dataset.theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  html.dataset.theme = dark ? "light" : "dark";
}

find("theme").addEventListener("click", setTheme);
find("help-button").addEventListener("click", () => find("help").showModal());
find("help-close").addEventListener("click", () => find("help").close());
