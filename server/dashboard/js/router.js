/** Addresses within the page: `#/queues/mail?tab=dead`. Pure, but for reading `location`. */

/** Give the address of a screen, for an `href`. */
export function href(parts, query = {}) {
  const path = [parts].flat().map(encodeURIComponent).join("/");
  const wanted = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(wanted.map(([name, value]) => [name, String(value)])).toString();
  return `#/${path}${text ? `?${text}` : ""}`;
}

/** Take an address apart: `{parts, query}`. */
export function parsed(hash) {
  const [path, text = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decoded);
  return { parts, query: Object.fromEntries(new URLSearchParams(text)) };
}

/** Find the first view whose `path`, such as "queues/:name", fits; null if none does. */
export function matched(views, parts) {
  for (const view of views) {
    const params = paramsOf(view.path.split("/"), parts);
    if (params) return { view, params };
  }
  return null;
}

function paramsOf(pattern, parts) {
  if (pattern.length !== parts.length) return null;
  const params = {};
  for (const [index, name] of pattern.entries()) {
    if (name.startsWith(":")) params[name.slice(1)] = parts[index];
    else if (name !== parts[index]) return null;
  }
  return params;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
