// The table of all points: sorted and filtered here, and only the visible rows are
// elements.

const rowHeight = 28, tableHeight = 480;

class PointTable {
  constructor(host) {
    this.sort = {column: undefined, down: false};
    this.query = html("input", {type: "search", placeholder: "e.g. learning_rate>=0.1 batch_size=20 finished", "aria-label": "Filter of the points", spellcheck: "false"});
    this.note = html("p", {class: "count", role: "status"});
    this.clear = html("button", {type: "button"}, "show all points");
    this.head = html("tr");
    this.body = html("tbody");
    this.grid = html("table", {class: "points"}, html("thead", {}, this.head), this.body);
    this.box = html("div", {class: "scroll rows", tabindex: "0", role: "region", "aria-label": "Table of points"}, this.grid);
    host.replaceChildren(html("div", {class: "filter"}, this.query, this.clear), this.note, this.box);
    this.query.addEventListener("input", () => this.filter());
    this.clear.addEventListener("click", () => { this.query.value = ""; this.filter(); });
    this.box.addEventListener("scroll", () => this.rows());
    this.body.addEventListener("pointerover", e => this.over(e));
    this.body.addEventListener("focusin", e => this.over(e));
    this.body.addEventListener("pointerleave", () => point(-1));
    watch("data", () => this.reset());
    watch("kept", () => this.arrange());
    watch("pointed", () => this.mark());
    this.reset();
  }

  reset() {
    const before = this.columns;
    this.columns = [...table.columns.values()];
    const cell = (text, name) => {
      const button = html("button", {type: "button"}, ...text);
      button.addEventListener("click", () => this.sortBy(name));
      return html("th", {scope: "col"}, button);
    };
    if (before?.map(c => c.name).join() !== this.columns.map(c => c.name).join()) {
      this.head.replaceChildren(cell(["point"], null), ...this.columns.map(c => cell(marked(c.label), c.name)));
      this.showSort();
    }
    if (this.query.value) this.filter();
    else this.arrange();
  }

  sortBy(name) {
    this.sort = {column: name, down: this.sort.column === name && !this.sort.down};
    this.showSort();
    this.arrange();
  }

  // showSort: null stands for the points in their own order, as they are at first.
  showSort() {
    const {column, down} = this.sort;
    [...this.head.children].forEach((th, k) => th.setAttribute("aria-sort", column === undefined || (k ? this.columns[k - 1].name : null) !== column ? "none" : down ? "descending" : "ascending"));
  }

  // filter keeps the points for which every word of the query holds.
  filter() {
    try {
      const tests = this.query.value.split(/\s+/).filter(Boolean).map(condition);
      this.query.setCustomValidity("");
      this.problem = "";
      if (tests.length === 0) return keep(null);
      const kept = new Uint8Array(table.points.length);
      for (let i = 0; i < kept.length; i++) kept[i] = tests.every(t => t(i)) ? 1 : 0;
      keep(kept);
    } catch (e) {
      this.query.setCustomValidity(e.message);
      this.problem = e.message;
      this.arrange();
    }
  }

  arrange() {
    this.order = [];
    for (let i = 0; i < table.points.length; i++) if (shared.kept === null || shared.kept[i]) this.order.push(i);
    const c = table.columns.get(this.sort.column), sign = this.sort.down ? -1 : 1;
    if (c) {
      const last = v => Number.isNaN(v) ? 1 : 0; // no value: at the end, either way
      const rank = c.words && new Map([...c.words].sort().map((w, k) => [c.words.indexOf(w), k]));
      const value = i => { const v = c.number(i); return rank && !Number.isNaN(v) ? rank.get(v) : v; };
      this.order.sort((a, b) => last(value(a)) - last(value(b)) || sign * (value(a) - value(b)) || a - b);
    } else if (this.sort.down) {
      this.order.reverse();
    }
    this.note.textContent = this.problem || `${this.order.length} of ${count(table.points.length, "point")}`;
    this.note.classList.toggle("wrong", Boolean(this.problem));
    this.clear.disabled = shared.kept === null;
    this.grid.setAttribute("aria-rowcount", this.order.length + 1);
    this.rows(true);
  }

  // rows makes the visible rows, and space for the others.
  rows(anew) {
    const first = Math.max(0, Math.floor(this.box.scrollTop / rowHeight) - 10);
    const count = Math.min(this.order.length - first, Math.ceil(tableHeight / rowHeight) + 20);
    if (!anew && this.first === first) return;
    this.first = first;
    const space = n => {
      const tr = html("tr", {class: "space", "aria-hidden": "true"}, html("td", {colspan: this.columns.length + 1}));
      tr.firstChild.style.height = `${n * rowHeight}px`;
      return tr;
    };
    const made = [];
    if (first > 0) made.push(space(first));
    for (let k = first; k < first + count; k++) made.push(this.row(this.order[k], k));
    if (first + count < this.order.length) made.push(space(this.order.length - first - count));
    const focused = this.body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    this.body.replaceChildren(...made);
    if (focused) [...this.body.querySelectorAll("a")].find(a => a.getAttribute("href") === focused)?.focus({preventScroll: true});
    this.mark();
  }

  row(i, k) {
    const tr = html("tr", {"data-i": i, "aria-rowindex": k + 2}, html("th", {scope: "row"}, html("a", {href: addressOf(i)}, place(i) || table.points[i])));
    for (const c of this.columns) tr.append(html("td", c.words ? {class: "text"} : {}, c.text(i)));
    return tr;
  }

  over(e) {
    const tr = e.target.closest("tr[data-i]");
    if (tr) point(Number(tr.dataset.i));
  }

  mark() {
    for (const tr of this.body.children) tr.classList.toggle("pointed", tr.dataset.i === String(shared.pointed));
  }
}

const comparisons = {"<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b, "=": (a, b) => a === b, "!=": (a, b) => a !== b};

// condition is a word of a filter: a comparison with a column, or a text to find.
function condition(word) {
  const m = word.match(/^(.+?)(<=|>=|!=|=|<|>)(.*)$/);
  if (!m || !table.columns.has(m[1])) {
    if (m && !table.points.some(p => p.includes(word))) throw new Error(`There is no column ${m[1]}. Columns are ${[...table.columns.keys()].join(", ")}.`);
    const low = word.toLowerCase(), texts = [...table.columns.values()].filter(c => c.words);
    return i => table.points[i].toLowerCase().includes(low) || texts.some(c => !Number.isNaN(c.number(i)) && c.text(i).toLowerCase().includes(low));
  }
  const c = table.columns.get(m[1]), compare = comparisons[m[2]];
  if (c.words) return i => !Number.isNaN(c.number(i)) && compare(c.text(i), m[3]);
  const v = Number(m[3]);
  if (m[3] === "" || Number.isNaN(v)) throw new Error(`${word}: want a number after ${m[2]}.`);
  return i => compare(c.number(i), v);
}
