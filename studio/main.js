/** Shows the page that the address names, and loads it when it is first asked for. */

import { byId } from "./dom.js";
import { notify } from "./notice.js";
import { startShortcuts, useShortcuts } from "./shortcuts.js";

/**
 * @typedef {object} Page
 * @property {(query: string) => void} enter when it is shown
 * @property {() => void} leave
 * @property {import("./shortcuts.js").Shortcuts} shortcuts
 */

/** @type {Record<string, {title: string, load: () => Promise<{start: () => Page | Promise<Page>}>}>} */
const PAGES = {
  landscape: { title: "Landscape studio", load: () => import("./landscape/page.js") },
  text: { title: "Text studio", load: () => import("./text/page.js") },
  lab: { title: "GAN Lab", load: () => import("./lab/page.js") },
};

/** @type {Map<string, Promise<Page>>} */
const started = new Map();
/** @type {Page | null} */
let current = null;
let wanted = "";

/** @param {string} name */
function page(name) {
  let found = started.get(name);
  if (!found) {
    found = PAGES[name].load().then((module) => module.start());
    started.set(name, found);
  }
  return found;
}

async function show() {
  const [hash, query = ""] = location.hash.slice(1).split("?");
  const name = hash in PAGES ? hash : "landscape";
  current?.leave();
  current = null;
  wanted = name;
  for (const other of Object.keys(PAGES)) {
    byId(`page-${other}`).hidden = other !== name;
    const tab = byId(`tab-${other}`);
    if (other === name) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  document.title = `${PAGES[name].title} · Prospero`;
  useShortcuts({});
  try {
    const entered = await page(name);
    if (wanted !== name) return; // somebody was quicker
    current = entered;
    useShortcuts(entered.shortcuts);
    entered.enter(query);
    document.body.dataset.page = name; // it can be used now
  } catch (error) {
    started.delete(name);
    notify(`This page could not be loaded: ${error}`, { kind: "error" });
    throw error;
  }
}

startShortcuts();
window.addEventListener("hashchange", show);
show();
