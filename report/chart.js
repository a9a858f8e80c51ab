// A Chart draws columns of the table against each other.

// Factors of Student's t for 95% intervals of 1 to 30 degrees of freedom.
const student = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042];

// The axes of a grid have ticks at its values.
const gridAxes = ["learning_rate", "batch_size", "two_over_eta", "repetition"];

class Chart extends Panel {
  constructor(spec, name) {
    super(spec, name, whole);
    this.means = false;
    this.first = this.subject;
    this.begin("Axes and colour", this.choices());
  }

  // subject is what the reader chooses beside the axes' scales.
  get subject() { return JSON.stringify([this.spec.x, this.spec.y, this.spec.color || "", this.means]); }

  get changed() { return this.subject !== this.first; }

  column(name) { return table.columns.get(name); }

  get ys() { return this.spec.y.map(name => this.column(name)).filter(Boolean); }

  // marks are the points, or the cells of the grid, that have a place.
  marks() {
    const x = this.column(this.spec.x), found = [];
    if (!x) return found;
    this.ys.forEach((y, kind) => {
      if (this.means) return found.push(...this.cells(x, y, kind));
      for (let i = 0; i < table.points.length; i++) {
        const m = {i, kind, x: x.number(i), y: y.number(i), hollow: !counts(i)};
        if (Number.isFinite(m.x) && Number.isFinite(m.y)) found.push(m);
      }
    });
    return found;
  }

  // cells are means over the repetitions that count, with 95% intervals of the mean.
  cells(x, y, kind) {
    const groups = new Map(), axes = ["method", "learning_rate", "batch_size"].map(n => this.column(n)).filter(Boolean);
    for (let i = 0; i < table.points.length; i++) {
      if (!counts(i) || !Number.isFinite(x.number(i)) || !Number.isFinite(y.number(i))) continue;
      const key = axes.map(c => c.number(i)).join();
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(i);
    }
    return [...groups.values()].map(of => {
      const [mx, ex] = meanOf(of.map(i => x.number(i))), [my, ey] = meanOf(of.map(i => y.number(i)));
      return {i: of[0], of, kind, x: mx, y: my, ex, ey, hollow: false};
    });
  }

  prepare() {
    this.all = this.marks();
    this.none = this.all.length ? "" : "no point has both";
    this.fit();
  }

  // fit makes room for words at the axes and in the legend. How many of an axis have a
  // place, and how many letters a line of theirs has, follows from that.
  fit() {
    const words = c => c && c.words, x = words(this.column(this.spec.x)), legend = this.column(this.spec.color);
    const left = words(this.ys[0]) ? 112 : whole.left, right = words(legend) && legend.distinct.length > 1 ? 244 : whole.right;
    this.words = {x: {most: 12, letters: 0}, y: {most: 20, letters: 16}};
    let lines = 1;
    if (x) {
      this.words.x.letters = Math.floor((right - left) / Math.min(x.length, this.words.x.most) / 5.2);
      lines = Math.max(1, ...this.wordTicks("x", x).map(t => t.lines.length));
    }
    this.frame = {...whole, left, right, height: whole.height + 10 * (lines - 1)};
  }

  wordTicks(which, words) {
    const {most, letters} = this.words[which], stride = Math.ceil(words.length / most);
    return words.map((w, at) => ({at, label: w})).filter(t => t.at % stride === 0).map(t => ({...t, lines: wrapped(t.label, letters, 3)}));
  }

  extent(which) {
    const column = which === "x" ? this.column(this.spec.x) : this.ys[0];
    const ends = this.all.flatMap(m => m["e" + which] > 0 ? [m[which] - m["e" + which], m[which] + m["e" + which]] : []);
    if (which === "y" && this.spec.edge === "one") ends.push(0.9, 1.1);
    return {values: this.all.map(m => m[which]), ends, words: column && column.words};
  }

  automatic(which, lo, hi) { return hi >= 20 * lo; }

  place() {
    const {left, right, above, below} = this.frame;
    this.lost = this.all.filter(m => this.x.log && m.x <= 0 || this.y.log && m.y <= 0).length;
    this.shown = this.all.filter(m => {
      m.px = this.x.at(m.x);
      m.py = this.y.at(m.y);
      return m.px >= left - 1 && m.px <= right + 1 && m.py >= above - 1 && m.py <= below + 1;
    });
    this.order = [...this.shown].sort((a, b) => a.px - b.px || b.py - a.py);
  }

  inside(into) {
    const color = this.coloring();
    if (this.spec.lines && !this.means) this.drawMedians(into, color);
    this.drawMarks(into, color);
  }

  summary() {
    const y = this.ys.map(c => plain(c.label)).join(", "), x = this.column(this.spec.x);
    return `${y} against ${x ? plain(x.label) : this.spec.x}, ${count(this.shown.length, this.means ? "grid cell" : "point")}. Arrow keys go through them, Enter opens one, 0 shows all.`;
  }

  // behind is the edge of stability.
  behind() {
    const {x, y} = this, {left, right, above, below} = this.frame;
    const path = (d, c) => this.root.append(svg("path", {d, class: c}));
    if (this.spec.edge === "one" && y.lo < 1 && y.hi > 1) {
      path(`M${left},${below}H${right}V${y.at(1)}H${left}z`, "shade");
      path(`M${left},${y.at(1)}H${right}`, "edge");
      this.root.append(svgText(left + 5, below - 5, "unstable", {class: "tick"}));
    }
    const from = Math.max(x.lo, y.lo), to = Math.min(x.hi, y.hi);
    if (this.spec.edge === "diagonal" && from < to) {
      const line = Array.from({length: 33}, (_, i) => x.log ? from * Math.pow(to / from, i / 32) : from + (to - from) * i / 32).map(v => `${x.at(v)},${y.at(v)}`);
      path(`M${x.at(from)},${below}H${left}V${above}H${x.at(to)}L${line.reverse().join("L")}z`, "shade");
      path(`M${line.join("L")}`, "edge");
      this.root.append(svgText(left + 5, above + 12, "unstable", {class: "tick"}));
    }
  }

  ticks(which, n) {
    const column = which === "x" ? this.column(this.spec.x) : this.ys[0], scale = this[which];
    if (column && column.words) return this.wordTicks(which, column.words).filter(t => t.at >= scale.lo && t.at <= scale.hi);
    return ticksOf(scale, n, column && gridAxes.includes(column.name) ? column.distinct : []);
  }

  get labels() {
    const ys = this.ys, short = c => c.label.replace(/ +\(.*\)$/, "");
    const y = ys.length > 1 ? ys.map((c, kind) => `${"●▲■"[kind]} ${short(c)}`).join("   ") : ys.map(c => c.label).join();
    return [this.column(this.spec.x)?.label, this.means ? `${y}, mean ± 95% interval` : y];
  }

  // drawMedians joins the medians over all points that count, also those out of view, a
  // line for each colour; words have no order to be joined in.
  drawMedians(into, color) {
    const series = new Map(), by = this.column(this.spec.color);
    for (const m of this.all) {
      if (m.hollow) continue;
      const key = `${m.kind} ${by ? by.number(m.i) : ""}`;
      if (!series.has(key)) series.set(key, {color: color(m.i), at: new Map()});
      const at = series.get(key).at;
      if (!at.has(m.x)) at.set(m.x, []);
      at.get(m.x).push(m.y);
    }
    const words = this.column(this.spec.x)?.words;
    for (const {color, at} of series.values()) {
      const middle = v => { v.sort((a, b) => a - b); const h = (v.length - 1) / 2; return (v[Math.floor(h)] + v[Math.ceil(h)]) / 2; };
      const places = [...at.keys()].sort((a, b) => a - b).map(x => [this.x.at(x), this.y.at(middle(at.get(x)))]).filter(p => p.every(Number.isFinite)).map(([x, y]) => [x, y.toFixed(1)]);
      if (places.length === 0) continue;
      const d = words ? places.map(([x, y]) => `M${(x - 9).toFixed(1)},${y}h18`).join("") : "M" + places.map(([x, y]) => `${x.toFixed(1)},${y}`).join("L");
      into.append(svg("path", {d, class: "median", stroke: inked(color)}));
    }
  }

  // drawMarks makes one path of all marks that look the same: ten thousand elements
  // would be slow.
  drawMarks(into, color) {
    const size = Math.min(Math.max(6 - 0.5 * Math.log2(Math.max(this.shown.length, 4)), 1.6), 4.2);
    const groups = new Map();
    for (const m of this.shown) {
      const faded = shared.kept !== null && !(m.of || [m.i]).some(i => shared.kept[i]);
      const key = [faded ? 0 : 1, m.hollow ? 0 : 1, color(m.i)].join("|");
      if (!groups.has(key)) groups.set(key, {faded, hollow: m.hollow, color: color(m.i), d: [], bars: []});
      const g = groups.get(key);
      g.d.push(shape(m.kind, m.px, m.py, size));
      if (m.ey > 0) g.bars.push(`M${m.px.toFixed(1)},${this.clampY(m.y - m.ey)}V${this.clampY(m.y + m.ey)}`);
      if (m.ex > 0) g.bars.push(`M${this.clampX(m.x - m.ex)},${m.py.toFixed(1)}H${this.clampX(m.x + m.ex)}`);
    }
    for (const key of [...groups.keys()].sort((a, b) => a.slice(0, 3).localeCompare(b.slice(0, 3)))) {
      const g = groups.get(key), fade = g.faded ? " faded" : "";
      const d = g.d.join(""), line = inked(g.color);
      if (g.bars.length) into.append(svg("path", {d: g.bars.join(""), class: "bars" + fade, stroke: line}));
      if (g.hollow) into.append(svg("path", {d, class: "hollow" + fade, stroke: line}));
      else into.append(this.shown.length > 2000 ? svg("path", {d, class: "dense" + fade, fill: line}) : svg("path", {d, class: "edged" + fade, fill: g.color}));
    }
  }

  clampX(v) {
    const {left, right} = this.frame;
    return Math.min(Math.max(this.x.log && v <= 0 ? left : this.x.at(v), left), right).toFixed(1);
  }

  clampY(v) {
    const {above, below} = this.frame;
    return Math.min(Math.max(this.y.log && v <= 0 ? below : this.y.at(v), above), below).toFixed(1);
  }

  // highlight rings the point that is pointed at, wherever that happened.
  highlight() {
    this.over.replaceChildren();
    if (shared.pointed < 0) return;
    for (const m of this.shown) {
      if (m.i === shared.pointed || m.of && m.of.includes(shared.pointed)) this.over.append(svg("circle", {cx: m.px, cy: m.py, r: 7, class: "ring"}));
    }
  }

  // choose opens a point, or keeps those of a cell.
  choose(m) {
    if (!m.of) return open(m.i);
    const kept = new Uint8Array(table.points.length);
    for (const i of m.of) kept[i] = 1;
    keep(kept);
  }

  // dragged zooms into a rectangle, or keeps its points.
  dragged(a, b, select) {
    if (!select) return super.dragged(a, b);
    const box = boxOf(a, b), inside = m => m.px >= box.x && m.px <= box.x + box.width && m.py >= box.y && m.py <= box.y + box.height;
    const kept = new Uint8Array(table.points.length);
    for (const m of this.shown) if (inside(m)) for (const i of m.of || [m.i]) kept[i] = 1;
    keep(kept);
  }

  // describe is what a mark stands for.
  describe(m) {
    const x = this.column(this.spec.x), y = this.ys[m.kind], color = this.column(this.spec.color);
    const number = (c, v, e) => c.words ? c.words[v] : show(v) + (e > 0 ? ` ± ${show(e)}` : "");
    const lines = [[x.label, number(x, m.x, m.ex)], [y.label, number(y, m.y, m.ey)]];
    if (color && color !== x && color !== y && !m.of) lines.push([color.label, color.text(m.i)]);
    if (m.of) lines.push(["mean of", count(m.of.length, "repetition")]);
    const why = table.columns.get("left_out");
    if (m.hollow && why) lines.push(["left out", why.text(m.i)]);
    return {title: m.of ? place(m.i).replace(/, repetition .*/, "") : place(m.i), lines, px: m.px, py: m.py};
  }

  // choices are what a reader may put on the axes and into the colour.
  choices() {
    const columns = [...table.columns.values()].map(c => [c.name, plain(c.label)]);
    const own = this.spec.y.length > 1 ? [["", "as drawn"], ...columns] : columns, given = this.spec.y;
    return [
      this.choice("x", this.spec.x, columns, v => { this.spec.x = v; this.log.x = null; }), this.scaling("x"),
      this.choice("y", this.spec.y.length > 1 ? "" : this.spec.y[0], own, v => { this.spec.y = v ? [v] : given; this.log.y = null; }), this.scaling("y"),
      this.choice("colour", this.spec.color || "", [["", "none"], ...columns], v => { this.spec.color = v; }),
      this.choice("repetitions", "points", [["points", "points"], ["means", "mean ± 95% interval"]], v => { this.means = v === "means"; })];
  }
}

// meanOf is the mean and the half width of its 95% interval by Student's t.
function meanOf(values) {
  const n = values.length, mean = values.reduce((a, b) => a + b, 0) / n;
  const variance = values.reduce((a, v) => a + (v - mean) ** 2, 0) / (n - 1);
  return [mean, n > 1 ? (student[n - 2] || 1.96) * Math.sqrt(variance / n) : 0];
}

// shape is a circle, a triangle or a square around (x, y).
function shape(kind, x, y, r) {
  const f = v => v.toFixed(1);
  if (kind === 1) return `M${f(x)},${f(y - 1.25 * r)}l${f(1.1 * r)},${f(2 * r)}h${f(-2.2 * r)}z`;
  if (kind === 2) return `M${f(x - r)},${f(y - r)}h${f(2 * r)}v${f(2 * r)}h${f(-2 * r)}z`;
  return `M${f(x - r)},${f(y)}a${f(r)},${f(r)} 0 1 0 ${f(2 * r)},0a${f(r)},${f(r)} 0 1 0 ${f(-2 * r)},0z`;
}
