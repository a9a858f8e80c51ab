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
  const pointed = table.points[shared.pointed];
  const kept = shared.kept && new Set(table.points.filter((_, i) => shared.kept[i]));
  table.points = raw.points;
  table.columns = new Map(raw.columns.map(c => [c.name, new Column(c)]));
  table.curves = raw.curves || {};
  shared.pointed = raw.points.indexOf(pointed);
  shared.kept = kept && Uint8Array.from(raw.points, name => kept.has(name) ? 1 : 0);
  changed("data");
}

// updated is raw with rows in the place of those that it has of the same points. A
// column that is of words in one and of numbers in the other waits for the next whole
// data.
function updated(raw, rows) {
  const points = [...raw.points], at = new Map(points.map((name, i) => [name, i]));
  for (const name of rows.points) if (!at.has(name)) at.set(name, points.push(name) - 1);
  const places = rows.points.map(name => at.get(name));
  const columns = raw.columns.map(c => ({...c, ...(c.words ? {words: [...c.words], codes: [...c.codes]} : {values: [...c.values]})}));
  let behind = 0; // a column that raw has not is where it is in rows
  for (const c of rows.columns) {
    const known = columns.findIndex(d => d.name === c.name);
    if (known < 0) columns.splice(behind, 0, {name: c.name, label: c.label, ...(c.words ? {words: [], codes: []} : {values: []})});
    behind = (known < 0 ? behind : known) + 1;
  }
  const fresh = new Map(rows.columns.map(c => [c.name, c]));
  for (const c of columns) {
    const values = c.words ? c.codes : c.values, none = c.words ? -1 : null;
    while (values.length < points.length) values.push(none);
    const from = fresh.get(c.name);
    if (from && !from.words !== !c.words) continue;
    places.forEach((i, k) => {
      if (!from) values[i] = none;
      else if (!c.words) values[i] = from.values[k];
      else if (from.codes[k] < 0) values[i] = none;
      else {
        const word = from.words[from.codes[k]];
        if (!c.words.includes(word)) c.words.push(word);
        values[i] = c.words.indexOf(word);
      }
    });
  }
  return {...raw, points, columns};
}

// parts are the data of all points, curves and rows as they were last fetched, and
// editions which ones.
let parts = [], editions = [];
let loading = Promise.resolve(), again = 0;

let had;
const first = new Promise(resolve => { had = resolve; }); // the data are here

// load takes the page's data, and again if they have changed; one after the other, so
// that no older ones come last. What could not be had is asked for again.
function load() {
  clearTimeout(again);
  loading = loading.then(fetched).then(had, () => { again = setTimeout(load, 2000); });
}

async function fetched() {
  const source = document.getElementById("data");
  if (!source) return;
  if (!source.dataset.from) return take(JSON.parse(source.textContent));
  const answers = await Promise.all([source.dataset.from, source.dataset.curves, source.dataset.rows].map(address => fetch(address)));
  const now = answers.map(a => a.headers.get("ETag"));
  if (!answers.every(a => a.ok)) throw new Error("no data");
  if (now.join() === editions.join()) return;
  // Ten thousand points take long to parse; rows are all that have changed since.
  parts = await Promise.all(answers.map((a, k) => now[k] === editions[k] ? parts[k] : a.json()));
  editions = now;
  const [raw, curves, rows] = parts;
  take({...(rows ? updated(raw, rows) : raw), curves});
}
