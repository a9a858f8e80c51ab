// SVG, scales and labels: the same look as the figures.

const svgSpace = "http://www.w3.org/2000/svg";

function svg(name, attributes = {}, ...children) {
  const e = document.createElementNS(svgSpace, name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

function html(name, attributes = {}, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

// pieces cuts "η*_{var} / η" into texts and scripts.
function pieces(label) {
  return [...label.matchAll(/([_^])\{([^}]*)\}|([^_^]+|[_^])/g)].map(m => m[1] ? {text: m[2], shift: m[1] === "_" ? 1 : -1} : {text: m[3], shift: 0});
}

// plain is a label where there are no subscripts.
function plain(label) { return pieces(label).map(p => (p.shift ? "_" : "") + p.text).join(""); }

// marked is a label as nodes of HTML.
function marked(label) { return pieces(label).map(p => p.shift > 0 ? html("sub", {}, p.text) : p.shift < 0 ? html("sup", {}, p.text) : p.text); }

// wrapped breaks a text at spaces and hyphens into lines of at most n letters; what does
// not fit into so many lines ends in dots.
function wrapped(text, n, most) {
  const lines = [""];
  for (const part of text.split(/(?<=[ -])/)) {
    const last = lines.length - 1;
    if (lines[last] && (lines[last] + part).trimEnd().length > n) lines.push(part);
    else lines[last] += part;
  }
  return lines.slice(0, most).map((l, k) => {
    const goesOn = k === most - 1 && lines.length > most;
    l = l.trimEnd();
    return l.length > n || goesOn ? l.slice(0, Math.max(n - 1, 1)) + "…" : l;
  });
}

function svgText(x, y, label, attributes = {}) {
  const t = svg("text", {x, y, ...attributes});
  let low = 0;
  for (const p of pieces(label)) {
    const dy = 3 * p.shift - low;
    low = 3 * p.shift;
    t.append(svg("tspan", p.shift ? {dy, "font-size": "75%"} : {dy}, p.text));
  }
  return t;
}

// The colour map of the figures (viridis without its last twentieth).
const anchors = [[0x44, 0x01, 0x54], [0x48, 0x21, 0x73], [0x43, 0x3e, 0x85], [0x38, 0x58, 0x8c], [0x2d, 0x70, 0x8e], [0x25, 0x85, 0x8e],
  [0x1e, 0x9b, 0x8a], [0x2b, 0xb0, 0x7f], [0x51, 0xc5, 0x6a], [0x85, 0xd5, 0x4a], [0xc2, 0xdf, 0x23]];

// Its dark end vanishes on dark paper, and is left out there.
const dark = matchMedia("screen and (prefers-color-scheme: dark)");

function ramp(t) {
  if (dark.matches) t = 0.28 + 0.72 * t;
  t = Math.min(Math.max(t, 0), 1) * (anchors.length - 1);
  const i = Math.min(Math.floor(t), anchors.length - 2), f = t - i;
  return `rgb(${anchors[i].map((a, c) => Math.round(a + f * (anchors[i + 1][c] - a))).join(",")})`;
}

// Colours of words: those of Okabe and Ito (2008), told apart by the colour-blind.
const wordColors = ["rgb(0,114,178)", "rgb(230,159,0)", "rgb(0,158,115)", "rgb(204,121,167)", "rgb(86,180,233)", "rgb(213,94,0)", "rgb(240,228,66)", "rgb(153,153,153)"];
const noColor = "rgb(153,153,153)";

// inked is a colour for lines and rings, as in the figures: darker where it would have a
// contrast below 3 to white paper.
function inked(color) {
  if (dark.matches) return color;
  const parts = color.match(/\d+/g).map(Number), [r, g, b] = parts.map(v => Math.pow(v / 255, 2.2));
  const part = Math.min(1, Math.pow(0.29 / (0.2126 * r + 0.7152 * g + 0.0722 * b), 1 / 2.2));
  return `rgb(${parts.map(v => Math.round(part * v)).join(",")})`;
}

// A Scale maps [lo, hi] to [from, to], linearly or in the logarithm.
class Scale {
  constructor(lo, hi, log, from, to) { Object.assign(this, {lo, hi, log, from, to}); }

  part(v) { return this.log ? Math.log(v / this.lo) / Math.log(this.hi / this.lo) : (v - this.lo) / (this.hi - this.lo); }

  at(v) { return this.from + this.part(v) * (this.to - this.from); }

  inverse(p) {
    const t = (p - this.from) / (this.to - this.from);
    return this.log ? this.lo * Math.pow(this.hi / this.lo, t) : this.lo + t * (this.hi - this.lo);
  }
}

// spanOf is the interval of an axis that holds the values, with a margin.
function spanOf(values, log) {
  let lo = Infinity, hi = -Infinity;
  for (const v of values) {
    if (v < lo) lo = v;
    if (v > hi) hi = v;
  }
  if (lo > hi) return [0, 1];
  if (log) {
    const f = hi / lo < 1.001 ? 1.5 : Math.pow(hi / lo, 0.06);
    return [lo / f, hi * f];
  }
  const by = hi - lo > 1e-9 * Math.max(Math.abs(lo), Math.abs(hi)) ? 0.06 * (hi - lo) : Math.abs(lo) * 0.1 || 1;
  return [lo - by, hi + by];
}

// ticksOf are {at, label} for an axis with room for n labels, none of which touches the
// next; preferred values, such as those of the grid, are taken if they fit.
function ticksOf(scale, n, preferred) {
  const across = scale.to > scale.from; // a line of text is as long as it has letters, and as high as one
  const half = t => across ? 3.4 * plain(t.label).length + 3 : 6;
  const fits = ticks => ticks.every((t, i) => i === 0 || Math.abs(scale.at(t.at) - scale.at(ticks[i - 1].at)) >= half(t) + half(ticks[i - 1]));
  const labelled = values => values.map(v => ({at: v, label: power(v)}));
  const inside = labelled(preferred.filter(v => v >= scale.lo && v <= scale.hi));
  if (inside.length > 1 && inside.length <= n + 2 && fits(inside)) return inside;
  if (scale.log && scale.hi > 2.5 * scale.lo) {
    const first = Math.floor(Math.log10(scale.lo)), last = Math.ceil(Math.log10(scale.hi));
    for (const [digits, stride] of [[[1, 2, 3, 5, 7], 1], [[1, 2, 5], 1], [[1, 3], 1], [[1], 1], [[1], 2], [[1], 3], [[1], 5], [[1], 10], [[1], 30], [[1], 100]]) {
      const found = [];
      for (let e = first - (((first % stride) + stride) % stride); e <= last; e += stride) {
        for (const d of digits) {
          const v = Number(`${d}e${e}`);
          if (v >= scale.lo && v <= scale.hi) found.push(v);
        }
      }
      const ticks = labelled(found);
      if (found.length <= n && fits(ticks)) return ticks;
    }
  }
  for (let most = n; ; most--) {
    const raw = (scale.hi - scale.lo) / most, size = Math.pow(10, Math.floor(Math.log10(raw)));
    const step = [1, 2, 2.5, 5, 10].find(d => d * size >= raw) * size;
    const found = [];
    for (let i = Math.ceil(scale.lo / step); i * step <= scale.hi && found.length < 20; i++) found.push(i * step);
    const largest = Math.max(...found.map(Math.abs)), digits = Math.max(2, Math.ceil(Math.log10(largest / step)) + 2);
    const ticks = labelled(found.map(v => Math.abs(v) < step / 1e6 ? 0 : +v.toPrecision(digits)));
    if (most <= 2 || fits(ticks)) return ticks;
  }
}

// power writes a tick's number in the notation of labels.
function power(v) {
  const a = Math.abs(v);
  if (a === 0 || (a >= 1e-3 && a < 1e5)) return String(v).replace("-", "−");
  const [mantissa, exponent] = v.toExponential().split("e");
  const ten = `10^{${exponent.replace("+", "").replace("-", "−")}}`;
  return mantissa === "1" ? ten : `${mantissa.replace("-", "−")}·${ten}`;
}
