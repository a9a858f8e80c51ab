// Progress as it happens. Every event is the whole state of what the page shows, so
// a connection that breaks, or a server that starts again, needs no memory here.
(() => {
"use strict";

const host = document.getElementById("live");
if (!host) return;

const kind = host.dataset.kind;
let edition = host.dataset.edition; // of the page's other content
let table = ""; // the edition of the points' data
let source = null, timer = 0, silent = 0;

// element makes one; text is set, never parsed.
function element(name, attributes = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) e.setAttribute(key, value);
  e.append(...children.filter(c => c !== null));
  return e;
}

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 360) / 10} h`;
  return `${Math.round(seconds / 8640) / 10} days`;
}

// counts says how many points stand so: "1 failed, 2 damaged".
function counts(s, of) {
  return of.filter(k => s.counts[k]).map(k => `${s.counts[k]} ${k}`).join(", ");
}

// several is how many of something there are: "1 point", "2 points".
function several(n, what) { return `${n} ${what}${n === 1 ? "" : "s"}`; }

// endedOf says how many points have ended.
function endedOf(ended, points) { return `${ended} of ${several(points, "point")} ${points === 1 ? "has" : "have"} ended`; }

function total(s, of) { return of.reduce((n, k) => n + (s.counts[k] || 0), 0); }

function ended(s) { return total(s, ["finished", "diverged", "failed", "damaged"]); }

function placeOf(p) {
  return `${p.method ? p.method + ", " : ""}η = ${p.learning_rate}, B = ${p.batch_size || "all"}, repetition ${p.repetition}`;
}

function linkTo(p) {
  return element("a", {href: `point/${encodeURIComponent(p.point)}`}, p.learning_rate ? placeOf(p) : p.point);
}

function bar(done, points, name) {
  return element("progress", {max: points || 1, value: done, "aria-label": name});
}

// ---- the page of a run

// listed is a list that can be closed, and stays so; key is the same for every state of it.
function listed(key, title, items, total, open) {
  if (items.length === 0) return null;
  const more = total > items.length ? [element("li", {}, `and ${total - items.length} more`)] : [];
  const box = element("details", {}, element("summary", {}, title), element("ul", {}, ...items, ...more));
  box.dataset.key = key;
  const before = host.querySelector(`details[data-key="${key}"]`);
  box.open = before ? before.open : open;
  return box;
}

// log is the end of what a job wrote, and where the rest is; home is the address of
// the run as seen from this page.
function log(p, home = "") {
  if (!p.log) return "";
  return element("div", {class: "log"}, element("a", {href: `${home}files/${p.log.file}`, download: ""}, p.log.file), element("pre", {}, p.log.last.join("\n").replace(/^(\s*\n)+/, "")));
}

function showRun(s) {
  const running = s.running.map(p => element("li", {}, linkTo(p), " ",
    bar(p.steps, s.iterations, `steps of ${placeOf(p)}`),
    ` step ${p.steps} of at most ${s.iterations}, ${duration(p.seconds)}${p.host ? `, on ${p.host}` : ""}${p.attempts > 1 ? `, attempt ${p.attempts}` : ""}${p.standing === "interrupted" ? ", interrupted" : ""}`, log(p)));
  const failed = s.failed.map(p => element("li", {}, linkTo(p), p.standing === "damaged" ? " cannot be read: " : " failed: ", element("code", {}, p.error), log(p)));
  const latest = s.latest.map(p => element("li", {}, linkTo(p), ` ${p.outcome} at ${new Date(p.at).toLocaleTimeString()}`));
  const files = s.files.map(f => element("a", {href: `files/${f}`, download: ""}, f));
  const going = ["running", "interrupted"], broken = ["failed", "damaged"];
  const problem = s.problem || s.report.problem;
  host.replaceChildren(
    element("nav", {"aria-label": "Runs and files"}, element("a", {href: "/"}, "← all runs"), ...files),
    element("p", {class: "sum", role: "status"}, bar(s.done, s.points, "progress of the run"), ` ${endedOf(ended(s), s.points)}`,
      s.standings ? ` (${s.standings})` : "", s.remaining ? `; ${s.remaining}` : "", s.in_use || ended(s) === s.points ? "." : ". No process works on it here."),
    ...[problem ? element("p", {class: "note wrong-note", role: "alert"}, `The report cannot be made: ${problem}`,
        edition && document.querySelector("h2") ? element("br") : null, edition && document.querySelector("h2") ? "What is below is older." : null) : null,
      listed("going", counts(s, going).replace("running", "at work"), running, total(s, going), running.length <= 8),
      listed("failed", counts(s, broken), failed, total(s, broken), true),
      listed("latest", `${latest.length} latest`, latest, latest.length, false)].filter(Boolean));
  if (s.report.edition && s.report.edition !== edition) refresh(s.report.edition);
  if (s.report.table !== table) {
    table = s.report.table;
    document.dispatchEvent(new Event("sobolev:refresh"));
  }
}

// ---- the page of a point

function showPoint(s) {
  const going = s.standing === "running" || s.standing === "interrupted";
  const doing = going ? element("p", {class: "sum", role: "status"}, bar(s.steps, s.iterations, "steps"),
    ` ${s.standing}: step ${s.steps} of at most ${s.iterations}, ${duration(s.seconds)}${s.host ? `, on ${s.host}` : ""}${s.attempts > 1 ? `, attempt ${s.attempts}` : ""}`)
    : element("p", {class: "sum", role: "status"}, `${s.standing}${s.attempts ? ` after ${several(s.steps, "step")} in ${duration(s.seconds)}${s.host ? `, on ${s.host}` : ""}${s.attempts > 1 ? `, ${s.attempts} attempts` : ""}` : ""}`);
  // The page says what went wrong, unless it was made before that.
  const said = [...document.querySelectorAll("dd, .wrong-note p")].some(e => !host.contains(e) && e.textContent.includes(s.error));
  host.replaceChildren(doing, ...(s.error && !said ? [element("p", {class: "note wrong-note", role: "alert"}, element("code", {}, s.error))] : []), log(s, "../"));
  if (s.edition !== edition) refresh(s.edition);
}

// ---- the index

function row(s) {
  const state = s.error ? element("span", {class: "wrong"}, s.error) : s.state;
  return element("tr", {id: s.id}, element("th", {class: "text", scope: "row"}, element("a", {href: `/run/${encodeURIComponent(s.id)}/`}, s.name)),
    element("td", {class: "text"}, s.path), element("td", {class: "text"}, bar(s.done, s.points, `progress of ${s.name}`)),
    element("td", {}, String(s.points)), element("td", {}, String(ended(s))), element("td", {class: "text"}, state), element("td", {class: "text"}, s.remaining));
}

// rows are kept by the run, so that a change of one touches one.
function showIndex(change) {
  const body = document.querySelector("#runs tbody");
  if (change.all) body.replaceChildren(...change.runs.map(row));
  else {
    const rows = new Map([...body.children].map(tr => [tr.id, tr]));
    for (const id of change.gone) { rows.get(id)?.remove(); rows.delete(id); }
    for (const s of change.runs) {
      const made = row(s), before = rows.get(s.id);
      if (before) before.replaceWith(made);
      else body.append(made);
    }
  }
  document.getElementById("none").hidden = body.children.length > 0;
  let running = 0, points = 0, done = 0;
  for (const tr of body.children) {
    const p = tr.querySelector("progress");
    points += Number(tr.children[3].textContent);
    done += Number(tr.children[4].textContent);
    if (/\d+ running/.test(tr.children[5].textContent)) running++;
    if (p) p.title = `${tr.children[4].textContent} of ${tr.children[3].textContent}`;
  }
  host.replaceChildren(element("p", {class: "sum", role: "status"}, `${several(body.children.length, "run")}, ${running} at work; ${endedOf(done, points)}.`));
}

// ---- new content without a new page

// refresh fetches the page again and takes over what has no state of the reader's:
// the charts and the table of points get their new data by an event of their own.
let refreshing = false;

async function refresh(to) {
  if (refreshing) return;
  refreshing = true;
  try {
    const answer = await fetch(location.pathname, {headers: {"Accept": "text/html"}});
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!takeOver(page)) return location.reload();
    edition = to;
    host.dataset.edition = to;
    document.dispatchEvent(new Event("sobolev:refresh"));
  } catch {
    // The server is away; the next event asks again.
  } finally {
    refreshing = false;
  }
}

// sections are the parts of the page by heading.
function sections(page) {
  const main = page.querySelector("main"), found = new Map([["", []]]);
  let name = "";
  for (const node of main ? main.children : []) {
    if (node.tagName === "H2") found.set(name = node.id, []);
    found.get(name).push(node);
  }
  return found;
}

// takeOver returns whether the page could be changed in place: it has the same
// figures as before. Other sections may come and go.
function takeOver(page) {
  if (kind !== "overview") return false;
  const now = sections(document), then = sections(page);
  const figures = p => [...p.querySelectorAll("figure")].map(f => f.id).join();
  const kept = ["", "figures", "points"];
  if (!kept.every(name => now.has(name) && then.has(name)) || figures(document) !== figures(page)) return false;
  for (const figure of page.querySelectorAll("figure")) {
    const mine = document.getElementById(figure.id);
    for (const part of [".about", ".still", "figcaption"]) {
      const fresh = figure.querySelector(part), stale = mine.querySelector(part);
      if (!fresh || !stale) continue;
      const hidden = stale.hidden;
      stale.replaceChildren(...fresh.childNodes);
      stale.hidden = hidden;
    }
    if (figure.dataset.charts) mine.dataset.charts = figure.dataset.charts;
  }
  let last = null; // what stands before the next section
  for (const [name, nodes] of then) {
    const old = now.get(name) || [];
    now.delete(name);
    if (name === "figures" || name === "points") {
      last = old.at(-1);
      continue;
    }
    const parent = document.querySelector("main"), place = old.length ? old.at(-1).nextSibling : last.nextSibling;
    for (const node of old) if (node !== host) node.remove();
    for (const node of nodes) {
      last = node.id === "live" ? host : document.adoptNode(node);
      parent.insertBefore(last, place);
    }
  }
  for (const nodes of now.values()) for (const node of nodes) node.remove();
  return true;
}

// ---- the connection

const show = {overview: showRun, point: showPoint, index: showIndex}[kind];

function mark(lost) { document.documentElement.classList.toggle("lost", lost); }

function connect() {
  clearTimeout(timer);
  if (source) source.close();
  source = new EventSource(host.dataset.events);
  source.addEventListener("state", e => { silent = 0; mark(false); show(JSON.parse(e.data)); });
  source.addEventListener("open", () => { silent = 0; mark(false); });
  source.addEventListener("error", () => {
    if (++silent > 1) mark(true);
    // After an answer that is no stream a browser does not try again.
    if (source.readyState === EventSource.CLOSED) timer = setTimeout(connect, 2000);
  });
}

// A hidden page gives its connection up: a browser has few for one server.
function attend() {
  if (document.visibilityState === "visible") return connect();
  clearTimeout(timer);
  if (source) source.close();
  source = null;
}

document.addEventListener("visibilitychange", attend);
addEventListener("pagehide", () => source && source.close());
addEventListener("pageshow", e => e.persisted && attend());
attend();
})();
