// The socket: frames and alerts, a connection that mends itself, and how old what is shown is.
const LATE_MS = 3000;
const SILENT_MS = 10000;
const LONGEST_WAIT_MS = 15000;

export class Feed extends EventTarget {
  constructor(lastAlert) {
    super();
    this.lastAlert = lastAlert;
    this.heard = performance.now();
    this.state = "connecting";
    this.tries = 0;
    this.open();
    setInterval(() => this.check(), 500);
    document.addEventListener("visibilitychange", () => !document.hidden && this.check());
  }

  get silentFor() {
    return performance.now() - this.heard;
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/desk/live?after=${this.lastAlert}`);
    this.opened = performance.now();
    this.socket.addEventListener("message", (event) => this.hear(JSON.parse(event.data)));
    this.socket.addEventListener("close", (event) => this.again(event));
  }

  hear(message) {
    this.heard = performance.now();
    this.tries = 0;
    if (message.kind === "alert") this.lastAlert = Math.max(this.lastAlert, message.id);
    this.dispatchEvent(new CustomEvent(message.kind, { detail: message }));
    this.check();
  }

  // With jitter, so that all viewers do not come back in the same instant.
  again(event) {
    if (event.code === 4401) location.assign("/login");
    const longest = Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.tries++);
    setTimeout(() => this.open(), longest * (0.5 + Math.random() / 2));
    this.check();
  }

  check() {
    const silent = this.silentFor;
    const known = this.state !== "connecting" || silent > LATE_MS;
    const state = silent > SILENT_MS ? "lost" : silent > LATE_MS ? "late" : known || this.tries === 0 && this.socket.readyState === WebSocket.OPEN ? "live" : "connecting";
    if (silent > SILENT_MS && this.socket.readyState === WebSocket.OPEN) this.socket.close();
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, silent } }));
  }
}
