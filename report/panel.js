// A Panel is what all charts have in common: axes, hover, zoom, keyboard, the choices
// below. What stands in it is its own; a mark is whatever its nearest returns:
//
//   extent(which)   the values of an axis: {values, ends, words}, ends and words if any
//   automatic(...)  whether an axis of these values is logarithmic by itself
//   prepare()       finds the marks; place() gives them their places on the axes
//   order           the marks in the order of the arrow keys
//   same(m, n)      whether n was m before a change
//   shown           the marks that are in view
//   lost            how many have no place on a logarithmic axis
//   nearest(p)      the one at a place of the drawing, null for none
//   inside(into)    draws what is between the axes
//   describe(m)     {title, lines: [[label, text], …], px, py} for the tooltip
//   highlight()     shows in this.over what is pointed at
//   choose(m)       a click or Enter

// The drawing in units of its own; below, the axis of x begins.
const whole = {width: 360, height: 264, left: 60, right: 288, above: 12, below: 222, ticks: [6, 7]};

class Panel {
  constructor(spec, name, frame) {
    this.spec = spec;
    this.name = name;
    this.frame = frame;
    this.log = {x: spec.logx || null, y: spec.logy || null}; // null: automatic
    this.view = null; // what a drag has zoomed to
    this.at = -1; // the mark of the keyboard
    this.current = null; // the mark that is pointed at here
    this.lost = 0;
    this.root = svg("svg", {class: frame.grid ? "chart mini" : "chart", tabindex: "0", role: "application", "aria-roledescription": "chart"});
    this.reset = html("button", {type: "button", disabled: ""}, "show all");
    this.reset.addEventListener("click", () => this.zoom(null));
  }

  // begin makes the element, once the chart knows what it shows.
  begin(choosing, choices) {
    this.element = html("div", {class: "panel"}, this.root, html("details", {class: "tools"}, html("summary", {"aria-label": `${choosing}: ${this.name}`}, choosing), ...choices, this.reset));
    this.listen();
    this.draw();
  }

  scale(which, from, to) {
    const {values, ends = [], words = null} = this.extent(which), positive = v => v > 0;
    let lo = Infinity, hi = -Infinity;
    for (const v of values) { lo = Math.min(lo, v); hi = Math.max(hi, v); }
    const wanted = this.log[which] === null ? lo > 0 && this.automatic(which, lo, hi) : this.log[which];
    const log = wanted && !words && values.some(positive), all = values.concat(ends);
    const [a, b] = this.view ? this.view[which] : words ? [-0.5, words.length - 0.5] : spanOf(log ? all.filter(positive) : all, log);
    return new Scale(a, b, log && a > 0, from, to);
  }

  draw() {
    const before = this.at < 0 ? null : this.order[this.at];
    this.prepare();
    const {left, right, above, below, width, height} = this.frame;
    this.root.replaceChildren();
    this.root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.over = svg("g");
    this.current = null;
    this.x = this.scale("x", left, right);
    this.y = this.scale("y", below, above);
    this.place();
    // The keyboard stays where it is.
    if (before) this.at = this.order.findIndex(m => this.same(m, before));
    const clip = `clip-${Math.random().toString(36).slice(2)}`;
    this.root.append(svg("defs", {}, svg("clipPath", {id: clip}, svg("rect", {x: left - 5, y: above - 5, width: right - left + 10, height: below - above + 10}))));
    this.root.append(svg("rect", {class: "ground", x: left, y: above, width: right - left, height: below - above}));
    const inner = svg("g", {"clip-path": `url(#${clip})`});
    this.behind();
    this.drawAxes();
    this.inside(inner);
    inner.append(this.over);
    this.root.append(inner);
    if (this.none) this.root.append(svgText((left + right) / 2, (above + below) / 2, this.none, {class: "tick", "text-anchor": "middle"}));
    const lost = this.lost ? `${this.lost} at or below 0 ${this.lost === 1 ? "is" : "are"} not drawn` : "";
    if (lost) this.root.append(svgText(left + 2, Math.max(above - 3, 8), lost, {class: "tick long"}));
    this.root.setAttribute("aria-label", `${this.name}: ${this.summary()}${lost && ` On a logarithmic axis ${lost}.`}`);
    this.highlight();
  }

  behind() {}

  nearest([px, py]) {
    let best = null, distance = 14;
    for (const m of this.shown) {
      const d = Math.hypot(m.px - px, m.py - py);
      if (d < distance) [best, distance] = [m, d];
    }
    return best;
  }

  // same says that a mark is what another was before the data changed.
  same(m, before) { return m.i === before.i && m.kind === before.kind; }

  ticks(which, n) { return ticksOf(this[which], n, []); }

  drawAxes() {
    const {left, right, above, below, height, grid, ticks: [nx, ny]} = this.frame;
    // A tick of words has lines.
    const label = (t, px, py, anchor) => (t.lines || [t.label]).forEach((l, k) => this.root.append(svgText(px, py + 10 * k, l, {class: t.lines ? "tick long" : "tick", "text-anchor": anchor})));
    for (const t of this.ticks("x", nx)) {
      const px = this.x.at(t.at);
      this.root.append(svg("path", {d: `M${px},${below}v4`, class: "axis"}));
      label(t, px, below + (grid ? 15 : 16), "middle");
    }
    for (const t of this.ticks("y", ny)) {
      const py = this.y.at(t.at), lines = t.lines ? t.lines.length : 1;
      this.root.append(grid ? svg("path", {d: `M${left},${py}H${right}`, class: "grid"}) : svg("path", {d: `M${left},${py}h-4`, class: "axis"}));
      label(t, left - (grid ? 6 : 7), py + 3.5 - 5 * (lines - 1), "end");
    }
    this.root.append(svg("path", {d: `M${left},${above}V${below}H${right}`, class: "axis"}));
    const [x, y] = this.labels;
    if (x) this.root.append(svgText((left + right) / 2, height - (grid ? 6 : 8), x, {class: "name", "text-anchor": "middle"}));
    if (y) this.root.append(svgText(0, 0, y, {class: 6.6 * plain(y).length > below - above ? "name long" : "name", "text-anchor": "middle", transform: `translate(11 ${(above + below) / 2}) rotate(-90)`}));
  }

  // coloring returns a colour for a point, in the given tone, and draws the legend.
  coloring(tone = color => color) {
    const {right, above, below, width} = this.frame, c = table.columns.get(this.spec.color);
    if (!c || c.distinct.length < 2) return () => tone(ramp(0.3));
    const values = c.distinct, legend = (y, color, lines) => this.root.append(
      svg("circle", {cx: right + 16, cy: y, r: 4, fill: color, class: "edged"}), ...lines.map((l, k) => svgText(right + 25, y + 3.5 + 10 * k, l, {class: c.words ? "tick long" : "tick"})));
    // A long name stands above the axes and ends with the drawing.
    const name = c.label.replace("learning rate η", "η").replace("batch size B", "B"), long = 6.6 * plain(name).length > width - right - 10;
    this.root.append(long ? svgText(width - 2, above - 3, name, {class: "name long", "text-anchor": "end"}) : svgText(right + 10, above + 3, name, {class: "name"}));
    if (c.words) {
      let y = above + 20;
      for (const v of values) {
        if (y > below - 15) {
          this.root.append(svgText(right + 12, y, "…", {class: "tick"}));
          break;
        }
        const lines = wrapped(c.words[v], Math.floor((width - right - 25) / 5.2), 2);
        legend(y, tone(wordColors[v % 8]), lines);
        y += 5 + 10 * lines.length;
      }
      return i => tone(Number.isNaN(c.number(i)) ? noColor : wordColors[c.number(i) % 8]);
    }
    const lo = values[0], hi = values[values.length - 1];
    const scale = new Scale(lo, hi, lo > 0 && hi >= 4 * lo, above + 140, above + 16);
    const color = v => tone(ramp(Math.round(scale.part(v) * 23) / 23));
    if (values.length <= 8) {
      [...values].reverse().forEach((v, k) => legend(above + 20 + 15 * k, color(v), [show(v)]));
    } else {
      for (let k = 0; k < 24; k++) this.root.append(svg("rect", {x: right + 12, y: scale.at(scale.inverse(scale.from + (k + 1) / 24 * (scale.to - scale.from))), width: 9, height: 6, fill: ramp(k / 23)}));
      for (const t of ticksOf(scale, 6, [])) this.root.append(svgText(right + 25, scale.at(t.at) + 3.5, t.label, {class: "tick"}));
    }
    return i => Number.isFinite(c.number(i)) ? color(c.number(i)) : tone(noColor);
  }

  // show points at a mark, or at nothing.
  show(m, clientX, clientY) {
    this.current = m;
    point(m && m.i !== undefined ? m.i : -1);
    this.highlight();
    m ? showTip(this.describe(m), clientX, clientY, this.root) : hideTip();
  }

  listen() {
    watch("pointed", () => this.highlight());
    watch("kept", () => this.draw());
    watch("data", () => this.draw());
    dark.addEventListener("change", () => this.draw());
    let start = null;
    const where = e => {
      const box = this.root.getBoundingClientRect();
      return [(e.clientX - box.left) * this.frame.width / box.width, (e.clientY - box.top) * this.frame.height / box.height];
    };
    const inFrame = ([px, py]) => {
      const {left, right, above, below} = this.frame;
      return [Math.min(Math.max(px, left), right), Math.min(Math.max(py, above), below)];
    };
    this.root.addEventListener("pointerdown", e => {
      if (e.pointerType === "touch") this.show(this.nearest(where(e)), e.clientX, e.clientY);
      else if (e.button === 0) start = where(e);
    });
    this.root.addEventListener("pointermove", e => {
      const p = where(e);
      if (start && Math.hypot(p[0] - start[0], p[1] - start[1]) > 4) {
        this.root.setPointerCapture(e.pointerId);
        hideTip();
        this.over.replaceChildren(svg("rect", {class: "drag", ...boxOf(inFrame(start), inFrame(p))}));
        return;
      }
      const m = this.nearest(p);
      this.show(m, e.clientX, e.clientY);
      this.root.classList.toggle("over", Boolean(m && m.i !== undefined));
    });
    this.root.addEventListener("pointerup", e => {
      const from = start, p = where(e);
      start = null;
      if (!from && e.pointerType !== "touch") return; // pressed elsewhere
      if (from && Math.hypot(p[0] - from[0], p[1] - from[1]) > 4) return this.dragged(inFrame(from), inFrame(p), e.shiftKey);
      const m = this.nearest(p);
      if (m && e.button === 0) this.choose(m);
    });
    // A finger that goes leaves what it has found.
    this.root.addEventListener("pointerleave", e => { if (e.pointerType !== "touch") this.show(null); });
    this.root.addEventListener("pointercancel", () => { start = null; this.highlight(); });
    this.root.addEventListener("dblclick", () => this.zoom(null));
    this.root.addEventListener("keydown", e => this.key(e));
    this.root.addEventListener("blur", () => this.show(null));
  }

  // dragged zooms into a rectangle.
  dragged(a, b) {
    const box = boxOf(a, b);
    if (box.width < 3 || box.height < 3) return this.highlight();
    this.zoom({x: [this.x.inverse(box.x), this.x.inverse(box.x + box.width)], y: [this.y.inverse(box.y + box.height), this.y.inverse(box.y)]});
  }

  zoom(view) {
    this.view = view;
    this.reset.disabled = view === null;
    this.draw();
  }

  key(e) {
    const n = this.order.length, leap = Math.max(1, Math.round(n / 20));
    const step = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1}[e.key];
    const m = this.order[this.at];
    if (step && n) {
      this.at = (Math.max(this.at, step > 0 ? -1 : 0) + step + n) % n;
    } else if (n && (e.key === "PageUp" || e.key === "PageDown")) {
      this.at = Math.min(Math.max(this.at + (e.key === "PageUp" ? leap : -leap), 0), n - 1);
    } else if (e.key === "Home" || e.key === "End") {
      this.at = e.key === "Home" ? 0 : n - 1;
    } else if (e.key === "Enter" && m) {
      return this.choose(m);
    } else if (e.key === "Escape" && !tip.hidden) {
      return this.show(null);
    } else if (e.key === "0" || e.key === "Escape") {
      return e.key === "0" || this.view ? this.zoom(null) : keep(null);
    } else {
      return;
    }
    e.preventDefault();
    const now = this.order[this.at];
    if (!now) return;
    const box = this.root.getBoundingClientRect(), {title, lines, px, py} = this.describe(now);
    this.show(now, box.left + px * box.width / this.frame.width, box.top + py * box.height / this.frame.height);
    say([title, ...lines.map(l => plain(l.join(" ")))].join("; "));
  }

  // changed says whether it shows something else than what is said about it.
  get changed() { return false; }

  choice(label, value, options, set) {
    const select = html("select", {}, ...options.map(([v, text]) => html("option", v === value ? {value: v, selected: ""} : {value: v}, text)));
    select.addEventListener("change", () => { set(select.value); this.zoom(null); });
    return html("label", {}, label, " ", select);
  }

  scaling(which) {
    return this.choice(`${which} axis`, this.log[which] ? "log" : "auto", [["auto", "automatic"], ["linear", "linear"], ["log", "logarithmic"]],
      v => { this.log[which] = v === "auto" ? null : v === "log"; });
  }
}

function boxOf(a, b) { return {x: Math.min(a[0], b[0]), y: Math.min(a[1], b[1]), width: Math.abs(a[0] - b[0]), height: Math.abs(a[1] - b[1])}; }
