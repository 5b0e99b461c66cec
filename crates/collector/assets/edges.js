// Functions about edges and their ends that the table and the graph share.

const ERROR_SHARE = { degraded: 0.01, failing: 0.05 };

export function judgement(errorShare) {
  if (errorShare === null) return "unjudged";
  if (errorShare >= ERROR_SHARE.failing) return "failing";
  return errorShare >= ERROR_SHARE.degraded ? "degraded" : "healthy";
}

export const edgeId = ({ source, destination, protocol }) => `${source} ${destination} ${protocol}`;

// A node by its id: `namespace/workload`, `service:namespace/name`, `outside:host` or `unknown`. A workload's kind is empty, and a
// colon in its own namespace has `workload:` before it.
export function party(id) {
  const [, prefix, rest] = /^(?:(workload|service|outside):)?(.*)$/s.exec(id);
  const cut = prefix === "outside" ? -1 : rest.indexOf("/");
  const kind = prefix === undefined || prefix === "workload" ? "" : prefix;
  return { namespace: rest.slice(0, Math.max(0, cut)), name: rest.slice(cut + 1), kind };
}
