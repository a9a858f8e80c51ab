// Curves draws lines through recorded values, and reads out no other. Its lines have
// x in ascending order; they belong to one point, whose values at one x are read
// together, or to a point each.

// The drawing of a point's page, as the still that it takes the place of.
const small = {width: 272, height: 168, left: 46, right: 264, above: 8, below: 132, grid: true, ticks: [5, 5]};

// The axes of whole numbers from 0, which have no other ticks.
const counted = ["step", "order k", "number"];

class Curves extends Panel {
  // find returns what is to be drawn: from the figure's element, or from the data.
  constructor(find, name, frame) {
    super(find(), name, frame);
    this.find = find;
    this.begin("Axes", [this.scaling("x"), this.scaling("y")]);
  }

  prepare() {
    const spec = this.find();
    if (spec !== this.known) {
      this.known = this.spec = spec;
      this.lines = linesOf(spec);
    }
    this.none = this.lines.length ? "" : "nothing is recorded";
  }

  get labels() { return [this.spec.xlabel, this.spec.ylabel]; }

  automatic(which) { return Boolean(this.spec["log" + which]); }

  // ticks begin at zero where that has a place on a logarithmic axis.
  ticks(which, n) {
    const {zero} = this.spec, integers = which === "x" && counted.includes(this.spec.xlabel);
    const ticks = super.ticks(which, n).filter(t => !integers || t.at >= 0 && Number.isInteger(t.at));
    if (which !== "x" || !zero || !this.x.log || zero < this.x.lo || zero > this.x.hi) return ticks;
    return [{at: zero, label: "0"}, ...ticks.filter(t => this.x.at(t.at) > this.x.at(zero) + 25)];
  }

  // onX is where a value of x stands: zero has a place on a logarithmic axis too.
  onX(v) { return v === 0 && this.x.log && this.spec.zero ? this.spec.zero : v; }

  extent(which) {
    const values = which === "x" && this.spec.zero ? [this.spec.zero] : [];
    for (const l of this.lines) {
      for (const v of which === "x" ? [l.x] : [l.y, l.lower, l.upper]) for (const n of v) values.push(n);
      if (which === "y" && l.limit !== undefined) values.push(l.limit);
      if (l.mark) values.push(l.mark[which === "x" ? 0 : 1]);
    }
    const finite = values.filter(Number.isFinite), positive = finite.filter(v => v > 0);
    const log = this.log[which] === null ? this.automatic(which) : this.log[which];
    return {values: log && positive.length ? positive : finite};
  }

  place() {
    this.lost = 0;
    for (const l of this.lines) {
      if (!l.guide) this.lost += l.y.filter((v, j) => this.y.log && v <= 0 || this.x.log && this.onX(l.x[j]) <= 0).length;
      l.px = l.x.map(v => this.x.at(this.onX(v)));
      l.py = l.y.map(v => this.y.at(v));
      l.path = this.path(l, l.py);
    }
    this.stops = null;
  }

  sees(l, j) {
    const {left, right, above, below} = this.frame;
    return l.px[j] >= left - 1 && l.px[j] <= right + 1 && l.py[j] >= above - 1 && l.py[j] <= below + 1;
  }

  // path joins the values. Of those in one column of pixels it has the first, the
  // lowest, the highest and the last, which looks the same.
  path(l, py) {
    const {left, right} = this.frame, found = [];
    let column = null, held = [];
    const flush = () => found.push(...[...new Set(held)].sort((a, b) => a - b));
    for (let j = 0; j < py.length; j++) {
      if (!Number.isFinite(l.px[j]) || !Number.isFinite(py[j])) continue;
      const at = Math.round(Math.min(Math.max(l.px[j], left - 1), right + 1) * 2);
      if (at !== column) {
        flush();
        column = at;
        held = [j, j, j, j];
      }
      if (py[j] < py[held[1]]) held[1] = j;
      if (py[j] > py[held[2]]) held[2] = j;
      held[3] = j;
    }
    flush();
    return found;
  }

  d(l, indices, py) { return indices.map(j => `${l.px[j].toFixed(1)},${py[j].toFixed(1)}`).join("L"); }

  inside(into) {
    const {right, below} = this.frame, own = this.spec.color !== undefined;
    const color = own ? this.coloring(inked) : null;
    const look = (l, kind) => kind + (l.faint ? " faint" : "") + (own && shared.kept !== null && !shared.kept[l.i] ? " faded" : "");
    const paint = (l, name) => own ? {[name]: color(l.i)} : {};
    for (const l of this.lines) {
      if (!l.banded) continue;
      const ends = [l.lower, l.upper].map(values => values.map(v => this.y.log && v <= 0 ? below : this.y.at(v)));
      const inBoth = l.path.filter(j => Number.isFinite(ends[0][j]) && Number.isFinite(ends[1][j]));
      if (inBoth.length === 0) continue;
      if (l.dots) {
        into.append(svg("path", {d: inBoth.map(j => `M${l.px[j].toFixed(1)},${ends[0][j].toFixed(1)}V${ends[1][j].toFixed(1)}`).join(""), class: look(l, "bars"), ...paint(l, "stroke")}));
        continue;
      }
      into.append(svg("path", {d: `M${this.d(l, inBoth, ends[1])}L${this.d(l, [...inBoth].reverse(), ends[0])}z`, class: look(l, "band"), ...paint(l, "fill")}));
    }
    for (const l of this.lines) {
      if (l.path.length > 1 && !l.dots) into.append(svg("path", {d: "M" + this.d(l, l.path, l.py), class: look(l, "line"), ...paint(l, "stroke")}));
      if (l.guide || !l.dots && !l.open && l.path.length > 12) continue;
      for (const j of l.path) into.append(svg("circle", {cx: l.px[j].toFixed(1), cy: l.py[j].toFixed(1), r: 2.2, class: look(l, l.open ? "hollow" : "dot"), ...paint(l, l.open ? "stroke" : "fill")}));
    }
    for (const l of this.lines) {
      if (Number.isFinite(this.y.at(l.limit))) {
        const end = this.spec.limitends ? l.px[l.px.length - 1] : right;
        into.append(svg("path", {d: `M${this.frame.left},${this.y.at(l.limit)}H${end}`, class: look(l, "limit"), ...paint(l, "stroke")}));
      }
      const [x, y] = l.mark ? [this.x.at(l.mark[0]), this.y.at(l.mark[1])] : [NaN, NaN];
      if (Number.isFinite(x) && Number.isFinite(y)) into.append(svg("path", {d: shape(2, x, y, 3), class: look(l, l.open ? "hollow" : "mark"), ...paint(l, l.open ? "stroke" : "fill")}));
    }
  }

  // behind are the names of several lines of one point, at their ends where there is room.
  behind() {
    const named = this.lines.filter(l => !l.guide && l.i === undefined && l.path.length);
    if (this.frame.grid || named.length < 2) return;
    let lowest = this.frame.below + 12;
    for (const [l, j] of named.map(l => [l, l.path[l.path.length - 1]]).sort(([a, j], [b, k]) => b.py[k] - a.py[j])) {
      if (l.py[j] < this.frame.above || l.py[j] > this.frame.below) continue;
      lowest = Math.min(l.py[j] + 3.5, lowest - 12);
      this.root.append(svgText(Math.min(l.px[j], this.frame.right) + 6, lowest, l.label, {class: "tick"}));
    }
  }

  // order are the recorded values, those of one x together where they are of one point.
  get order() {
    if (this.stops) return this.stops;
    const at = new Map();
    for (const l of this.lines) {
      if (l.guide) continue;
      for (let j = 0; j < l.x.length; j++) {
        if (!Number.isFinite(l.y[j])) continue;
        const key = l.i === undefined ? l.x[j] : at.size;
        if (!at.has(key)) at.set(key, {i: l.i, px: l.px[j], py: l.py[j], of: []});
        at.get(key).of.push([l, j]);
      }
    }
    this.stops = [...at.values()].filter(m => m.of.some(([l, j]) => this.sees(l, j)));
    return this.stops.sort((a, b) => a.px - b.px);
  }

  // nearest goes by x alone where the lines are read together.
  nearest([px, py]) {
    const {left, right, above, below} = this.frame;
    if (px < left - 5 || px > right + 5 || py < above - 5 || py > below + 5) return null;
    let best = null, distance = Infinity;
    for (const m of this.order) {
      const d = m.i === undefined ? Math.abs(m.px - px) : Math.hypot(m.px - px, m.py - py);
      if (d < distance && (m.i === undefined || d < 14)) [best, distance] = [m, d];
    }
    return best;
  }

  describe(m) {
    const [first, j] = m.of[0], exact = v => Number.isInteger(v) ? String(v) : show(v);
    const text = ([l, j]) => {
      const [v, low, high] = [l.y[j], l.lower[j], l.upper[j]];
      if (!(low < high)) return show(v);
      // At an end of its bounds a value is no estimate: it is not known better than these.
      return v === low || v === high ? `between ${show(low)} and ${show(high)}` : `${show(v)} [${show(low)}, ${show(high)}]`;
    };
    const lines = m.of.map(value => [value[0].label, text(value)]);
    if (first.limit !== undefined && this.spec.limit) lines.push([this.spec.limit, show(first.limit)]);
    const x = [this.spec.xlabel, exact(first.x[j])];
    const {py} = m.of.map(([l, j]) => ({py: l.py[j]})).find(v => Number.isFinite(v.py));
    return m.i === undefined ? {title: plain(x.join(" ")), lines, px: m.px, py} : {title: place(m.i), lines: [x, ...lines], px: m.px, py};
  }

  // highlight marks the place of what is read out, and the line of the point that is
  // pointed at, wherever that happened.
  highlight() {
    const {above, below} = this.frame, m = this.current;
    this.over.replaceChildren();
    for (const l of this.lines) {
      if (shared.pointed >= 0 && l.i === shared.pointed && l.path.length) this.over.append(svg("path", {d: "M" + this.d(l, l.path, l.py), class: "pointed"}));
    }
    if (!m) return;
    if (m.i === undefined) this.over.append(svg("path", {d: `M${m.px},${above}V${below}`, class: "cursor"}));
    for (const [l, j] of m.of) if (Number.isFinite(l.py[j])) this.over.append(svg("circle", {cx: m.px, cy: l.py[j], r: 4, class: "ring"}));
  }

  // same: of one point a value has its x, of several a line has its label and its point.
  same(m, before) {
    const [[l, j], [k, i]] = [m.of[0], before.of[0]];
    return m.i === before.i && l.label === k.label && l.x[j] === k.x[i];
  }

  choose(m) { if (m.i !== undefined) open(m.i); }

  summary() {
    const names = this.spec.lines.filter(l => !l.guide).map(l => plain(l.label));
    return `${[...new Set(names)].join(", ")} against ${plain(this.spec.xlabel)}, ${count(this.order.length, "recorded value")}. Arrow keys go through them${this.lines.some(l => l.i !== undefined) ? ", Enter opens the point" : ""}, 0 shows all.`;
  }
}

// linesOf reads lines: without x, a line has those of the line before; without bounds
// its values have none.
function linesOf(spec) {
  const number = v => v === null ? NaN : v;
  let x = [];
  return spec.lines.map(l => {
    x = l.x || x;
    const y = l.y.map(number);
    return {...l, x, y, banded: Boolean(l.lower), lower: l.lower ? l.lower.map(number) : y, upper: l.upper ? l.upper.map(number) : y, i: l.point === undefined ? undefined : table.points.indexOf(l.point)};
  });
}
