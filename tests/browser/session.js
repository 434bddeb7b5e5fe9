// Session of a web application with the REST API at another origin. It runs in the page and returns what it has read.
async ({ url, account, csv }) => {
  const headers = { "content-type": "application/json" };
  const call = async (method, path, body, more = {}) => {
    const options = { method, headers: { ...headers, ...more }, body: body && JSON.stringify(body) };
    const response = await fetch(url + path, options);
    const text = await response.text();
    return {
      status: response.status,
      body: text ? JSON.parse(text) : null,
      header: (name) => response.headers.get(name),
    };
  };

  const login = await call("POST", "/api/v1/login", { email: account.email, password: account.password });
  headers.authorization = `Bearer ${login.body.access_token}`;

  const created = await call("POST", "/api/v1/tasks", { title: "Write the report" }, { "idempotency-key": "page-1" });
  const path = `/api/v1/tasks/${created.body.id}`;
  const read = await call("GET", path);
  const changed = await call("PATCH", path, { title: "Send the report" }, { "if-match": read.header("etag") });
  const stale = await call("PATCH", path, { title: "Lost" }, { "if-match": read.header("etag") });
  const list = await call("GET", "/api/v1/tasks", undefined, { "x-request-id": "page-list" });
  const unchanged = await call("GET", "/api/v1/tasks", undefined, { "if-none-match": list.header("etag") });
  const missing = await call("GET", "/api/v1/nowhere");
  const refused = await call("POST", path, {});

  const form = new FormData();
  form.append("file", new File([csv], "tasks.csv", { type: "text/csv" }));
  const { authorization } = headers;
  const upload = await fetch(`${url}/api/v1/imports`, { method: "POST", headers: { authorization }, body: form });
  const queued = await upload.json();

  const watch = async (accept) => {
    const stream = await fetch(`${url}/api/v1/imports/${queued.id}:watch`, { headers: { authorization, accept } });
    const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
    return { type: stream.headers.get("content-type"), lines: text.split("\n").filter((line) => /^data:|^{/.test(line)) };
  };
  const events = await watch("text/event-stream");
  const lines = await watch("application/x-ndjson");

  const download = await fetch(`${url}/api/v1/tasks:export`, { headers: { authorization } });
  return {
    login: login.status,
    created: [created.status, created.header("location")],
    path,
    changed: [changed.status, changed.body.title, changed.header("etag") !== read.header("etag")],
    stale: [stale.status, stale.body.error.details[0].reason],
    list: [list.status, list.body.tasks.map((task) => task.title), list.header("x-request-id")],
    unchanged: unchanged.status,
    missing: [missing.status, missing.body.error.details[0].reason],
    refused: [refused.status, refused.header("allow")],
    upload: [upload.status, queued.file_name],
    events: [events.type, JSON.parse(events.lines.at(-1).slice(5)).rows_created],
    lines: [lines.type, JSON.parse(lines.lines.at(-1)).result.rows_created],
    download: [download.headers.get("content-disposition"), (await download.text()).includes("Buy milk")],
  };
}
