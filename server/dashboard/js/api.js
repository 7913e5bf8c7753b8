/** Requests to the API, and what it refuses, as one kind of error. Holds no state but the key. */

const TIMEOUT_MS = 20_000;

/** What the API refused, or why it could not be asked; `code` is the API's, or NETWORK or TIMEOUT. */
export class ApiError extends Error {
  constructor({ status = 0, code, message, details = null, requestId = null, retryAfterSecs = null }) {
    super(message);
    this.name = "ApiError";
    Object.assign(this, { status, code, details, requestId, retryAfterSecs });
  }
}

/** Give the client of one key. `onUnauthorized` hears when the key is not, or no longer, valid. */
export function createApi(key, onUnauthorized = () => {}) {
  const ask = async (method, path, { query, body, signal } = {}) => {
    const response = await send(urlOf(path, query), {
      method,
      signal,
      headers: { Authorization: `Bearer ${key}`, Accept: "application/json", ...typeOf(body) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (response.ok) return response;
    const error = await refusal(response);
    if (error.status === 401) onUnauthorized(error);
    throw error;
  };
  const json = async (...request) => contentOf(await ask(...request));
  return {
    get: (path, query, options) => json("GET", path, { query, ...options }),
    post: (path, body = {}, options) => json("POST", path, { body, ...options }),
    put: (path, body, options) => json("PUT", path, { body, ...options }),
    delete: (path, options) => json("DELETE", path, options),
    /** A page of a list: `{items, hasMore, nextAfter}`. */
    page: async (path, query, options) => {
      const response = await ask("GET", path, { query, ...options });
      return {
        items: await contentOf(response),
        hasMore: response.headers.get("X-Has-More") === "true",
        nextAfter: response.headers.get("X-Next-After"),
      };
    },
    /** The raw response, for what is not JSON. */
    raw: (path, query, options) => ask("GET", path, { query, ...options }),
    key,
  };
}

/** Give the address of an API path under the one that this page came from. */
export function urlOf(path, query = {}) {
  const url = new URL(`api/v1/${path}`, document.baseURI.split("#")[0]);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

/** Whether an error only says that its request is no longer wanted. */
export function isAborted(error) {
  return error?.name === "AbortError";
}

async function send(url, { signal, ...request }) {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
  try {
    return await fetch(url, {
      ...request, signal: either, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer",
    });
  } catch (error) {
    if (isAborted(error)) throw error;
    if (error.name === "TimeoutError") {
      throw new ApiError({ code: "TIMEOUT", message: "The server did not answer in time." });
    }
    throw new ApiError({ code: "NETWORK", message: "The server cannot be reached." });
  }
}

async function refusal(response) {
  const told = await contentOf(response).catch(() => null);
  return new ApiError({
    status: response.status,
    code: told?.code ?? `HTTP_${response.status}`,
    message: told?.message ?? `The server answered ${response.status}.`,
    details: told?.details ?? null,
    requestId: response.headers.get("X-Request-Id"),
    retryAfterSecs: Number(response.headers.get("Retry-After")) || null,
  });
}

async function contentOf(response) {
  const isJson = (response.headers.get("Content-Type") ?? "").startsWith("application/json");
  if (response.status === 204 || !isJson) return null;
  return response.json();
}

function typeOf(body) {
  return body === undefined ? {} : { "Content-Type": "application/json" };
}
