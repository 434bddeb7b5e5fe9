// A session of the generated TypeScript client against the gateway whose URL is the argument.
import { deepStrictEqual as equal, ok } from "node:assert";
import { randomBytes } from "node:crypto";

import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./schema.js";

type Api = Client<paths>;
type Schemas = components["schemas"];
type Failed = { error?: Schemas["ErrorResponse"]; response: Response };

// Every error of every operation has this type.
function checkError(result: Failed, status: number, code: Schemas["ErrorCode"], reason: string, field: string): void {
  equal(result.response.status, status);
  ok(result.error);
  equal([result.error.error.code, result.error.error.status], [status, code]);
  equal(result.error.error.request_id, result.response.headers.get("x-request-id"));
  equal(result.error.error.details.map((detail) => [detail.reason, detail.field]), [[reason, field]]);
}

async function logIn(url: string): Promise<{ api: Api; user: Schemas["User"] }> {
  const name = `user-${randomBytes(4).toString("hex")}`;
  const account: Schemas["RegisterRequest"] = { username: name, email: `${name}@example.com`, password: "three brown foxes" };
  const guest = createClient<paths>({ baseUrl: url });
  const registered = await guest.POST("/api/v1/register", { body: account });
  ok(registered.data, JSON.stringify(registered.error));
  const login = await guest.POST("/api/v1/login", { body: { email: account.email, password: account.password } });
  ok(login.data, JSON.stringify(login.error));
  equal(login.data.user, registered.data);
  const headers = { authorization: `Bearer ${login.data.access_token}` };
  return { api: createClient<paths>({ baseUrl: url, headers }), user: login.data.user };
}

async function createAndChange(api: Api, user: Schemas["User"]): Promise<void> {
  const created = await api.POST("/api/v1/tasks", {
    params: { header: { "Idempotency-Key": randomBytes(8).toString("hex") } },
    body: { title: "Write the report", priority: "high", due_date: "2030-01-31", assignee_id: user.id },
  });
  ok(created.data, JSON.stringify(created.error));
  const { id, status, owner_id, completed_at }: Schemas["Task"] = created.data;
  equal([status, owner_id, completed_at], ["pending", user.id, null]);
  equal(created.response.headers.get("location"), `/api/v1/tasks/${id}`);
  const etag = created.response.headers.get("etag");
  ok(etag);
  const change = {
    params: { path: { id }, header: { "If-Match": etag } },
    body: { status: "completed", due_date: null } satisfies Schemas["TaskUpdate"],
  };
  const changed = await api.PATCH("/api/v1/tasks/{id}", change);
  ok(changed.data, JSON.stringify(changed.error));
  equal([changed.data.status, changed.data.due_date, changed.data.priority], ["completed", "", "high"]);
  ok(changed.data.completed_at);
  checkError(await api.PATCH("/api/v1/tasks/{id}", change), 412, "ABORTED", "ETAG_MISMATCH", "etag");
}

async function listTwoPages(api: Api): Promise<void> {
  for (const title of ["Task 0", "Task 1"]) {
    ok((await api.POST("/api/v1/tasks", { body: { title } })).data);
  }
  const first = await api.GET("/api/v1/tasks", { params: { query: { page_size: 2 } } });
  ok(first.data);
  const query = { page_size: 2, page_token: first.data.next_page_token, include_total: true };
  const last = await api.GET("/api/v1/tasks", { params: { query } });
  ok(last.data);
  const titles = [...first.data.tasks, ...last.data.tasks].map((task) => task.title);
  equal([titles, last.data.next_page_token], [["Task 1", "Task 0", "Write the report"], ""]);
  const pending = await api.GET("/api/v1/tasks", { params: { query: { status: ["pending"], include_total: true } } });
  equal(pending.data?.total_size, 2);
}

async function upload(api: Api): Promise<void> {
  const queued = await api.POST("/api/v1/imports", {
    body: { file: "title,status\nBuy milk,pending\n" },
    bodySerializer(body) {
      const form = new FormData();
      ok(typeof body === "object");
      form.set("file", new Blob([body.file], { type: "text/csv" }), "tasks.csv");
      return form;
    },
  });
  ok(queued.data, JSON.stringify(queued.error));
  const found = await api.GET("/api/v1/imports/{id}", { params: { path: { id: queued.data.id } } });
  ok(found.data);
  equal([found.data.file_name, found.data.failure, found.data.undo], ["tasks.csv", null, null]);
}

async function readErrors(api: Api): Promise<void> {
  const blank = await api.POST("/api/v1/tasks", { body: { title: " " } });
  checkError(blank, 400, "INVALID_ARGUMENT", "BLANK_TITLE", "title");
}

const url = process.argv[2];
ok(url);
const { api, user } = await logIn(url);
await createAndChange(api, user);
await listTwoPages(api);
await upload(api);
await readErrors(api);
console.log("session of the TypeScript client: ok");
