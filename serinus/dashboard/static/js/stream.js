// The one event stream of this page: opened again when it breaks, closed while nobody looks (browsers allow six
// connections to a server, tabs included).
import { serverSays } from "./clock.js";

// With a team's dashboard a session ends; the page then leads to the sign-in and back.
async function signInAgain() {
  if (!document.getElementById("account")) return;
  const answer = await fetch("api/v1/version").catch(() => null);
  if (answer?.status === 401) location.reload();
}

const DEAD_AFTER = 25000; // two and a half beats of the server
const LONGEST_REST = 5000;

export class Stream {
  // `handlers`: event name -> function of its data; `begin()` before each connection, which tells everything anew;
  // `lost(reason)` when there is none.
  constructor(handlers, begin, lost) {
    this.handlers = handlers;
    this.begin = begin;
    this.lost = lost;
    this.rest = 250;
    this.query = null;
    document.addEventListener("visibilitychange", () => this.#seen());
  }

  open(query) {
    this.query = query;
    this.rest = 250;
    this.#connect();
  }

  #seen() {
    if (document.hidden) this.#close();
    else if (this.query !== null) this.#connect();
  }

  #connect() {
    this.#close();
    this.begin();
    const source = new EventSource(`api/ui/v1/stream${this.query}`);
    this.source = source;
    for (const [name, handle] of Object.entries(this.handlers)) {
      source.addEventListener(name, (event) => {
        this.#heard();
        const data = JSON.parse(event.data);
        if (data && data.now) serverSays(data.now);
        handle(data);
      });
    }
    source.addEventListener("beat", (event) => {
      this.#heard();
      serverSays(JSON.parse(event.data).now);
    });
    source.addEventListener("error", () => { this.#broken(); signInAgain(); });
    this.#watch();
  }

  #heard() {
    this.rest = 250;
    this.#watch();
  }

  #watch() {
    clearTimeout(this.dead);
    this.dead = setTimeout(() => this.#broken(), DEAD_AFTER);
  }

  #broken() {
    this.#close();
    this.lost("the dashboard's server does not answer; trying again");
    this.again = setTimeout(() => this.#connect(), this.rest);
    this.rest = Math.min(LONGEST_REST, this.rest * 2);
  }

  #close() {
    clearTimeout(this.dead);
    clearTimeout(this.again);
    this.source?.close();
    this.source = null;
  }
}
