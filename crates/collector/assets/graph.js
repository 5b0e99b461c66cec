// The graph of the calls. It draws nodes and edges with cytoscape, and reports what the user points at and clicks.

import { edgeId, judgement } from "./edges.js";
import { duration, rate, share } from "./format.js";

const UNKNOWN = "unknown";
const UNKNOWN_CALLER = "unknown caller";
const UNKNOWN_DESTINATION = "unknown destination";
const GRAPH_MARGIN = 44;
const ZOOM = { least: 0.05, fitted: 1.15, most: 3 };
const RANK_GAP = { least: 118, most: 220 };

export class Graph {
  // `marked` is called with the edge that the user points at, or null; `chosen` with the edge that the user clicks.
  constructor(container, { marked, chosen }) {
    this.marked = marked;
    this.names = document.createElement("canvas").getContext("2d");
    const fixed = { minZoom: ZOOM.least, boxSelectionEnabled: false, autounselectify: true };
    this.cytoscape = cytoscape({ container, ...fixed });
    this.restyle();
    this.cytoscape.on("mouseover", "edge", (event) => this.mark(event.target.id()));
    this.cytoscape.on("mouseout", "edge", () => this.mark(null));
    this.cytoscape.on("tap", "edge", (event) => chosen(event.target.id()));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
    new ResizeObserver(() => this.fit()).observe(container);
  }

  // Positions change only when an edge or a node is new. When one only ends, the others stay in their places.
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
    const unknown = (name) => ({ id: name, name, namespace: "", kind: UNKNOWN });
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

  nodeElement({ id, namespace, name, kind }) {
    const parent = namespace ? `namespace ${namespace}` : undefined;
    this.names.font = `600 13px ${fontFamily()}`;
    const width = Math.max(70, this.names.measureText(name).width + 26);
    return { data: { id, parent, name, width, kind }, classes: "party" };
  }

  layOut() {
    const layout = { name: "dagre", rankDir: "LR", nodeSep: 46, edgeSep: 24, rankSep: 120, fit: false, animate: false };
    this.cytoscape.layout({ ...layout, sort: (one, other) => (one.id() < other.id() ? -1 : 1) }).run();
    this.spreadRanks();
    this.fit();
  }

  // The layout leaves wide gaps where a namespace ends. The ranks share the width evenly instead, so that labels fit between them.
  spreadRanks() {
    const ranks = new Map();
    for (const node of this.cytoscape.nodes(".party")) {
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
    this.marked(id);
  }

  restyle() {
    this.cytoscape.style(graphStyle(getComputedStyle(document.documentElement)));
  }
}

// Unknown callers and unknown called parties are rarely the same, and one node for both would draw a circle.
const sourceId = ({ source }) => (source === UNKNOWN ? UNKNOWN_CALLER : source);
const destinationId = ({ destination }) => (destination === UNKNOWN ? UNKNOWN_DESTINATION : destination);
const fontFamily = () => getComputedStyle(document.body).fontFamily;

function edgeElement(edge) {
  const outcome = [];
  if (edge.errorShare !== null) outcome.push(share(edge.errorShare));
  if (edge.clientErrorShare) outcome.push(`client ${share(edge.clientErrorShare)}`);
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
  const party = {
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
    { selector: "node.party", style: party },
    { selector: 'node[kind = "gateway"], node[kind = "waypoint"]', style: { shape: "cut-rectangle", "border-width": 2.5 } },
    { selector: 'node[kind = "service"]', style: { shape: "ellipse" } },
    { selector: 'node[kind = "outside"]', style: { shape: "round-tag", "border-color": colour("muted") } },
    { selector: 'node[kind = "unknown"]', style: unknown },
    { selector: "node.namespace", style: namespace },
    { selector: "edge", style: edge },
    ...judged,
    { selector: 'edge[protocol = "tcp"]', style: { "line-style": "dashed" } },
    { selector: "edge.marked", style: marked },
  ];
}
