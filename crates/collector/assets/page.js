// The page asks the collector for the topology every two seconds, draws it as a graph and lists it as a table.
// The address holds the user's choices (window, filter, sort, the edge whose evidence is shown), so a link shows the same view.

import { edgeId, judgement, party } from "./edges.js";
import { duration, rate, share } from "./format.js";
import { Graph } from "./graph.js";
import { Why } from "./why.js";

const REFRESH_MILLISECONDS = 2000;
const PATIENCE_MILLISECONDS = 5000;
const MOST_EDGES_DRAWN = 100;

const NO_GRPC_STATUS =
  "gRPC without a status: Istio's switch in mesh config logs neither headers nor trailers; spec.mesh.wiring: TelemetryProvider does";

const COLUMNS = [
  { key: "source", title: "Source", isParty: true },
  { key: "destination", title: "Destination", isParty: true },
  { key: "protocol", title: "Protocol" },
  { key: "requestsPerSecond", title: "Rate", format: rate },
  { key: "errorShare", title: "Errors", format: share, judged: true },
  { key: "clientErrorShare", title: "Client errors", format: share },
  { key: "unknownShare", title: "Not known", format: share },
  { key: "p50Milliseconds", title: "p50", format: duration },
  { key: "p95Milliseconds", title: "p95", format: duration },
  { key: "p99Milliseconds", title: "p99", format: duration },
  { key: "reporter", title: "Reported by" },
];

const element = (id) => document.getElementById(id);
const windows = [...document.querySelectorAll('input[name="window"]')];
const view = viewOfAddress();
let topology = { windowSeconds: 60, nodes: [], edges: [] };
let refreshedAt = null;
let asked = 0;
let known = { window: null, tag: null, topology: null };

function viewOfAddress() {
  const query = new URLSearchParams(location.search);
  const chosen = query.get("window");
  const sort = query.get("sort") ?? "-requestsPerSecond";
  const known = COLUMNS.some(({ key }) => key === sort.replace(/^-/, ""));
  return {
    window: windows.some(({ value }) => value === chosen) ? chosen : "60s",
    filter: query.get("filter") ?? "",
    sort: known ? sort : "-requestsPerSecond",
    why: query.get("why"),
  };
}

function rememberView() {
  const query = new URLSearchParams({ window: view.window, sort: view.sort });
  if (view.filter) query.set("filter", view.filter);
  if (view.why) query.set("why", view.why);
  history.replaceState(null, "", `?${query}`);
}

function shownEdges() {
  const words = view.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = ({ source, destination, protocol }) => {
    const text = `${source} ${destination} ${protocol}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
  return topology.edges.filter(matches).sort(order);
}

function order(one, other) {
  const key = view.sort.replace(/^-/, "");
  const direction = view.sort.startsWith("-") ? -1 : 1;
  const [left, right] = [one[key], other[key]];
  // An unknown value comes last, whichever way the column is sorted.
  if (left === null || right === null) return (left === null) - (right === null);
  const difference = typeof left === "number" ? left - right : left.localeCompare(right);
  return direction * difference || edgeId(one).localeCompare(edgeId(other));
}

function buildHead() {
  for (const { key, title, format } of COLUMNS) {
    const head = element("head").appendChild(document.createElement("th"));
    head.scope = "col";
    head.dataset.key = key;
    head.classList.toggle("number", Boolean(format));
    const button = head.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = title;
    button.addEventListener("click", () => {
      const down = format ? view.sort !== `-${key}` : view.sort === key;
      view.sort = down ? `-${key}` : key;
      show();
    });
  }
}

function showSort() {
  const key = view.sort.replace(/^-/, "");
  for (const head of element("head").children) {
    if (head.dataset.key !== key) head.removeAttribute("aria-sort");
    else head.setAttribute("aria-sort", view.sort.startsWith("-") ? "descending" : "ascending");
  }
}

// Rows are reused by edge, so that a refresh moves neither the focus nor the scroll position.
function showRows(edges) {
  const body = element("rows");
  const kept = new Map([...body.children].map((row) => [row.dataset.edge, row]));
  const rows = edges.map((edge) => {
    const id = edgeId(edge);
    const row = kept.get(id) ?? newRow(id);
    COLUMNS.forEach((column, position) => fillCell(row.cells[position], column, edge));
    return row;
  });
  const same = rows.length === body.children.length && rows.every((row, position) => body.children[position] === row);
  if (same) return;
  const focused = document.activeElement;
  body.replaceChildren(...rows);
  if (body.contains(focused)) focused.focus({ preventScroll: true });
}

function markRow(id) {
  for (const row of element("rows").children) row.classList.toggle("marked", row.dataset.edge === id);
}

function newRow(id) {
  const row = document.createElement("tr");
  row.dataset.edge = id;
  row.tabIndex = 0;
  for (const { format } of COLUMNS) row.insertCell().classList.toggle("number", Boolean(format));
  for (const event of ["mouseenter", "focus"]) row.addEventListener(event, () => graph.mark(id));
  for (const event of ["mouseleave", "blur"]) row.addEventListener(event, () => graph.mark(null));
  row.addEventListener("click", () => askWhy(id));
  row.addEventListener("keydown", ({ key }) => key === "Enter" && askWhy(id));
  return row;
}

function fillCell(cell, { key, isParty, format, judged }, edge) {
  const value = edge[key];
  const text = value === null ? "–" : (format ?? String)(value);
  if (cell.dataset.shown !== text) fillText(cell, text, isParty);
  cell.dataset.shown = text;
  cell.classList.toggle("absent", value === null);
  const words = judged ? ["healthy", "degraded", "failing"] : [];
  for (const word of words) cell.classList.toggle(`${word}-text`, judgement(value) === word);
}

// The namespace before a name and the kind after it are muted. A workload's kind is left out.
function fillText(cell, text, isParty) {
  if (!isParty) {
    cell.replaceChildren(text);
    return;
  }
  const { namespace, name, kind } = party(text);
  const muted = (words) => {
    const span = document.createElement("span");
    span.className = "muted";
    span.textContent = words;
    return span;
  };
  cell.replaceChildren(name);
  if (namespace) cell.prepend(muted(`${namespace}/`));
  if (kind) cell.append(muted(` ${kind}`));
}

function show() {
  rememberView();
  const edges = shownEdges();
  const busiest = [...edges].sort((one, other) => other.requestsPerSecond - one.requestsPerSecond).slice(0, MOST_EDGES_DRAWN);
  showSort();
  showRows(edges);
  graph.show(topology.nodes, busiest);
  const none = refreshedAt !== null && topology.edges.length === 0;
  element("empty").hidden = !none;
  element("nothing").hidden = none || edges.length > 0 || refreshedAt === null;
  element("calls").hidden = edges.length === 0;
  element("undrawn").hidden = busiest.length === edges.length;
  element("undrawn").textContent = `The ${busiest.length} busiest of ${edges.length} edges are drawn. The table lists all of them; use the filter to draw others.`;
  element("no-grpc-status").hidden = !edges.some(({ protocol, unknownShare }) => protocol === "grpc" && unknownShare > 0);
  element("no-grpc-status").textContent = NO_GRPC_STATUS;
  const nodes = topology.nodes.filter(({ kind }) => kind !== "unknown");
  const counted = ({ length }, noun) => `${length} ${noun}${length === 1 ? "" : "s"}`;
  element("summary").textContent = `${counted(nodes, "node")}, ${counted(topology.edges, "edge")}`;
}

function showAge() {
  if (refreshedAt === null) return;
  const seconds = Math.floor((Date.now() - refreshedAt) / 1000);
  element("refreshed").textContent = `refreshed ${seconds < 1 ? "just now" : `${seconds} s ago`}`;
}

function showTrouble(problem) {
  const lost = problem !== undefined;
  element("refreshed").dataset.state = lost ? "lost" : "live";
  document.querySelector("main").classList.toggle("stale", lost && refreshedAt !== null);
  const remedy = "Check that the collector runs, and kubectl port-forward if you use it; the page keeps trying.";
  const text = lost ? `${problem} ${remedy}` : "";
  // Screen readers announce the region when its text changes, so it changes once for each problem and not on each try.
  if (element("trouble").textContent !== text) element("trouble").textContent = text;
  element("trouble").hidden = !lost;
}

async function refresh() {
  const mine = ++asked;
  const answer = await ask();
  if (mine !== asked) return;
  if (answer.trouble === undefined) {
    topology = answer.topology;
    refreshedAt = Date.now();
    show();
  }
  showTrouble(answer.trouble);
  showAge();
}

async function ask() {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS);
    const window = view.window;
    const headers = known.window === window && known.tag ? { "If-None-Match": known.tag } : {};
    const response = await fetch(`api/v1/topology?window=${window}`, { signal, headers, cache: "no-store" });
    if (response.status === 304) return { topology: known.topology };
    if (response.ok) {
      known = { window, tag: response.headers.get("etag"), topology: await response.json() };
      return { topology: known.topology };
    }
    return { trouble: `The collector answered with status ${response.status}.` };
  } catch {
    return { trouble: "The collector cannot be reached." };
  }
}

function askWhy(id) {
  const edge = topology.edges.find((one) => edgeId(one) === id);
  if (edge) why.open(`${edge.source},${edge.destination}`);
}

async function keepRefreshing() {
  if (!document.hidden) await refresh();
  setTimeout(keepRefreshing, REFRESH_MILLISECONDS);
}

const graph = new Graph(element("graph"), { marked: markRow, chosen: askWhy });
const why = new Why(element("why"), (edge) => {
  view.why = edge;
  rememberView();
});
buildHead();
for (const radio of windows) {
  radio.checked = radio.value === view.window;
  radio.addEventListener("change", () => {
    view.window = radio.value;
    refresh();
  });
}
element("filter").value = view.filter;
element("filter").addEventListener("input", ({ target }) => {
  view.filter = target.value.trim();
  show();
});
element("closer").addEventListener("click", () => graph.zoomBy(1.25));
element("farther").addEventListener("click", () => graph.zoomBy(0.8));
element("fit").addEventListener("click", () => graph.fit());
if (view.why) why.open(view.why);
setInterval(showAge, 1000);
keepRefreshing();
