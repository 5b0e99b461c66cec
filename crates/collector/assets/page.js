// The page: asks the collector for the topology every two seconds, draws it as a graph and lists it as a table.
// What a person chose (window, filter, sort, the edge whose evidence is shown) is in the address, so that a link shows the same view.

import { duration, rate, share } from "./format.js";
import { Why } from "./why.js";

const REFRESH_MILLISECONDS = 2000;
const PATIENCE_MILLISECONDS = 5000;
const MOST_EDGES_DRAWN = 100;
const ERROR_SHARE = { degraded: 0.01, failing: 0.05 };
const UNKNOWN = "unknown";
const UNKNOWN_CALLER = "unknown caller";
const UNKNOWN_DESTINATION = "unknown destination";
const GRAPH_MARGIN = 44;
const ZOOM = { least: 0.05, fitted: 1.15, most: 3 };
const RANK_GAP = { least: 118, most: 220 };

const COLUMNS = [
  { key: "source", title: "Source", party: true },
  { key: "destination", title: "Destination", party: true },
  { key: "protocol", title: "Protocol" },
  { key: "requestsPerSecond", title: "Rate", format: rate },
  { key: "errorShare", title: "Errors", format: share, judged: true },
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

function judgement(errorShare) {
  if (errorShare === null) return "unjudged";
  if (errorShare >= ERROR_SHARE.failing) return "failing";
  return errorShare >= ERROR_SHARE.degraded ? "degraded" : "healthy";
}

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
  // A value that is not known is last whichever way the column is sorted.
  if (left === null || right === null) return (left === null) - (right === null);
  const difference = typeof left === "number" ? left - right : left.localeCompare(right);
  return direction * difference || edgeId(one).localeCompare(edgeId(other));
}

const edgeId = ({ source, destination, protocol }) => `${source} ${destination} ${protocol}`;

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

// Rows are kept by edge, so that a refresh does not take the focus or the scroll position from anyone.
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

function fillCell(cell, { key, party, format, judged }, edge) {
  const value = edge[key];
  const text = value === null ? "–" : (format ?? String)(value);
  if (cell.textContent !== text) fillText(cell, text, party);
  cell.classList.toggle("absent", value === null);
  const words = judged ? ["healthy", "degraded", "failing"] : [];
  for (const word of words) cell.classList.toggle(`${word}-text`, judgement(value) === word);
}

function fillText(cell, text, party) {
  const cut = party ? text.indexOf("/") + 1 : 0;
  cell.replaceChildren(text.slice(cut));
  if (cut === 0) return;
  const namespace = document.createElement("span");
  namespace.className = "namespace";
  namespace.textContent = text.slice(0, cut);
  cell.prepend(namespace);
}

class Graph {
  constructor(container) {
    this.names = document.createElement("canvas").getContext("2d");
    const fixed = { minZoom: ZOOM.least, boxSelectionEnabled: false, autounselectify: true };
    this.cytoscape = cytoscape({ container, ...fixed });
    this.restyle();
    this.cytoscape.on("mouseover", "edge", (event) => this.mark(event.target.id()));
    this.cytoscape.on("mouseout", "edge", () => this.mark(null));
    this.cytoscape.on("tap", "edge", (event) => askWhy(event.target.id()));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
    new ResizeObserver(() => this.fit()).observe(container);
  }

  // Positions change only when a call or a workload is new: what merely ended leaves the rest where it was.
  show(nodes, edges) {
    const wanted = new Map(this.elements(nodes, edges).map((item) => [item.data.id, item]));
    this.cytoscape.elements().filter((item) => !wanted.has(item.id())).remove();
    let grown = false;
    this.cytoscape.batch(() => {
      for (const [id, item] of wanted) {
        const present = this.cytoscape.getElementById(id);
        grown ||= present.empty();
        if (present.empty()) this.cytoscape.add(item);
        else present.data(item.data);
      }
    });
    if (grown) this.layOut();
  }

  elements(nodes, edges) {
    const ends = new Set(edges.flatMap((edge) => [sourceId(edge), destinationId(edge)]));
    const unknown = (name) => ({ id: name, workload: name, namespace: "", kind: UNKNOWN });
    const known = nodes.filter(({ id }) => id !== UNKNOWN);
    const all = [...known, unknown(UNKNOWN_CALLER), unknown(UNKNOWN_DESTINATION)];
    const drawn = all.filter(({ id }) => ends.has(id));
    const namespaces = new Set(drawn.map(({ namespace }) => namespace).filter(Boolean));
    return [
      ...[...namespaces].map((name) => ({ data: { id: `namespace ${name}`, name }, classes: "namespace" })),
      ...drawn.map((node) => this.nodeElement(node)),
      ...edges.map(edgeElement),
    ];
  }

  nodeElement({ id, namespace, workload: name, kind }) {
    const parent = namespace ? `namespace ${namespace}` : undefined;
    this.names.font = `600 13px ${fontFamily()}`;
    const width = Math.max(70, this.names.measureText(name).width + 26);
    return { data: { id, parent, name, width, kind }, classes: "workload" };
  }

  layOut() {
    const layout = { name: "dagre", rankDir: "LR", nodeSep: 46, edgeSep: 24, rankSep: 120, fit: false, animate: false };
    this.cytoscape.layout({ ...layout, sort: (one, other) => (one.id() < other.id() ? -1 : 1) }).run();
    this.spreadRanks();
    this.fit();
  }

  // The layout leaves wide gaps where a namespace ends; the ranks share the width evenly instead, labels fit between.
  spreadRanks() {
    const ranks = new Map();
    for (const node of this.cytoscape.nodes(".workload")) {
      const x = Math.round(node.position("x"));
      ranks.set(x, [...(ranks.get(x) ?? []), node]);
    }
    const ordered = [...ranks].sort(([one], [other]) => one - other).map(([, nodes]) => nodes);
    const widths = ordered.map((nodes) => Math.max(...nodes.map((node) => node.data("width"))));
    const free = this.cytoscape.width() - 2 * GRAPH_MARGIN - widths.reduce((sum, width) => sum + width, 0);
    const gap = Math.min(RANK_GAP.most, Math.max(RANK_GAP.least, free / Math.max(1, ordered.length - 1)));
    let left = 0;
    ordered.forEach((nodes, rank) => {
      for (const node of nodes) node.position("x", left + widths[rank] / 2);
      left += widths[rank] + gap;
    });
  }

  fit() {
    this.cytoscape.resize();
    this.cytoscape.maxZoom(ZOOM.fitted).fit(undefined, GRAPH_MARGIN).maxZoom(ZOOM.most);
  }

  zoomBy(factor) {
    const middle = { x: this.cytoscape.width() / 2, y: this.cytoscape.height() / 2 };
    this.cytoscape.zoom({ level: this.cytoscape.zoom() * factor, renderedPosition: middle });
  }

  mark(id) {
    this.cytoscape.elements(".marked").removeClass("marked");
    if (id) this.cytoscape.getElementById(id).addClass("marked");
    for (const row of element("rows").children) row.classList.toggle("marked", row.dataset.edge === id);
  }

  restyle() {
    this.cytoscape.style(graphStyle(getComputedStyle(document.documentElement)));
  }
}

// Who called us unseen and what we called unseen are rarely one party, and one node for both would draw a circle.
const sourceId = ({ source }) => (source === UNKNOWN ? UNKNOWN_CALLER : source);
const destinationId = ({ destination }) => (destination === UNKNOWN ? UNKNOWN_DESTINATION : destination);
const fontFamily = () => getComputedStyle(document.body).fontFamily;

function edgeElement(edge) {
  const outcome = [];
  if (edge.errorShare !== null) outcome.push(share(edge.errorShare));
  if (edge.p95Milliseconds !== null) outcome.push(duration(edge.p95Milliseconds));
  const label = `${edge.protocol} ${rate(edge.requestsPerSecond)}\n${outcome.join(" · ")}`.trim();
  const width = Math.min(8, 1.5 + Math.log10(1 + edge.requestsPerSecond) * 2);
  const ends = { source: sourceId(edge), target: destinationId(edge) };
  return { data: { id: edgeId(edge), ...ends, protocol: edge.protocol, label, width, judgement: judgement(edge.errorShare) } };
}

function graphStyle(properties) {
  const colour = (name) => properties.getPropertyValue(`--${name}`).trim();
  const text = { "font-family": fontFamily(), color: colour("text") };
  const middle = { "text-valign": "center", "text-halign": "center" };
  const judged = ["healthy", "degraded", "failing", "unjudged"].map((name) => ({
    selector: `edge[judgement = "${name}"]`,
    style: { "line-color": colour(name), "target-arrow-color": colour(name) },
  }));
  const workload = {
    ...text, ...middle, label: "data(name)", width: "data(width)", height: 36, shape: "round-rectangle",
    "font-size": 13, "font-weight": 600, "background-color": colour("surface"),
    "border-width": 1.5, "border-color": colour("accent"),
  };
  const unknown = {
    "border-style": "dashed", "border-color": colour("unjudged"), color: colour("muted"), "font-style": "italic",
  };
  const namespace = {
    ...text, ...middle, label: "data(name)", color: colour("muted"), "font-size": 12, "text-valign": "top",
    "text-margin-y": -4, shape: "round-rectangle", padding: 18, "background-color": colour("raised"),
    "background-opacity": 0.65, "border-width": 1, "border-color": colour("line"),
  };
  const edge = {
    ...text, label: "data(label)", width: "data(width)", "curve-style": "bezier", "target-arrow-shape": "triangle",
    "arrow-scale": 0.9, "font-size": 11, "text-wrap": "wrap", "line-height": 1.25, "text-rotation": "autorotate",
    "text-margin-y": -17, "text-background-color": colour("ground"), "text-background-opacity": 0.88,
    "text-background-padding": 2, "text-background-shape": "round-rectangle", "min-zoomed-font-size": 6,
  };
  const marked = { "underlay-color": colour("accent"), "underlay-opacity": 0.3, "underlay-padding": 5, "z-index": 9 };
  return [
    { selector: "node.workload", style: workload },
    { selector: 'node[kind = "gateway"], node[kind = "waypoint"]', style: { shape: "cut-rectangle", "border-width": 2.5 } },
    { selector: 'node[kind = "unknown"]', style: unknown },
    { selector: "node.namespace", style: namespace },
    { selector: "edge", style: edge },
    ...judged,
    { selector: 'edge[protocol = "tcp"]', style: { "line-style": "dashed" } },
    { selector: "edge.marked", style: marked },
  ];
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
  element("undrawn").textContent = `The ${busiest.length} busiest of ${edges.length} edges are drawn; the table has all, and the filter chooses.`;
  const workloads = topology.nodes.filter(({ id }) => id !== UNKNOWN);
  const counted = ({ length }, noun) => `${length} ${noun}${length === 1 ? "" : "s"}`;
  element("summary").textContent = `${counted(workloads, "workload")}, ${counted(topology.edges, "edge")}`;
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
  const remedy = "The page keeps trying; check that the collector runs, and kubectl port-forward if you use it.";
  const text = lost ? `${problem} ${remedy}` : "";
  // The region is announced when its text changes, so it changes once for each trouble and not on each try.
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

const graph = new Graph(element("graph"));
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
