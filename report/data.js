// The table of points and what of it is pointed at or kept.

// points are the names; columns maps a column's name to its Column, and curves the id
// of a figure to what Curves draw there.
const table = {points: [], columns: new Map(), curves: {}};

// pointed is the point under the mouse or the keyboard's, −1 for none; kept says
// which points a filter or a rectangle keeps, null for all. Both are the same in
// every chart and in the table.
const shared = {pointed: -1, kept: null};

const watchers = {pointed: [], kept: [], data: []};

function watch(what, f) { watchers[what].push(f); }

function changed(what) { for (const f of watchers[what]) f(); }

function point(i) {
  if (i === shared.pointed) return;
  shared.pointed = i;
  changed("pointed");
}

function keep(kept) {
  shared.kept = kept;
  changed("kept");
}

// A Column holds numbers, or words by their codes; null and −1 are no value.
class Column {
  constructor(raw) {
    this.name = raw.name;
    this.label = raw.label;
    this.words = raw.words || null;
    this.values = raw.words ? raw.codes.map(c => c < 0 ? NaN : c) : raw.values.map(v => v === null ? NaN : v);
  }

  number(i) { return this.values[i]; }

  text(i) {
    const v = this.values[i];
    if (Number.isNaN(v)) return "–";
    return this.words ? this.words[v] : show(v);
  }

  // distinct are the values in ascending order.
  get distinct() {
    this.sorted ??= [...new Set(this.values.filter(v => !Number.isNaN(v)))].sort((a, b) => a - b);
    return this.sorted;
  }
}

// counts says whether a point is in the correlations.
function counts(i) {
  const why = table.columns.get("left_out");
  return !why || Number.isNaN(why.number(i));
}

const superscripts = {"-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹"};

// show is v with four significant digits.
function show(v) {
  const a = Math.abs(v);
  if (!Number.isFinite(v)) return "–";
  if (a !== 0 && (a < 1e-3 || a >= 1e5)) {
    const [mantissa, exponent] = v.toExponential(2).split("e");
    return (mantissa + "·10").replace("-", "−") + [...exponent.replace("+", "")].map(c => superscripts[c]).join("");
  }
  return String(+v.toPrecision(4)).replace("-", "−");
}

// count is how many of something there are: "1 point", "2 points".
function count(n, what) { return `${n} ${what}${n === 1 ? "" : "s"}`; }

// place is what a reader wants to know first of a point.
function place(i) {
  const parts = [];
  for (const [name, symbol] of [["method", ""], ["learning_rate", "η = "], ["batch_size", "B = "], ["repetition", "repetition "]]) {
    const c = table.columns.get(name);
    if (c && !Number.isNaN(c.number(i)) && (name !== "method" || c.distinct.length > 1)) parts.push(symbol + c.text(i));
  }
  return parts.join(", ");
}

function take(raw) {
  table.points = raw.points;
  table.columns = new Map(raw.columns.map(c => [c.name, new Column(c)]));
  table.curves = raw.curves || {};
  shared.pointed = -1;
  shared.kept = null;
  changed("data");
}

let loaded = ""; // which editions
let loading = Promise.resolve();

// load takes the page's data, and again if they have changed; one after the other, so
// that no older ones come last.
function load() {
  loading = loading.then(fetched).catch(() => {}); // the server is away: the next event asks again
  return loading;
}

async function fetched() {
  const source = document.getElementById("data");
  if (!source) return;
  if (!source.dataset.from) return take(JSON.parse(source.textContent));
  const answers = await Promise.all([source.dataset.from, source.dataset.curves].map(address => fetch(address)));
  const editions = answers.map(a => a.headers.get("ETag")).join();
  if (!answers.every(a => a.ok) || editions === loaded) return;
  const [raw, curves] = await Promise.all(answers.map(a => a.json()));
  take({...raw, curves});
  loaded = editions;
}
