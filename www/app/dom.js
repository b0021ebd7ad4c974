// Small helpers for building elements. Text is always set as text, never as markup.

/**
 * The element with this id; a missing one is a fault of the page itself.
 *
 * @template {Element} [E=HTMLElement]
 * @param {string} id
 * @returns {E}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return /** @type {E} */ (/** @type {unknown} */ (element));
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} [attributes] functions become listeners, `false` and null are left out
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Changes text only where it differs, so that live regions do not repeat themselves. @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * A function that runs only when one of its inputs has changed since the last call: how views skip what is not theirs.
 *
 * @template {unknown[]} A
 * @param {(...inputs: A) => void} run
 * @returns {(...inputs: A) => void}
 */
export function whenChanged(run) {
  /** @type {A | null} */
  let last = null;
  return (...inputs) => {
    if (last && last.length === inputs.length && inputs.every((input, index) => Object.is(input, last?.[index]))) return;
    last = inputs;
    run(...inputs);
  };
}
