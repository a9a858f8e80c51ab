// What the reader sees: tooltips, pages of points, and all of it at the beginning.

const tip = html("div", {class: "tip", hidden: ""});
const voice = html("div", {class: "voice", "aria-live": "polite"});

function say(text) { voice.textContent = text; }

// tipOf is the drawing that the tooltip is about, and where it was.
let tipOf = null;

function hideTip() { tip.hidden = true; }

// hideMoved hides a tooltip that does not stand where it belongs any more.
function hideMoved() {
  if (!tip.hidden && Math.abs(tipOf.drawing.getBoundingClientRect().top - tipOf.top) > 1) hideTip();
}

function showTip({title, lines}, clientX, clientY, drawing) {
  tipOf = {drawing, top: drawing.getBoundingClientRect().top};
  tip.replaceChildren(html("strong", {}, title));
  const list = html("dl");
  for (const [name, value] of lines) list.append(html("dt", {}, ...marked(name)), html("dd", {}, value));
  tip.append(list);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(clientX + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${clientY + 16 + box.height > innerHeight ? clientY - box.height - 12 : clientY + 16}px`;
}

// addressOf is where the page of a point is.
function addressOf(i) {
  const at = document.getElementById("data").dataset.points;
  return (at || "#") + encodeURIComponent(table.points[i]);
}

function open(i) {
  hideTip();
  location.href = addressOf(i);
}

// follow shows the point that the address names. Its page may be in the file; where
// it is not, what the table knows of it takes its place.
function follow() {
  document.getElementById("other-point")?.remove();
  let name = "";
  try { name = decodeURIComponent(location.hash.slice(1)); } catch { return; }
  const i = table.points.indexOf(name);
  if (i < 0) return;
  if (!document.getElementById(name)) {
    const list = html("dl", {}, html("dt", {}, "point"), html("dd", {}, name));
    for (const c of table.columns.values()) list.append(html("dt", {}, ...marked(c.label)), html("dd", {}, c.text(i)));
    document.body.append(html("section", {class: "point open", id: "other-point"}, html("p", {}, html("a", {href: "#points"}, "← all points")), html("h1", {}, place(i)),
      html("p", {class: "note"}, `This file does not hold the whole page of this point, to stay small; the rest is in points/${name}/result.json of the run directory.`), list));
  }
  scrollTo(0, 0);
}

// chartOf makes a chart of what the page says of it: of columns of the table, of bounds,
// or of curves, which are in the element or, where they are many, in the data.
function chartOf(spec, name, figure, k) {
  if (spec.ratios) return new Ratios(() => JSON.parse(figure.dataset.charts)[k], name);
  if (spec.xlabel) return new Curves(() => spec, name, small);
  if (spec.curves !== undefined) return new Curves(() => table.curves[figure.id]?.[spec.curves] ?? nothing, name, whole);
  return new Chart(spec, name);
}

const nothing = {lines: []};

function begin() {
  document.body.append(tip, voice);
  const host = document.getElementById("all-points");
  if (host) new PointTable(host);
  for (const figure of document.querySelectorAll("figure[data-charts]")) {
    const still = figure.querySelector(".still");
    const name = figure.querySelector("h3").textContent;
    // A chart is made when it comes near: a page has many, and the first should be quick.
    new IntersectionObserver((entries, observer) => {
      if (!entries.some(e => e.isIntersecting)) return;
      const charts = JSON.parse(figure.dataset.charts).map((spec, k) => chartOf(spec, name, figure, k));
      still.after(...charts.map(c => c.element));
      still.hidden = true;
      figure.querySelector(".about")?.removeAttribute("hidden");
      figure.addEventListener("change", () => figure.classList.toggle("changed", charts.some(c => c.changed)));
      observer.disconnect();
    }, {rootMargin: "600px"}).observe(figure);
  }
  for (const hint of document.querySelectorAll(".hint")) hint.hidden = false;
  addEventListener("hashchange", follow);
  addEventListener("pointerdown", e => { if (!e.target.closest(".chart")) hideTip(); });
  addEventListener("scroll", hideMoved, {passive: true});
  follow();
}

document.documentElement.classList.add("script");

// After the first paint: the page must not wait for its data. Without them it stays as it
// is without a script, however often the server must be asked.
requestAnimationFrame(() => setTimeout(async () => {
  document.addEventListener("sobolev:refresh", load);
  load();
  await first;
  begin();
  document.documentElement.classList.add("ready");
}));
