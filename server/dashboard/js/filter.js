/**
 * The filter of the job list as text, such as `status:failed queue:mail error:"timed out" alice`:
 * reading it, writing it, and what it asks of the API. Pure: the clock is a parameter.
 */

export const STATUSES = ["pending", "scheduled", "processing", "completed", "failed", "deadletter", "cancelled"];
const UNIT_MS = { s: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const SPAN = /^(\d+(?:\.\d+)?)(s|m|min|h|d|w)$/;
const TERM = /([A-Za-z_]+):("(?:\\.|[^"\\])*"?|\S*)|"(?:\\.|[^"\\])*"?|\S+/g;
const TEXT_PARAMETER = "q";

/** What can be asked for: the API's parameter, and what stands beside the name in the list. */
export const FIELDS = {
  status: { parameter: "status", help: "one or several, with commas" },
  queue: { parameter: "queue_name", help: "name of the queue" },
  type: { parameter: "job_type", help: "job_type of the payload" },
  tag: { parameter: "tag", help: "one of the tags" },
  payload: { parameter: "contains", help: "text in the payload" },
  error: { parameter: "error", help: "text in the last error" },
  kind: { parameter: "error_signature", help: "kind of the last error" },
  since: { parameter: "created_after", help: "created within 2h, 3d, or since a time" },
  before: { parameter: "created_before", help: "created more than 2h ago, or before a time" },
};

/** Read a filter: `{terms, problems}`; a term is {field, value, start, end}, free text has no field. */
export function parse(text) {
  const terms = [...text.matchAll(TERM)].map((found) => {
    const [whole, name, value] = found;
    const field = name && Object.hasOwn(FIELDS, name.toLowerCase()) ? name.toLowerCase() : null;
    const place = { start: found.index, end: found.index + whole.length };
    return { field, value: unquoted(field ? value : whole), ...place };
  });
  return { terms, problems: problemsOf(terms) };
}

/** Write a filter; reading it gives the same terms. */
export function print(terms) {
  return terms.map(({ field, value }) => (field ? `${field}:${quoted(value)}` : quotedText(value))).join(" ");
}

/** What a filter without problems asks of the API at a moment in milliseconds. */
export function toParameters({ terms }, now) {
  const asked = {};
  for (const { field, value } of terms) {
    const name = field ? FIELDS[field].parameter : TEXT_PARAMETER;
    if (field === "since" || field === "before") asked[name] = momentOf(value, now);
    else if (field === null) asked[name] = asked[name] ? `${asked[name]} ${value}` : value;
    else if (field === "status") asked[name] = asked[name] ? `${asked[name]},${value}` : value;
    else asked[name] = value;
  }
  return asked;
}

/** Write the filter of these fields, such as {status: "failed", queue: "mail"}; nothing for null. */
export function filterOf(values) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return print(given.map(([field, value]) => ({ field, value: String(value) })));
}

/** The words of a value as they must stand behind its field. */
export function quoted(value) {
  return value === "" || /[\s"\\]/.test(value) ? `"${value.replace(/["\\]/g, "\\$&")}"` : value;
}

function problemsOf(terms) {
  const problems = [];
  const seen = new Set();
  for (const { field, value } of terms) {
    if (field === null) continue;
    if (value === "") problems.push(`${field}: what?`);
    else if (field === "status") problems.push(...unknownStatuses(value));
    else if (seen.has(field)) problems.push(`${field} can be given once`);
    else if ((field === "since" || field === "before") && momentOf(value, 0) === null) {
      problems.push(`${field}: “${value}” is neither a span such as 2h or 3d nor a time`);
    }
    seen.add(field);
  }
  return problems;
}

function unknownStatuses(value) {
  const unknown = value.split(",").filter((one) => !STATUSES.includes(one));
  return unknown.map((one) => `status: there is no “${one}”; there are ${STATUSES.join(", ")}`);
}

/** The RFC 3339 text of a span before now, or of a time; null if it is neither. */
function momentOf(value, now) {
  const span = SPAN.exec(value);
  if (span) {
    const at = new Date(now - Number(span[1]) * UNIT_MS[span[2]]);
    return Number.isNaN(at.getTime()) ? null : at.toISOString();
  }
  const at = /^\d{4}-\d\d-\d\d/.test(value) ? new Date(value) : new Date(NaN);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}

function unquoted(value) {
  if (!value.startsWith('"')) return value;
  const inside = value.length > 1 && /(?:^|[^\\])(?:\\\\)*"$/.test(value.slice(1)) ? value.slice(1, -1) : value.slice(1);
  return inside.replace(/\\(.)/g, "$1");
}

/** Free text that would read as a term or as several words stands in quotes. */
function quotedText(value) {
  const name = /^([A-Za-z_]+):/.exec(value)?.[1].toLowerCase();
  return name && Object.hasOwn(FIELDS, name) ? `"${value.replace(/["\\]/g, "\\$&")}"` : quoted(value);
}
