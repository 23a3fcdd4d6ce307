// What this page knows: the lines of the list, the Rollout that is looked at, and how good the view is.
import { keyOf, PART_OF } from "./matching.js";

const EXAMPLE = `kubectl apply -f - <<'END'
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: hello, namespace: NAMESPACE}
spec:
  replicas: 2
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec: {containers: [{name: hello, image: "argoproj/rollouts-demo:blue"}]}
  strategy: {canary: {steps: [{setWeight: 50}, {pause: {}}]}}
END`;

export class World {
  constructor() {
    this.rows = new Map();
    this.namespaces = new Map(); // those without Rollouts: whether they exist
    this.rollout = undefined;
    this.state = { view: "loading", reason: "", parts: [] };
    this.readOnly = "";
    this.whole = false; // whether the first picture is complete
    this.lost = ""; // why there is no connection to the dashboard's server
    this.lostAt = 0;
  }

  // A new connection tells everything again; what is no longer told by then is gone.
  begin() {
    this.whole = false;
    this.told = new Set();
  }

  takeState(state) {
    this.state = state;
    this.readOnly = state.readOnly;
    this.lost = "";
  }

  // Whether this brings new lines alone.
  takeRows({ rows, gone, all }) {
    const more = !gone.length && this.rows.size > 0 && !rows.some((row) => this.rows.has(keyOf(row)));
    for (const row of rows) {
      this.rows.set(keyOf(row), row);
      this.told?.add(keyOf(row));
    }
    for (const key of gone) this.rows.delete(key);
    if (all) {
      for (const key of this.rows.keys()) if (!this.told.has(key)) this.rows.delete(key);
      this.whole = true;
      this.told = null;
    }
    return more;
  }

  // Why nothing is shown: sentences and commands; null when there is something.
  nothing(total, shown, place = {}) {
    if (shown) return null;
    const ns = place.ns || "default";
    const { view, reason } = this.state;
    if (view === "forbidden") return ["You may not look at Rollouts here.", reason, this.state.remedy].filter(Boolean);
    if (view === "missing") return ["This API server does not know Rollouts: their CustomResourceDefinition is not installed.", reason];
    if (view === "unreachable") return ["The API server does not answer. Trying again.", reason];
    if (!this.whole) return ["Loading…"];
    if (total) return ["No Rollout matches. Clear the search or the filters to see all."];
    if (place.release) return [`No Rollout has the label ${PART_OF}: ${place.release}.`];
    const known = place.ns ? this.namespaces.get(ns) : { found: "yes" };
    if (!known) return ["Loading…"];
    if (known.found === "no") return [{ heading: `Namespace ${ns} does not exist.` }, "Its name may be written differently. This lists those that exist:", { command: "kubectl get namespaces" }];
    const unsure = known.found === "unknown" ? [`Whether it exists is not known: ${known.why}`] : [];
    return [place.ns ? `There are no Rollouts in namespace ${ns} yet.` : "There are no Rollouts yet.", ...unsure,
      "This makes one:", { command: EXAMPLE.replace("NAMESPACE", ns) },
      "This releases a new version of it:", { command: `kubectl argo rollouts set image hello hello=argoproj/rollouts-demo:green -n ${ns}` }];
  }
}
