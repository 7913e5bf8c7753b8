/**
 * Events as they happen, over EventSource. A screen follows few: those of one job, or rare kinds;
 * figures are polled, since that costs the server the same however much happens.
 *
 * An EventSource cannot send a header, so its address carries a short-lived token instead of the
 * key. Where there is no such stream, `onState` hears "polling" and the screen goes on polling.
 */

import { urlOf } from "./api.js";

const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 30_000;

/**
 * Follow `path`, such as "events" or "events/jobs/ID", and give the function that ends it.
 * `onEvent({type, data})` hears each event; `onState` "live", "waiting" or "polling".
 */
export function follow(api, path, query, { onEvent, onState = () => {} }) {
  let source = null;
  let timer = null;
  let ended = false;
  let wait = RETRY_MS_MIN;

  const again = (state) => {
    source?.close();
    if (ended) return;
    onState(state);
    timer = setTimeout(connect, wait);
    wait = Math.min(wait * 2, RETRY_MS_MAX);
  };
  const connect = async () => {
    let token;
    try {
      token = (await api.post("auth/login", { api_key: api.key }))?.access_token;
    } catch (error) {
      if (error.status === 404 || error.status === 405) return onState("polling");
      return again("waiting");
    }
    if (ended) return undefined;
    source = new EventSource(urlOf(path, { ...query, token }));
    source.onopen = () => {
      wait = RETRY_MS_MIN;
      onState("live");
    };
    source.onmessage = (message) => onEvent(JSON.parse(message.data));
    source.onerror = () => {
      // A stream that ended reconnects by itself; one that was refused wants a new token.
      if (source.readyState === EventSource.CLOSED) again("polling");
      else onState("waiting");
    };
    return undefined;
  };

  connect();
  return () => {
    ended = true;
    clearTimeout(timer);
    source?.close();
  };
}
