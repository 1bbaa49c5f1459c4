
"use strict";
// Draws the export in #data: a lane for each actor, a row for each event. Rows that are out of
// sight are not in the document, so that any number of events can be scrolled through.
const ROW = 30, GUTTER = 118, STORY = 190, SHOWN_AROUND = 20;
const COLORS = ["#3b6fb6", "#2f8f6b", "#9a5bb0", "#b7791f", "#c2556b", "#3d8ea3", "#6d7a3a", "#7a5c4a"];
const KINDS = ["message", "send", "call", "request", "exited", "spawn", "terminate"];
const $ = (id) => document.getElementById(id);

const trace = { origins: new Map(), events: new Map(), notes: [] };
const view = { rows: [], lanes: [], laneOf: new Map(), width: 150, picked: null, history: null, off: new Set(["spawn"]) };

function element(tag, attributes, ...children) {
  const svg = ["svg", "g", "line", "path", "rect", "text", "circle", "title"].includes(tag);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// === what there is ===

function add(document) {
  for (const origin of document.otherData.origins) trace.origins.set(origin.address, origin);
  trace.notes.push(...document.otherData.notes);
  for (const event of document.traceEvents) {
    if (event.ph !== "X" || trace.events.has(event.args.id)) continue;
    const { id, cause, from, to, bytes, lost } = event.args;
    trace.events.set(id, { id, cause, from, to, bytes, lost, name: event.name, kind: event.cat,
      queued: event.args.queued_nanos, began: event.args.began_nanos, ended: event.args.ended_nanos });
  }
}

// Nanoseconds since the epoch are beyond whole doubles: the parser is told to count from `start`.
function parse(text) {
  const found = /"start_nanos":(\d+)/.exec(text);
  const start = BigInt(found ? found[1] : 0);
  if (trace.start === undefined) trace.start = start;
  return JSON.parse(text.replace(/"(queued|began|ended)_nanos":(\d+)/g,
    (_, name, nanos) => `"${name}_nanos":${BigInt(nanos) - trace.start}`));
}

function relate() {
  const events = [...trace.events.values()].sort((a, b) => a.began - b.began || a.queued - b.queued);
  const arrived = new Set(events.filter((event) => event.kind !== "send").map((event) => event.cause));
  const hidden = (event) => event.kind === "send" && arrived.has(event.id);
  for (const event of events) event.effects = [];
  for (const event of events) {
    let cause = trace.events.get(event.cause);
    if (cause && hidden(cause)) {
      event.sent = cause.began;
      cause = trace.events.get(cause.cause);
    }
    event.by = cause;
    if (cause && !hidden(event)) cause.effects.push(event);
    if (!event.from && cause) event.from = cause.to;
  }
  trace.shown = events.filter((event) => !hidden(event));
}

function historyOf(event) {
  const history = new Set();
  for (let at = event; at && !history.has(at); at = at.by) history.add(at);
  const open = [event];
  while (open.length) for (const effect of open.pop().effects) {
    if (!history.has(effect)) { history.add(effect); open.push(effect); }
  }
  return history;
}

const addressOf = (pid) => pid.slice(pid.lastIndexOf("@") + 1);
const idOf = (pid) => pid.slice(0, Math.max(pid.lastIndexOf("@"), 0)) || pid;
const isActor = (pid) => pid && !pid.startsWith("@");

// === words ===

function span(nanos) {
  const unit = (value, name) => `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)} ${name}`;
  if (nanos < 0) return `-${span(-nanos)}`;
  if (nanos < 1e3) return `${Math.round(nanos)} ns`;
  if (nanos < 1e6) return unit(nanos / 1e3, "µs");
  if (nanos < 1e9) return unit(nanos / 1e6, "ms");
  return unit(nanos / 1e9, "s");
}

const clock = (nanos) => {
  const micros = (trace.start + BigInt(Math.round(nanos))) / 1000n;
  return new Date(Number(micros / 1000n)).toISOString().replace("T", " ").replace("Z", "") + String(micros % 1000n).padStart(3, "0");
};
const shortName = (event) => event.name.replace(/^mesos\.(internal|scheduler|executor)\./, "") || `(${event.kind})`;
function story(event) {
  if (event.lost) return `lost: ${event.lost}`;
  if (event.kind === "send") return "no record of its arrival";
  return `waited ${span(event.began - event.queued)} · ran ${span(event.ended - event.began)}`;
}

// === which rows and lanes ===

function choose() {
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (event) => {
    const text = `${event.name} ${event.from} ${event.to} ${event.kind} ${event.lost ? "lost" : ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const only = $("chain").checked ? view.history : null;
  view.rows = trace.shown.filter((event) => only ? only.has(event) : !view.off.has(event.kind) && fits(event));
  view.rows.forEach((event, at) => { event.row = at; });
  const first = new Map();
  const see = (pid) => { if (isActor(pid) && !first.has(pid)) first.set(pid, first.size); };
  for (const event of view.rows) { see(event.from); see(event.to); }
  const processes = new Map();
  for (const pid of first.keys()) if (!processes.has(addressOf(pid))) processes.set(addressOf(pid), processes.size);
  view.lanes = [...first.keys()].sort((a, b) => processes.get(addressOf(a)) - processes.get(addressOf(b)) || first.get(a) - first.get(b));
  view.laneOf = new Map(view.lanes.map((pid, at) => [pid, at]));
  view.colorOf = (pid) => COLORS[[...trace.addresses].indexOf(addressOf(pid)) % COLORS.length] || "#8a949e";
  const room = $("scroll").clientWidth - GUTTER - STORY;
  view.width = Math.min(260, Math.max(104, room / Math.max(view.lanes.length, 1)));
}

const middle = (lane) => GUTTER + (lane + 0.5) * view.width;

function drawLanes() {
  const bands = [];
  for (const [at, pid] of view.lanes.entries()) {
    const last = bands[bands.length - 1];
    if (last && last.address === addressOf(pid)) last.count += 1;
    else bands.push({ address: addressOf(pid), at, count: 1, pid });
  }
  $("lanes").replaceChildren(...bands.map((band) => {
    const origin = trace.origins.get(band.address);
    const text = origin ? `${origin.program} ${band.address}` : `${band.address} (no records)`;
    const title = origin ? `${text}, pid ${origin.pid} on ${origin.host}` : text;
    const left = GUTTER + band.at * view.width + 3, width = band.count * view.width - 6;
    return element("div", { class: "process", title, style: `left:${left}px;width:${width}px;background:${view.colorOf(band.pid)}` }, text);
  }), ...view.lanes.map((pid, at) => element("div", { class: "actor", title: pid,
    style: `left:${GUTTER + at * view.width}px;width:${view.width}px` }, idOf(pid))));
  const width = GUTTER + view.lanes.length * view.width + STORY;
  $("lanes").style.width = $("body").style.width = `${width}px`;
  $("body").style.height = `${view.rows.length * ROW + 20}px`;
}

// === the rows in sight ===

function drawRow(event, previous) {
  const y = event.row * ROW + 19;
  const to = view.laneOf.get(event.to), from = view.laneOf.get(event.from);
  const color = event.lost ? "#c92a2a" : view.colorOf(event.to);
  const classes = ["row", event === view.picked ? "picked" : "", view.history && !view.history.has(event) ? "dim" : ""];
  const row = element("g", { class: classes.join(" "), "data-id": event.id, onclick: () => pick(event) });
  row.append(element("title", {}, `${event.name}\n${event.from || "?"} → ${event.to}\n${story(event)}`));
  row.append(element("rect", { class: "hit", x: 0, y: y - 18, width: "100%", height: ROW }));
  const gap = previous ? event.began - previous.began : 0;
  row.append(element("text", { class: "time", x: 8, y: y + 3 }, span(event.began)));
  if (previous) row.append(element("text", { class: gap >= 1e8 ? "time gap" : "time", x: GUTTER - 6, y: y + 3, "text-anchor": "end" }, `+${span(gap)}`));
  const end = middle(to ?? 0);
  // Beside an arrow that comes from the left, below one that comes from the right.
  let below = 5;
  if (from !== undefined && from !== to) {
    const start = middle(from), side = start < end ? -1 : 1;
    if (side > 0) below = 13;
    row.append(element("line", { x1: start, x2: end + side * 7, y1: y, y2: y, stroke: color, "stroke-width": 1.6,
      "stroke-dasharray": event.kind === "call" ? "5 3" : null }));
    row.append(element("circle", { cx: start, cy: y, r: 2.5, fill: color }));
    row.append(element("path", { d: `M${end + side * 5} ${y}l${side * 8} -4.5v9z`, fill: color }));
    row.append(element("text", { class: "name", x: (start + end) / 2, y: y - 5, "text-anchor": "middle" }, shortName(event)));
  } else {
    below = 7;
    row.append(element("text", { class: "name", x: end + 10, y: y - 5 }, shortName(event)));
  }
  const ran = event.ended - event.began;
  const width = 10 + Math.min(6, Math.max(0, Math.log10(Math.max(ran, 1)) - 5) * 2);
  row.append(event.lost
    ? element("path", { d: `M${end - 5} ${y - 5}l10 10m0 -10l-10 10`, stroke: color, "stroke-width": 2.5 })
    : element("rect", { x: end - 5, y: y - 6, width, height: 12, rx: 3, fill: color, stroke: "#fff" }));
  row.append(element("text", { class: event.lost ? "story lost" : "story", x: end + (below === 13 ? 9 : 13), y: y + below }, story(event)));
  return row;
}

function draw() {
  const area = $("scroll");
  const first = Math.max(0, Math.floor(area.scrollTop / ROW) - SHOWN_AROUND);
  const last = Math.min(view.rows.length, Math.ceil((area.scrollTop + area.clientHeight) / ROW) + SHOWN_AROUND);
  const height = Math.max((last - first) * ROW + 20, area.clientHeight - 60);
  const top = first * ROW;
  const drawn = [];
  for (const [lane, pid] of view.lanes.entries()) {
    drawn.push(element("line", { x1: middle(lane), x2: middle(lane), y1: top, y2: top + height, stroke: view.colorOf(pid), "stroke-opacity": 0.3, "stroke-width": 1.5 }));
  }
  // Of the history that is picked out, where each cause lies.
  if (view.history) for (const event of view.history) {
    const cause = event.by;
    if (!cause || cause.row === undefined || event.row === undefined || !view.history.has(cause)) continue;
    if (view.rows[cause.row] !== cause || view.rows[event.row] !== event || event.row < first || cause.row > last) continue;
    const x = middle(view.laneOf.get(event.from) ?? view.laneOf.get(cause.to) ?? 0);
    drawn.push(element("line", { x1: x, x2: x, y1: cause.row * ROW + 19, y2: event.row * ROW + 19, stroke: "#d9480f", "stroke-width": 3, "stroke-opacity": 0.55 }));
  }
  for (let at = first; at < last; at += 1) drawn.push(drawRow(view.rows[at], view.rows[at - 1]));
  const svg = $("view");
  svg.setAttribute("width", GUTTER + view.lanes.length * view.width + STORY);
  svg.setAttribute("height", height);
  svg.setAttribute("viewBox", `0 ${top} ${GUTTER + view.lanes.length * view.width + STORY} ${height}`);
  svg.style.top = `${top}px`;
  svg.replaceChildren(...drawn);
}

// === the side ===

const item = (event, here) => element("li", { class: event === here ? "here" : null, onclick: () => pick(event, true) },
  shortName(event), element("small", {}, `${idOf(event.from || "?")} → ${idOf(event.to)}, ${story(event)}`));
const list = (title, events, here) => events.length
  ? [element("h3", {}, title), element("ol", {}, ...events.map((event) => item(event, here)))] : [];
const table = (pairs) => element("table", {}, ...pairs.filter(([, value]) => value !== "" && value !== undefined)
  .map(([name, value]) => element("tr", {}, element("td", {}, name), element("td", {}, value))));

function drawDetails() {
  const event = view.picked;
  if (!event) {
    const top = (measure, least) => [...trace.shown].filter((event) => !event.lost && measure(event) >= least).sort((a, b) => measure(b) - measure(a)).slice(0, 5);
    $("details").replaceChildren(
      element("h2", {}, "Click on an event for its history"),
      ...trace.notes.map((note) => element("p", { class: "warn" }, note)),
      element("h3", {}, "Processes"),
      table([...trace.origins.values()].map((origin) => [origin.address, `${origin.program}, pid ${origin.pid} on ${origin.host}`])),
      ...list("Lost", trace.shown.filter((event) => event.lost).slice(0, 20)),
      ...list("Longest handlers", top((event) => event.ended - event.began, 1)),
      ...list("Longest waits in a mailbox", top((event) => event.kind === "spawn" ? 0 : event.began - event.queued, 1e5)));
    return;
  }
  const origin = trace.origins.get(addressOf(event.kind === "send" ? event.from : event.to));
  const waited = event.began - event.queued, ran = event.ended - event.began;
  const share = (part) => `width:${(100 * part) / Math.max(waited + ran, 1)}%`;
  const path = [];
  for (let at = event; at && path.length < 100; at = at.by) path.unshift(at);
  $("details").replaceChildren(
    element("h2", {}, event.name || `(${event.kind})`),
    event.lost ? element("p", { class: "warn" }, `Lost: ${event.lost}.`) : "",
    table([["kind", event.kind], ["from", event.from || "unknown"], ["to", event.to],
      ["process", origin ? `${origin.program}, pid ${origin.pid}` : "no records of it"], ["host", origin ? origin.host : ""],
      ["size", event.bytes ? `${event.bytes} bytes` : ""], ["at", clock(event.began)],
      ["under way", event.sent === undefined ? "" : span(event.queued - event.sent)],
      ["waited", span(waited)], ["ran", span(ran)], ["event", event.id],
      ["cause", event.by ? event.by.id : event.cause ? `${event.cause} (not recorded)` : "none known"]]),
    element("div", { class: "bar", title: "waited, ran" }, element("span", { style: `${share(waited)};background:#c9b27a` }), element("span", { style: `${share(ran)};background:${view.colorOf(event.to)}` })),
    ...list("How it came to this", path, event),
    ...list("What it led to", event.effects));
}

// === what the user does ===

function pick(event, scroll) {
  view.picked = event;
  view.history = event ? historyOf(event) : null;
  if (!event) $("chain").checked = false;
  refresh(scroll || $("chain").checked);
}

function refresh(scroll) {
  choose();
  drawLanes();
  const row = view.picked && view.rows[view.picked.row] === view.picked ? view.picked.row : null;
  if (scroll && row !== null) $("scroll").scrollTop = row * ROW - $("scroll").clientHeight / 2;
  draw();
  drawDetails();
}

function summarize() {
  trace.addresses = new Set([...trace.origins.keys(), ...trace.shown.flatMap((event) => [event.from, event.to]).filter(isActor).map(addressOf)]);
  const lost = trace.shown.filter((event) => event.lost).length;
  const first = trace.shown[0];
  $("summary").textContent = `${trace.shown.length} events, ${trace.origins.size} processes${lost ? `, ${lost} lost` : ""}${first ? `, from ${clock(first.began)} UTC` : ""}`;
  $("kinds").replaceChildren(...KINDS.filter((kind) => trace.shown.some((event) => event.kind === kind)).map((kind) =>
    element("span", { class: view.off.has(kind) ? "kind off" : "kind", onclick: () => {
      if (!view.off.delete(kind)) view.off.add(kind);
      summarize();
      refresh();
    } }, kind)));
}

async function addFiles(files) {
  for (const file of files) {
    const text = await file.text();
    const page = /<script id="data" type="application\/json">(.*?)<\/script>/s.exec(text);
    try { add(parse(page ? page[1] : text)); } catch (error) { trace.notes.push(`${file.name} is no trace: ${error.message}`); }
  }
  relate();
  summarize();
  pick(null);
}

function begin() {
  add(parse($("data").textContent));
  relate();
  summarize();
  const asked = new URLSearchParams(location.hash.slice(1));
  $("filter").value = asked.get("q") || "";
  const words = asked.get("pick");
  const picked = trace.events.get(asked.get("event")) || (words && trace.shown.findLast((event) => event.name.includes(words))) || null;
  $("chain").checked = picked !== null && asked.has("history");
  pick(picked, true);
}

$("scroll").addEventListener("scroll", draw);
$("filter").addEventListener("input", () => refresh());
$("chain").addEventListener("change", () => refresh(true));
$("files").addEventListener("change", (change) => addFiles(change.target.files));
window.addEventListener("resize", () => refresh());
window.addEventListener("keydown", (key) => { if (key.key === "Escape") pick(null); });
window.addEventListener("dragover", (drag) => drag.preventDefault());
window.addEventListener("drop", (drop) => { drop.preventDefault(); addFiles(drop.dataTransfer.files); });
begin();
