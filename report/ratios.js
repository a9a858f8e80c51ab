// Ratios draws how loose the bounds of a solution are: a row for each order of a
// statement, and in it every form of the bound as a multiple of what was measured.

const rowStep = 12, forms = ["sharp", "printed", "free of w"], formColors = [0.05, 0.8, 0.45], formShapes = [0, 1, 2];

class Ratios extends Panel {
  // find returns what is to be drawn: the figure's element has it, and may get another.
  constructor(find, name) {
    super(find(), name, {width: 360, left: 128, right: 350, above: 32, ticks: [5, 0]});
    this.find = find;
    // Its data are those of the report alone.
    document.addEventListener("sobolev:refresh", () => this.draw());
    this.begin("Axes", [this.scaling("x")]);
  }

  prepare() {
    this.spec = this.find();
    this.groups = [];
    for (const row of this.spec.ratios) {
      const last = this.groups[this.groups.length - 1];
      if (last && last.name === row.statement) last.rows.push({...row});
      else this.groups.push({name: row.statement, rows: [{...row}]});
    }
    this.marks = [];
    let at = 0;
    for (const g of this.groups) {
      // A name of two parts has two lines.
      g.lines = g.name.replace(" (", "\n(").split("\n").map(l => l.length > 21 ? `${l.slice(0, 20)}…` : l);
      const height = Math.max(rowStep * g.rows.length, 12 * g.lines.length) + 5;
      g.from = at;
      g.middle = at + height / 2;
      g.rows.forEach((row, k) => {
        row.at = g.middle + rowStep * (k - (g.rows.length - 1) / 2);
        row.values.slice(1).forEach((v, kind) => v === null || this.marks.push({kind, row, ratio: v / row.values[0]}));
      });
      at += height;
    }
    this.total = at;
    this.frame.below = this.frame.above + at;
    this.frame.height = this.frame.below + 42;
  }

  get labels() { return ["bound / measured", ""]; }

  automatic() { return true; }

  // scale: rows are where they are, and a drag zooms into ratios.
  scale(which, from, to) { return which === "x" ? super.scale(which, from, to) : new Scale(this.total, 0, false, from, to); }

  extent() { return {values: this.marks.map(m => m.ratio).concat([1, this.spec.vacuous])}; }

  place() {
    for (const m of this.marks) {
      m.px = this.x.at(m.ratio);
      m.py = this.y.at(m.row.at);
    }
  }

  get shown() { return this.marks.filter(m => m.px >= this.frame.left - 1 && m.px <= this.frame.right + 1); }

  get order() { return this.shown; }

  same(m, before) { return m.kind === before.kind && m.row.statement === before.row.statement && m.row.k === before.row.k; }

  // behind are the area of bounds that say little, the names and the orders.
  behind() {
    const {left, right, above, below} = this.frame, from = Math.max(this.x.at(this.spec.vacuous), left), one = this.x.at(1);
    if (from < right) this.root.append(svg("rect", {class: "shade", x: from, y: above, width: right - from, height: below - above}));
    if (one >= left && one <= right) this.root.append(svg("path", {d: `M${one},${above}V${below}`, class: "edge"}));
    const hollow = this.spec.ratios.some(r => r.assumed) ? "; hollow: assumed" : "";
    this.root.append(svgText(12, 10, forms.map((f, kind) => `${"●▲■"[kind]} ${f}`).join(", ") + hollow, {class: "tick"}));
    if (from < right - 40) this.root.append(svgText(from + 4, above - 4, "vacuous", {class: "tick long"}));
    this.root.append(svgText(left - 5, above - 4, "k", {class: "tick long", "text-anchor": "middle"}));
    for (const g of this.groups) {
      g.lines.forEach((l, k) => this.root.append(svgText(left - 16, this.y.at(g.middle) + 3.5 + 11 * (k - (g.lines.length - 1) / 2), l, {class: "tick", "text-anchor": "end"})));
      for (const r of g.rows) this.root.append(svgText(left - 5, this.y.at(r.at) + 3, String(r.k), {class: "tick long", "text-anchor": "middle"}));
      if (g.from > 0) this.root.append(svg("path", {d: `M${left},${this.y.at(g.from)}H${right}`, class: "grid"}));
    }
  }

  inside(into) {
    for (const row of new Set(this.marks.map(m => m.row))) {
      const places = this.marks.filter(m => m.row === row).map(m => m.px);
      into.append(svg("path", {d: `M${Math.min(...places)},${this.y.at(row.at)}H${Math.max(...places)}`, class: "join"}));
    }
    // The sharp form is above the others.
    for (const m of [...this.marks].sort((a, b) => (a.kind || 3) - (b.kind || 3))) {
      const color = ramp(formColors[m.kind]), d = shape(formShapes[m.kind], m.px, m.py, m.kind ? 3.6 : 2.8);
      into.append(svg("path", m.row.assumed ? {d, class: "hollow", stroke: inked(color)} : {d, class: "edged", fill: color}));
    }
  }

  describe(m) {
    const {row} = m;
    const lines = [["measured", show(row.values[0])]];
    row.values.slice(1).forEach((v, kind) => v === null || lines.push([forms[kind] + (kind === 0 && row.form ? ` (${row.form})` : ""), `${show(v)}, ${show(v / row.values[0])} times as large`]));
    if (row.assumed) lines.push(["holds", "if constants are right that were given or found by a search"]);
    return {title: `${row.statement}, k = ${row.k}`, lines, px: m.px, py: m.py};
  }

  highlight() {
    this.over.replaceChildren();
    if (this.current) this.over.append(svg("circle", {cx: this.current.px, cy: this.current.py, r: 6, class: "ring"}));
  }

  dragged(a, b) {
    const box = boxOf(a, b);
    if (box.width < 3) return this.highlight();
    this.zoom({x: [this.x.inverse(box.x), this.x.inverse(box.x + box.width)]});
  }

  choose() {}

  summary() { return `${count(this.spec.ratios.length, "row")} of bounds over what was measured, ${count(this.marks.length, "mark")}. Arrow keys go through them, 0 shows all.`; }
}
