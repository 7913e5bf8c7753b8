/**
 * Elements: making them, and bringing those on the page up to date.
 *
 * Text only ever becomes a text node; there is no way from here to markup. A screen is rendered as
 * a whole, and `update` changes the page to match it: elements that stay keep their focus, their
 * selection, what was typed and what was unfolded.
 */

const SVG = "http://www.w3.org/2000/svg";
const CONTROLLED = ["checked", "indeterminate", "disabled"];
/** Elements that may need their inside, since the last update. */
let unfilled = [];

/** Make an HTML element. Props: attributes, `on` {event: handler}, `style` {property: value},
 * `key` (its identity among its siblings), `own` (while it stays the same, the inside is left alone),
 * `fill` (gives the inside, only when `update` needs it: for many elements of which few change). */
export function h(tag, props, ...children) {
  return make(document.createElement(tag), props, children);
}

/** Make an SVG element. */
export function s(tag, props, ...children) {
  return make(document.createElementNS(SVG, tag), props, children);
}

function make(element, props, children) {
  const { value, fill, ...rest } = props ?? {};
  for (const [name, one] of Object.entries(rest)) setProp(element, name, one);
  element.append(...nodes(children));
  if (value !== undefined) setValue(element, value);
  if (fill) {
    element.spoologFill = fill;
    unfilled.push(element);
  }
  return element;
}

/** Flatten children to nodes; null, undefined and false are nothing. */
export function nodes(children) {
  return [children].flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

function setProp(element, name, value) {
  if (value === null || value === undefined) return;
  if (name === "on") listen(element, value);
  else if (name === "key" || name === "own") element[`spoolog_${name}`] = String(value);
  else if (name === "style") {
    for (const [property, one] of Object.entries(value)) element.style.setProperty(property, one);
  } else if (CONTROLLED.includes(name)) element[name] = value;
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false) element.setAttribute(name, value);
}

function setValue(element, value) {
  element.setAttribute("data-value", value);
  element.value = value;
}

function listen(element, handlers) {
  const before = element.spoologHandlers ?? {};
  element.spoologHandlers = handlers;
  for (const type of Object.keys(handlers)) {
    if (!(type in before)) element.addEventListener(type, dispatch);
  }
}

function dispatch(event) {
  return event.currentTarget.spoologHandlers?.[event.type]?.(event);
}

/** Make the children of `root` like these, and keep the focus where it was. */
export function update(root, ...children) {
  const focused = document.activeElement;
  const fresh = document.createDocumentFragment();
  fresh.append(...nodes(children));
  morphChildren(root, fresh);
  unfilled.filter((element) => element.isConnected).forEach(filled);
  unfilled = [];
  if (focused !== document.activeElement && focused?.isConnected && root.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}

function filled(element) {
  element.append(...nodes(element.spoologFill?.() ?? []));
  element.spoologFill = null;
}

function morph(live, fresh) {
  if (live.nodeType === Node.TEXT_NODE) {
    if (live.data !== fresh.data) live.data = fresh.data;
    return;
  }
  if (fresh.spoolog_own !== undefined && live.spoolog_own === fresh.spoolog_own) return;
  live.spoolog_own = fresh.spoolog_own;
  filled(fresh);
  const valueChanged = live.getAttribute("data-value") !== fresh.getAttribute("data-value");
  morphAttributes(live, fresh);
  listen(live, fresh.spoologHandlers ?? live.spoologHandlers ?? {});
  morphChildren(live, fresh);
  for (const name of CONTROLLED) if (live[name] !== fresh[name]) live[name] = fresh[name];
  const typing = live === document.activeElement && live.type !== "range";
  if (valueChanged && !typing && fresh.hasAttribute("data-value")) live.value = fresh.getAttribute("data-value");
}

function morphAttributes(live, fresh) {
  for (const { name, value } of fresh.attributes) {
    // The policy of the page forbids style attributes, not the style object.
    if (name === "style") live.style.cssText = fresh.style.cssText;
    else if (live.getAttribute(name) !== value) live.setAttribute(name, value);
  }
  for (const { name } of [...live.attributes]) {
    const ofTheUser = name === "open";
    if (!ofTheUser && !fresh.hasAttribute(name)) live.removeAttribute(name);
  }
}

function morphChildren(live, fresh) {
  const keyed = new Map();
  for (const child of live.childNodes) {
    if (child.spoolog_key !== undefined) keyed.set(child.spoolog_key, child);
  }
  let cursor = live.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const found = wanted.spoolog_key === undefined ? cursor : keyed.get(wanted.spoolog_key);
    if (!found || !alike(found, wanted)) {
      live.insertBefore(wanted, cursor);
      continue;
    }
    if (found === cursor) cursor = cursor.nextSibling;
    else live.insertBefore(found, cursor);
    morph(found, wanted);
  }
  while (cursor) {
    const next = cursor.nextSibling;
    cursor.remove();
    cursor = next;
  }
}

function alike(one, other) {
  return one.nodeName === other.nodeName && one.spoolog_key === other.spoolog_key;
}
