/** The API key: from the link that `spoolog serve` prints, or typed in; kept for this tab only. */

const NAME = "spoolog.key";
const IN_LINK = /^#key=([^&]+)$/;

/** Take the key out of the address, if it is there, so that it stays in no history. */
export function adoptFromLink() {
  const found = IN_LINK.exec(location.hash);
  if (!found) return false;
  history.replaceState(null, "", `${location.pathname}${location.search}#/overview`);
  begin(decodeURIComponent(found[1]));
  return true;
}

/** The key of this tab, or null. */
export function currentKey() {
  return sessionStorage.getItem(NAME);
}

/** Use this key from now on. */
export function begin(key) {
  sessionStorage.setItem(NAME, key.trim());
}

/** Forget the key. */
export function end() {
  sessionStorage.removeItem(NAME);
}
