// Shows why an edge is there: which rules found its parties, how often, each with an example. It asks once, when it is opened.

import { share } from "./format.js";

const PATIENCE_MILLISECONDS = 5000;

const COLUMNS = [
  { title: "Reported by", text: ({ reporter }) => reporter },
  { title: "Party", text: ({ party }) => party },
  { title: "Analyzer", text: ({ analyzer }) => analyzer },
  { title: "Rule", text: ({ rule }) => rule },
  { title: "Unknown because", text: ({ unattributed }) => unattributed ?? "–" },
  { title: "Count", text: ({ observations }) => String(observations), number: true },
  { title: "Share", text: (evidence) => share(evidence.share), number: true },
];

const FIELDS = [
  ["Start", "startTime"], ["Logged by", "proxy"], ["Method", "method"], ["Authority", "authority"], ["Path", "path"],
  ["Response code", "responseCode"], ["Response flags", "responseFlags"], ["Cluster", "upstreamCluster"], ["Route", "routeName"],
  ["Downstream, direct", "downstreamDirectRemoteAddress"], ["Downstream", "downstreamRemoteAddress"],
  ["Local", "downstreamLocalAddress"], ["Upstream", "upstreamRemoteAddress"], ["Downstream peer", "downstreamPeer"],
  ["Upstream peer", "upstreamPeer"],
];

export class Why {
  // `changed` is called with the edge that is shown, or null.
  constructor(dialog, changed) {
    this.dialog = dialog;
    this.changed = changed;
    this.asked = 0;
    this.title = dialog.querySelector("h2");
    this.summary = dialog.querySelector("p");
    this.body = dialog.querySelector("tbody");
    const head = dialog.querySelector("thead tr");
    for (const { title, number } of COLUMNS) {
      const cell = head.appendChild(document.createElement("th"));
      cell.scope = "col";
      cell.textContent = title;
      cell.classList.toggle("number", Boolean(number));
    }
    dialog.querySelector("button").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      this.asked += 1;
      changed(null);
    });
  }

  async open(edge) {
    const mine = ++this.asked;
    this.changed(edge);
    this.title.textContent = edge.replace(",", " → ");
    this.summary.textContent = "Asking the collector…";
    this.body.replaceChildren();
    if (!this.dialog.open) this.dialog.showModal();
    const answer = await ask(edge);
    if (mine !== this.asked) return;
    if (answer.trouble === undefined) this.show(answer.why);
    else this.summary.textContent = answer.trouble;
  }

  show({ observations, since, evidence }) {
    const calls = `${observations} observation${observations === 1 ? "" : "s"}`;
    this.summary.textContent = `${calls} since ${new Date(since).toLocaleString()}`;
    this.body.replaceChildren(...evidence.flatMap((one) => [row(one), exampleRow(one.example)]));
  }
}

function row(evidence) {
  const row = document.createElement("tr");
  for (const { text, number } of COLUMNS) {
    const cell = row.insertCell();
    cell.textContent = text(evidence);
    cell.classList.toggle("number", Boolean(number));
  }
  row.classList.toggle("unattributed", evidence.unattributed !== null);
  return row;
}

function exampleRow(example) {
  const row = document.createElement("tr");
  const cell = row.insertCell();
  cell.colSpan = COLUMNS.length;
  cell.className = "example";
  const known = FIELDS.filter(([, field]) => example !== null && example[field] !== null);
  for (const [name, field] of known) {
    const part = cell.appendChild(document.createElement("span"));
    part.appendChild(document.createElement("b")).textContent = name;
    part.append(` ${example[field]}`);
    cell.append(" ");
  }
  return row;
}

async function ask(edge) {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS);
    const response = await fetch(`api/v1/why?edge=${encodeURIComponent(edge)}`, { signal, cache: "no-store" });
    if (response.ok) return { why: await response.json() };
    return { trouble: await response.text() };
  } catch {
    return { trouble: "The collector cannot be reached. Close this, check that the collector runs, and try again." };
  }
}
