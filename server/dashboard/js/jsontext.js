/** Text that someone types as JSON: its value, or what is wrong with it and where. Pure. */

const TOKEN = /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)|)/y;
const CLOSING = { "{": "}", "[": "]" };

/** `{value}`, or `{problem, line, column}`. */
export function readJson(text) {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return wrongIn(text);
  }
}

/** Browsers do not all tell the place, so it is looked for: the first token that cannot stand there. */
function wrongIn(text) {
  const open = [];
  let expected = "a value";
  let token = tokenAt(text, 0);
  for (;;) {
    const next = after(expected, token.kind, open);
    if (next === null) return { problem: `Expected ${expected}`, ...placeOf(text, token.start) };
    expected = next;
    token = tokenAt(text, token.end);
  }
}

/** What is expected behind this token; null if it cannot stand there. */
function after(expected, kind, open) {
  const closes = open.length > 0 && kind === open.at(-1) && expected.endsWith(kind);
  if (closes) {
    open.pop();
    return afterValue(open);
  }
  if (expected.startsWith("a name")) return kind === "string" ? ":" : null;
  if (expected === ":") return kind === ":" ? "a value" : null;
  if (expected.startsWith(", or")) return kind === "," ? (open.at(-1) === "}" ? "a name in double quotes" : "a value") : null;
  if (!expected.startsWith("a value")) return null;
  if (kind in CLOSING) {
    open.push(CLOSING[kind]);
    return kind === "{" ? "a name in double quotes or }" : "a value or ]";
  }
  return kind === "string" || kind === "scalar" ? afterValue(open) : null;
}

function afterValue(open) {
  return open.length > 0 ? `, or ${open.at(-1)}` : "nothing more";
}

function tokenAt(text, from) {
  TOKEN.lastIndex = from;
  const [whole, mark, string, scalar] = TOKEN.exec(text);
  const end = from + whole.length;
  const token = mark ?? string ?? scalar ?? "";
  return { kind: mark ?? (string && "string") ?? (scalar && "scalar") ?? "odd", start: end - token.length, end };
}

function placeOf(text, position) {
  const before = text.slice(0, position).split("\n");
  return { line: before.length, column: before.at(-1).length + 1 };
}
