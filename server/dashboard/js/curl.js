/** Requests as commands for a shell. Pure; the key never stands in them, only the name of a variable. */

/** The command that sends a request. */
export function curl(method, url, body) {
  const lines = [method === "GET" ? `curl ${shell(url)}` : `curl -X ${method} ${shell(url)}`];
  lines.push('-H "Authorization: Bearer $SPOOLOG_API_KEY"');
  if (body !== undefined) lines.push("-H 'Content-Type: application/json'", `-d ${shell(JSON.stringify(body))}`);
  return lines.join(" \\\n  ");
}

/** A word that a POSIX shell takes as it is. */
function shell(text) {
  return `'${String(text).replaceAll("'", "'\\''")}'`;
}
