// Keeps a page up to date: a job by server-sent events, else by asking; a table by fetching its own page again.

const FIRST_DELAY = 1000;
const LONGEST_DELAY = 15000;
const WORDS = { active: "Stored", pending: "Waiting", processing: "Scanning", completed: "Done", error: "Failed", cancelled: "Cancelled" };
const isFinal = (status) => status !== "pending" && status !== "processing";

/** Put the server's newer version of one element in the place of the old one. The server escapes; nothing is built here. */
async function renew(id, after) {
  const response = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
  if (response.redirected || !response.ok) throw new Error(`status ${response.status}`);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.getElementById(id);
  const old = document.getElementById(id);
  if (!fresh || !old) throw new Error("the page has changed");
  if (fresh.isEqualNode(old)) return old;
  const focused = old.contains(document.activeElement) ? path(document.activeElement, old) : null;
  const adopted = document.adoptNode(fresh);
  old.replaceWith(adopted);
  document.title = page.title;
  after(adopted);
  if (focused) find(focused, adopted)?.focus({ preventScroll: true });
  return adopted;
}

function path(element, root) {
  const steps = [];
  for (let node = element; node !== root; node = node.parentElement) steps.unshift([...node.parentElement.children].indexOf(node));
  return steps;
}

function find(steps, root) {
  return steps.reduce((node, index) => node?.children[index], root);
}

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function stepText(job) {
  if (job.status === "processing") return job.step || "starting";
  const workers = plural(job.queue?.workers_alive ?? 0, "worker");
  if (job.queue?.position == null) return `Waiting before the next try, ${workers} alive`;
  return `Number ${job.queue.position} in the queue, ${workers} alive`;
}

function show(root, job) {
  const put = (name, text) => {
    const element = root.querySelector(`[data-${name}]`);
    if (element && element.textContent !== text) element.textContent = text;
  };
  const progress = root.querySelector("[data-progress]");
  if (progress) progress.value = job.progress;
  put("state", WORDS[job.status]);
  put("step", stepText(job));
  const badge = root.querySelector("[data-badge] .badge");
  if (badge) {
    badge.className = `badge badge-${job.status}`;
    badge.textContent = WORDS[job.status];
  }
}

function say(root, text) {
  const line = root.querySelector("[data-connection]");
  if (!line) return;
  line.textContent = text;
  line.hidden = !text;
}

/** Follow the job of this page until it has ended, then show its result. */
export function followJob(after) {
  let root = document.querySelector("[data-job][data-events]");
  if (!root) return;
  const { events, statusUrl } = root.dataset;
  const workersShown = Boolean(root.querySelector(".notice-warn"));
  let ended = false;

  const finish = async (delay = FIRST_DELAY) => {
    ended = true;
    try {
      root = await renew("job", after);
      root.querySelector("h1")?.scrollIntoView({ block: "nearest" });
      document.getElementById("said").textContent = `${root.querySelector("h1").textContent}: ${WORDS[root.dataset.status]}`;
      if (root.dataset.events) followJob(after);
    } catch {
      say(root, "The result is there, but the server does not answer. Trying again.");
      setTimeout(() => finish(Math.min(delay * 2, LONGEST_DELAY)), delay);
    }
  };
  const take = (job) => {
    if (ended) return;
    say(root, "");
    if (isFinal(job.status)) {
      finish();
      return;
    }
    show(root, job);
    if (workersShown && (job.status === "processing" || job.queue?.workers_alive > 0)) root.querySelector(".notice-warn")?.remove();
  };
  const poll = async (delay = FIRST_DELAY) => {
    if (ended) return;
    let next = FIRST_DELAY;
    try {
      const response = await fetch(statusUrl, { cache: "no-store" });
      if (response.status === 401) {
        location.reload();
        return;
      }
      if (!response.ok) throw new Error(`status ${response.status}`);
      take(await response.json());
    } catch {
      next = Math.min(delay * 2, LONGEST_DELAY);
      say(root, "The server does not answer. The scan goes on; this page keeps trying.");
    }
    setTimeout(() => poll(next), next);
  };

  if (!("EventSource" in window)) {
    poll();
    return;
  }
  const source = new EventSource(events);
  let failures = 0;
  source.addEventListener("status", (event) => {
    failures = 0;
    take(JSON.parse(event.data));
    if (ended) source.close();
  });
  source.addEventListener("error", () => {
    failures += 1;
    if (ended || (source.readyState !== EventSource.CLOSED && failures < 3)) return;
    source.close();
    poll();
  });
  window.addEventListener("pagehide", () => source.close());
}

/** Renew every element that asks for it, as often as it asks (in seconds), while the page is looked at. */
export function keepLive(after) {
  for (const element of document.querySelectorAll("[data-live]")) {
    const { id } = element;
    let failures = 0;
    const again = async () => {
      const seconds = Number(document.getElementById(id)?.dataset.live ?? 0);
      if (!seconds) return;
      const isTyping = document.activeElement?.matches("input, select, textarea");
      if (!document.hidden && !isTyping) {
        try {
          await renew(id, after);
          failures = 0;
        } catch {
          failures += 1;
        }
      }
      setTimeout(again, Math.min(seconds * 1000 * 2 ** failures, LONGEST_DELAY));
    };
    setTimeout(again, Number(element.dataset.live) * 1000);
  }
}
