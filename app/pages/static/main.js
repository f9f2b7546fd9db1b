// What the pages gain by scripts; each works without. Text from sites reaches the page as text only.
import { followJob, keepLive } from "./live.js";
import { acceptDrops } from "./drop.js";

const times = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const said = document.getElementById("said");

/** Show every time in the reader's own zone. */
export function localise(root) {
  for (const element of root.querySelectorAll("time[data-time]")) {
    const at = new Date(element.dateTime);
    if (!Number.isNaN(at.valueOf())) element.textContent = times.format(at);
  }
}

/** Uncover the pictures that came; where none comes, the letter below it stays. */
function uncover(root) {
  for (const picture of root.querySelectorAll("img[data-picture]")) {
    if (picture.complete && picture.naturalWidth) picture.classList.add("shown");
  }
}
for (const kind of ["load", "error"]) {
  document.addEventListener(kind, ({ target }) => {
    if (target.matches?.("img[data-picture]")) target.classList.toggle("shown", kind === "load");
  }, true);
}

function fallbackCopy(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

async function copy(button) {
  const text = button.dataset.copy;
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    done = fallbackCopy(text); // no permission, or not a secure context
  }
  said.textContent = done ? "Copied" : "Could not copy";
  button.classList.toggle("done", done);
  setTimeout(() => button.classList.remove("done"), 1500);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

// A second press of a button that has sent its form would only send it again.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button && event.target.method === "post") setTimeout(() => { button.disabled = true; });
});
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[disabled]")) button.disabled = false;
});

const prepare = (root) => {
  localise(root);
  uncover(root);
};

prepare(document);
followJob(prepare);
keepLive(prepare);
acceptDrops();
