// The table of all points: sorted and filtered here, and only the visible rows are
// elements.

const rowHeight = 28, tableHeight = 480;

class PointTable {
  constructor(host) {
    this.sort = {column: undefined, down: false};
    this.query = html("input", {type: "search", placeholder: "e.g. learning_rate >= 0.1 batch_size = 20 finished", "aria-label": "Filter of the points", spellcheck: "false"});
    this.note = html("p", {class: "count", role: "status"});
    this.clear = html("button", {type: "button"}, "show all points");
    this.head = html("tr");
    this.body = html("tbody");
    this.grid = html("table", {class: "points"}, html("thead", {}, this.head), this.body);
    this.box = html("div", {class: "scroll rows", tabindex: "0", role: "region", "aria-label": "Table of points"}, this.grid);
    const help = html("details", {class: "help"}, html("summary", {}, "How to filter"), html("p", {}, ...filterHelp.map((part, k) => k % 2 ? html("code", {}, part) : part)));
    host.replaceChildren(html("div", {class: "filter"}, this.query, this.clear), help, this.note, this.box);
    this.query.addEventListener("input", () => this.filter());
    this.clear.addEventListener("click", () => { this.query.value = ""; this.filter(); });
    this.box.addEventListener("scroll", () => this.rows());
    this.body.addEventListener("pointerover", e => this.over(e));
    this.body.addEventListener("focusin", e => this.over(e));
    this.body.addEventListener("pointerleave", () => point(-1));
    watch("data", () => this.reset());
    watch("kept", () => {
      if (!this.filtering) this.forget();
      this.arrange();
    });
    watch("pointed", () => this.mark());
    this.reset();
  }

  reset() {
    const before = this.columns;
    this.columns = [...table.columns.values()];
    const cell = (text, name, kind) => {
      const button = html("button", {type: "button", ...(name && {title: `in a filter: ${/[\s"<>=!]/.test(name) ? `"${name}"` : name}`})}, ...text);
      button.addEventListener("click", () => this.sortBy(name));
      return html("th", {scope: "col", ...kind}, button);
    };
    const look = columns => columns?.map(c => c.name + Boolean(c.words)).join();
    if (look(before) !== look(this.columns)) {
      this.head.replaceChildren(cell(["point"], null), ...this.columns.map(c => cell(marked(c.label), c.name, c.words && {class: "text"})));
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

  // filter keeps the points for which every condition of the query holds.
  filter() {
    let kept = null;
    try {
      const tests = conditions(this.query.value);
      this.wrong("");
      if (tests.length) kept = Uint8Array.from(table.points, (_, i) => tests.every(t => t(i)) ? 1 : 0);
    } catch (e) {
      this.wrong(e.message);
      return this.arrange();
    }
    this.filtering = true;
    keep(kept);
    this.filtering = false;
  }

  // forget empties the query: another choice than the filter's is in force.
  forget() {
    this.query.value = "";
    this.wrong("");
  }

  wrong(problem) {
    this.problem = problem;
    this.query.setCustomValidity(problem);
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

// What a reader is told of filters; every second part is to be typed.
const filterHelp = ["All conditions hold, such as ", "batch_size = 20", " and ", 'left_out = "target loss not reached"', ": a column, one of ", "= != < <= > >=",
  " and a value. A heading that is pointed at says its column’s name. Names and values with spaces stand in quotes. A number is equal to what is recorded or to what the table shows; where there is no value, only ", "!=",
  " holds. Any other word is looked for in the points’ names and in all columns of words."];

// comparisons take the sign of what a point has less what is asked for, NaN where it has
// nothing.
const comparisons = {"<": s => s < 0, "<=": s => s <= 0, ">": s => s > 0, ">=": s => s >= 0, "=": s => s === 0, "!=": s => s !== 0};

// tokens are the operators and words of a filter; a part of a point's name is one word,
// whatever is in it.
function tokens(query) {
  const found = [];
  for (let rest = query.trimStart(); rest; rest = rest.trimStart()) {
    const [plainly] = rest.match(/^[^\s"]*/), [column] = plainly.split(/[<>=!]/);
    const word = column && column !== plainly && !columnNamed(column) && table.points.some(p => p.includes(plainly)) ? plainly : null;
    const m = rest.match(/^(?:"([^"]*)"|(<=|>=|!=|[<>=])|((?:(?!!=)[^\s"<>=])+))/);
    if (!m && word === null) throw new Error("A quote has no end.");
    found.push(word !== null ? {text: word} : m[2] ? {operator: m[2]} : {text: m[1] ?? m[3]});
    rest = rest.slice(word !== null ? word.length : m[0].length);
  }
  return found;
}

function columnNamed(name) { return table.columns.get(name) || [...table.columns.values()].find(c => plain(c.label) === name); }

// conditions are functions of a point that hold or not.
function conditions(query) {
  const parts = tokens(query), found = [];
  while (parts.length) {
    const {text, operator} = parts.shift();
    if (operator) throw new Error(`There is no column before ${operator}.`);
    if (!parts[0]?.operator) {
      found.push(contains(text));
      continue;
    }
    const {operator: by} = parts.shift(), value = parts.shift();
    if (value?.text === undefined) throw new Error(`${text} ${by}: there is no value after ${by}.`);
    found.push(comparison(text, by, value.text));
  }
  return found;
}

function contains(text) {
  const low = text.toLowerCase(), columns = [...table.columns.values()].filter(c => c.words);
  return i => table.points[i].toLowerCase().includes(low) || columns.some(c => !Number.isNaN(c.number(i)) && c.text(i).toLowerCase().includes(low));
}

function comparison(name, by, text) {
  const c = columnNamed(name), holds = comparisons[by];
  if (!c) throw new Error(`There is no column ${name}. Columns are ${[...table.columns.keys()].join(", ")}.`);
  const shown = c.words ? text : text.replace("-", "−"), v = c.words ? text : Number(text.replace("−", "-"));
  if (!c.words && (text === "" || Number.isNaN(v)) && !c.values.some((_, i) => c.text(i) === shown)) throw new Error(`${name} ${by} ${text}: the column has numbers.`);
  return i => {
    if (Number.isNaN(c.number(i))) return holds(NaN);
    if (c.text(i) === shown) return holds(0);
    const own = c.words ? c.text(i) : c.number(i);
    return holds(own < v ? -1 : own > v ? 1 : own === v ? 0 : NaN);
  };
}
