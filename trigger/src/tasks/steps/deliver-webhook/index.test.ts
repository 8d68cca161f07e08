import { createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { asRecords, pipelineRun, stepContext } from "../../../testing/run-step";
import {
  answers,
  neverAnswers,
  resetsTheConnection,
  WebhookReceiver,
  type Delivery,
} from "../../../testing/webhook-receiver";
import type { PipelineRecord, StepContext } from "../step";
import { deliverWebhook } from ".";
import type { DeliverWebhookConfig } from "./config";
import { deliverChunk, DeliveredMessages } from "./delivery";
import { composeMessages } from "./message";

type Context = StepContext<DeliverWebhookConfig, DeliveredMessages>;

const key = Buffer.from("0123456789abcdef0123456789abcdef");
const secret = `whsec_${key.toString("base64")}`;
const tenRecords = asRecords(Array.from({ length: 10 }, (_, row) => ({ name: `Company ${row}`, city: "Zürich" })));

let receiver: WebhookReceiver;
beforeEach(async () => {
  receiver = await WebhookReceiver.start();
});
afterEach(() => receiver.stop());

function contextOf(config: Record<string, unknown> = {}, rest: Partial<Context> = {}): Context {
  const parsed = deliverWebhook.configSchema.parse({ url: receiver.url, secret_name: "hook", ...config });
  const readSecret = (name: string) => (name === "hook" ? Promise.resolve(secret) : Promise.reject(new Error(name)));
  return stepContext(parsed, new DeliveredMessages(), { readSecret, ...rest });
}

/** With a shorter timeout than a blueprint may set. */
function impatientContext(): Context {
  const context = contextOf();
  return { ...context, config: { ...context.config, timeout_seconds: 0.2 } };
}

function deliver(records: PipelineRecord[], context = contextOf()) {
  return deliverChunk(records, context, { allowPrivateAddresses: true, firstWaitMs: 1 });
}

/** The specification's verification, without the library that signs: HMAC-SHA256 over id, timestamp and body. */
function signatureOf({ headers, body }: Delivery): string {
  const signed = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
  return `v1,${createHmac("sha256", key).update(signed).digest("base64")}`;
}

function idsIn(body: string): string[] {
  return (JSON.parse(body) as { data: { records: { id: string }[] } }).data.records.map(({ id }) => id);
}

function idsOf({ body }: Delivery): string[] {
  return idsIn(body);
}

describe("deliver-webhook", () => {
  it("posts the records in batches, in order, and passes them on unchanged", async () => {
    const outcome = await deliver(tenRecords, contextOf({ batch_size: 4 }));
    expect(outcome).toEqual({ records: tenRecords, rejected: [], dropped: [] });
    expect(receiver.deliveries.map(idsOf)).toEqual([
      ["1", "2", "3", "4"],
      ["5", "6", "7", "8"],
      ["9", "10"],
    ]);
    expect(receiver.deliveries[0]).toMatchObject({
      method: "POST",
      url: "/hooks/records?tenant=1",
      headers: { "content-type": "application/json" },
    });
  });

  it("sends exactly the documented body", async () => {
    await deliver(tenRecords.slice(0, 1), contextOf({}, { chunkIndex: 3 }));
    expect(receiver.deliveries[0]?.body).toBe(
      JSON.stringify({
        type: "records.processed",
        timestamp: "2026-01-02T03:04:05.678Z",
        data: {
          pipeline_run_id: pipelineRun.id,
          submission_id: pipelineRun.submission_id,
          company_id: pipelineRun.company_id,
          chunk_index: 3,
          batch_index: 0,
          records: [{ id: "1", data: { name: "Company 0", city: "Zürich" } }],
        },
      }),
    );
  });

  it("signs every request as Standard Webhooks says, at the time of sending", async () => {
    await deliver(tenRecords, contextOf({ batch_size: 5 }));
    for (const delivery of receiver.deliveries) {
      expect(delivery.headers["webhook-signature"]).toBe(signatureOf(delivery));
      expect(Math.abs(Number(delivery.headers["webhook-timestamp"]) - Date.now() / 1000)).toBeLessThan(60);
    }
  });

  it("sends the run's trace, with a span of its own for each try", async () => {
    receiver.next(answers(500));
    await deliver(tenRecords.slice(0, 1));
    await deliver(tenRecords.slice(0, 1), contextOf({}, { pipelineRun: { ...pipelineRun, trace_sampled: false } }));
    const sent = receiver.deliveries.map(({ headers }) => String(headers.traceparent));
    const prefix = `00-${pipelineRun.trace_id}-`;
    for (const traceparent of sent) expect(traceparent).toMatch(new RegExp(`^${prefix}[0-9a-f]{16}-0[01]$`));
    expect(sent.map((traceparent) => traceparent.slice(-2))).toEqual(["01", "01", "00"]);
    expect(new Set(sent).size).toBe(3);
  });

  it("sends no batch of two chunks in process again when they are retried", async () => {
    const state = new DeliveredMessages();
    const chunks = [0, 1].map((chunkIndex) => ({ ...contextOf({ batch_size: 5 }, { chunkIndex }), state }));
    for (const context of [...chunks, ...chunks]) await deliver(tenRecords, context);
    expect(new Set(receiver.deliveries.map(({ headers }) => headers["webhook-id"])).size).toBe(4);
    expect(receiver.deliveries).toHaveLength(4);
  });

  it("names a batch by delivery key, chunk and place, the same at every try", async () => {
    const context = contextOf({ batch_size: 5 }, { chunkIndex: 2 });
    receiver.next(answers(500));
    await deliver(tenRecords, context);
    await deliver(tenRecords, { ...context, state: new DeliveredMessages() });
    const first = "msg_0d6c2f0e6f3c4f3e9a511f1f1d6b8a06_2_0";
    const second = "msg_0d6c2f0e6f3c4f3e9a511f1f1d6b8a06_2_1";
    expect(receiver.deliveries.map(({ headers }) => headers["webhook-id"])).toEqual([
      first,
      first,
      second,
      first,
      second,
    ]);
    for (const { headers } of receiver.deliveries) expect(headers["idempotency-key"]).toBe(headers["webhook-id"]);
    const bodies = receiver.deliveries.map(({ body }) => body);
    expect(bodies[1]).toBe(bodies[0]);
    expect(bodies[3]).toBe(bodies[0]);
    expect(bodies[4]).toBe(bodies[2]);
  });

  it.each([
    ["a server error", answers(500)],
    ["a gateway error", answers(503)],
    ["a request that took a load balancer too long", answers(408)],
    ["a request that came too early", answers(425)],
    ["a rate limit with a short wait", answers(429, { "retry-after": "0" })],
    ["a connection reset", resetsTheConnection],
  ])("tries again after %s", async (_, behaviour) => {
    receiver.next(behaviour, behaviour);
    await deliver(tenRecords);
    expect(receiver.deliveries).toHaveLength(3);
  });

  it("waits as long as Retry-After says", async () => {
    receiver.next(answers(429, { "retry-after": "1" }));
    const started = performance.now();
    await deliver(tenRecords);
    expect(performance.now() - started).toBeGreaterThanOrEqual(990);
  });

  it.each(["0", "Thu, 01 Jan 1970 00:00:00 GMT"])("waits its own time when Retry-After is %j", async (header) => {
    const busy = answers(503, { "retry-after": header });
    receiver.next(busy, busy);
    const started = performance.now();
    await deliverChunk(tenRecords, contextOf(), { allowPrivateAddresses: true, firstWaitMs: 100 });
    expect(performance.now() - started).toBeGreaterThanOrEqual(299);
    expect(receiver.deliveries).toHaveLength(3);
  });

  it("leaves a long wait to the pipeline", async () => {
    receiver.next(answers(429, { "retry-after": "120" }, "slow down"));
    await expect(deliver(tenRecords)).rejects.toMatchObject({
      code: "webhook_unavailable",
      retryable: true,
      retryAfterMs: 120_000,
      details: { status: 429, response: "slow down" },
    });
    expect(receiver.deliveries).toHaveLength(1);
  });

  it("is retryable when the webhook stays down", async () => {
    receiver.next(answers(502), answers(502), answers(502));
    await expect(deliver(tenRecords)).rejects.toMatchObject({
      code: "webhook_unavailable",
      retryable: true,
      details: { status: 502 },
    });
    expect(receiver.deliveries).toHaveLength(3);
  });

  it("goes on at the undelivered batch when the pipeline retries the chunk", async () => {
    const context = contextOf({ batch_size: 4 });
    receiver.next(answers(200), answers(500), answers(500), answers(500));
    await expect(deliver(tenRecords, context)).rejects.toMatchObject({ retryable: true });
    await deliver(tenRecords, context);
    expect(receiver.deliveries.map((delivery) => idsOf(delivery)[0])).toEqual(["1", "5", "5", "5", "5", "9"]);
    await deliver(tenRecords, { ...context, chunkIndex: 1 });
    expect(receiver.deliveries).toHaveLength(9);
  });

  it.each([400, 401, 404, 410, 422])("is final when the webhook answers %i", async (status) => {
    receiver.next(answers(status, {}, "no such hook"));
    await expect(deliver(tenRecords)).rejects.toMatchObject({
      code: "webhook_rejected",
      retryable: false,
      details: { status, response: "no such hook", webhook_id: expect.stringMatching(/^msg_/) as string },
    });
    expect(receiver.deliveries).toHaveLength(1);
  });

  it.each([301, 302, 307, 308])("does not follow a redirect %i", async (status) => {
    receiver.next(answers(status, { location: receiver.url }));
    await expect(deliver(tenRecords)).rejects.toMatchObject({
      code: "webhook_rejected",
      retryable: false,
      details: { status, location: receiver.url },
    });
    expect(receiver.deliveries).toHaveLength(1);
  });

  it("keeps only a printable beginning of a large answer", async () => {
    receiver.next(answers(400, {}, `bad\u0000\u0007\n${"ä".repeat(5_000_000)}`));
    const error = await deliver(tenRecords).catch((caught: unknown) => caught);
    const response = (error as { details: { response: string } }).details.response;
    expect(response).toMatch(/^bad ä+/);
    expect(response.length).toBeLessThanOrEqual(500);
  });

  it("is retryable when nobody answers in time", async () => {
    receiver.next(neverAnswers, neverAnswers, neverAnswers);
    await expect(deliver(tenRecords, impatientContext())).rejects.toMatchObject({
      code: "webhook_unavailable",
      retryable: true,
      details: { cause: "timeout" },
    });
  });

  it("takes the status of an answer whose body never ends", async () => {
    receiver.next((_, response) => response.writeHead(200).write("ok"));
    await deliver(tenRecords, impatientContext());
    expect(receiver.deliveries).toHaveLength(1);
  });

  it("is retryable when nobody listens, without naming addresses", async () => {
    const context = contextOf();
    await receiver.stop();
    const error = await deliver(tenRecords, context).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "webhook_unavailable", retryable: true, details: { cause: "ECONNREFUSED" } });
    expect((error as Error).message).not.toContain("127.0.0.1");
    receiver = await WebhookReceiver.start();
  });

  it("stops at once when the run is cancelled", async () => {
    const controller = new AbortController();
    receiver.next(neverAnswers);
    const delivery = deliver(tenRecords, contextOf({ timeout_seconds: 120 }, { signal: controller.signal }));
    await receiver.arrival();
    controller.abort(new Error("cancelled"));
    await expect(delivery).rejects.toThrow("cancelled");
    expect(receiver.deliveries).toHaveLength(1);
  });

  it("stops while it waits for another try when the run is cancelled", async () => {
    const controller = new AbortController();
    receiver.next(answers(429, { "retry-after": "5" }));
    const delivery = deliver(tenRecords, contextOf({}, { signal: controller.signal }));
    await receiver.arrival();
    controller.abort(new Error("cancelled"));
    await expect(delivery).rejects.toThrow();
    expect(receiver.deliveries).toHaveLength(1);
  });

  it("sends nothing for an empty chunk", async () => {
    expect(await deliver([])).toEqual({ records: [], rejected: [], dropped: [] });
    expect(receiver.deliveries).toEqual([]);
  });

  it("starts a new batch before the payload grows too large, and rejects a record that is too large alone", async () => {
    const records = asRecords([
      { a: "x".repeat(6_000) },
      { a: "x".repeat(3_000) },
      { a: "ä".repeat(6_000) },
      { a: "x".repeat(3_000) },
      { a: "y" },
    ]);
    const { records: passed, rejected } = await deliver(records, contextOf({ max_payload_bytes: 10_000 }));
    expect(passed.map(({ id }) => id)).toEqual(["1", "2", "4", "5"]);
    expect(rejected).toMatchObject([
      { id: "3", reason: "payload_too_large", details: { bytes: 12_026, max_payload_bytes: 10_000 } },
    ]);
    expect(receiver.deliveries.map(idsOf)).toEqual([
      ["1", "2"],
      ["4", "5"],
    ]);
    for (const { body } of receiver.deliveries) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(10_000);
  });

  it("cuts a chunk into the same batches for every run, however long its time is written", () => {
    const cut = (rows: readonly number[], createdAt: string) => {
      const origin = { pipelineRun: { ...pipelineRun, created_at: createdAt }, deliveryKey: "k", chunkIndex: 0 };
      const limits = { batch_size: 1_000, max_payload_bytes: 10_000 };
      const records = asRecords(rows.map((length) => ({ a: "x".repeat(length) })));
      const { messages, tooLarge } = composeMessages(records, origin, limits);
      for (const { body } of messages) expect(body.length).toBeLessThanOrEqual(limits.max_payload_bytes);
      return [messages.map(({ id, body }) => [id, idsIn(body)]), [...tooLarge.keys()]];
    };
    // Every size around the limit: of a single record, and of the record that fills a batch.
    for (let length = 9_600; length < 9_700; length++) {
      for (const rows of [[length], [length - 4_000, 4_000, 1]]) {
        const whole = cut(rows, "2026-01-02T03:04:05.123456+00:00");
        for (const time of ["05.12345+00:00", "05+00:00", "05.678Z", "05.123456-11:30:15"]) {
          expect(cut(rows, `2026-01-02T03:04:${time}`)).toEqual(whole);
        }
      }
    }
  });

  it("adds the configured headers but not over its own", async () => {
    await deliver(tenRecords, contextOf({ headers: { "X-Tenant": "acme", "User-Agent": "mine" } }));
    expect(receiver.deliveries[0]?.headers).toMatchObject({ "x-tenant": "acme", "user-agent": "mine" });
  });

  it.each(["s3cret", "", "whsec_", "whsec_c2hvcnQ=", `whsec_${Buffer.alloc(65).toString("base64")}`, "whsec_%%%"])(
    "refuses the secret %j, which receivers would read differently",
    async (value) => {
      const context = contextOf({}, { readSecret: () => Promise.resolve(value) });
      const error = await deliver(tenRecords, context).catch((caught: unknown) => caught);
      expect(error).toMatchObject({
        code: "invalid_webhook_secret",
        retryable: false,
        details: { secret_name: "hook" },
      });
      if (value !== "")
        expect(JSON.stringify(error) + String(error)).not.toContain(value === "whsec_" ? 'whsec_"' : value);
      expect(receiver.deliveries).toEqual([]);
    },
  );

  it("passes on an error of reading the secret unchanged", async () => {
    const failure = new Error("secret_not_found");
    await expect(deliver(tenRecords, contextOf({}, { readSecret: () => Promise.reject(failure) }))).rejects.toBe(
      failure,
    );
  });

  it.each(["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1"])(
    "refuses to connect to %s when private addresses are not allowed",
    async (host) => {
      const context = contextOf({ url: `http://${host}:${receiver.port}/` });
      const delivery = deliverChunk(tenRecords, context, { allowPrivateAddresses: false });
      await expect(delivery).rejects.toMatchObject({ code: "webhook_address_refused", retryable: false });
      expect(receiver.deliveries).toEqual([]);
    },
  );

  it("takes the permission for private addresses from the environment", async () => {
    const saved = { ...process.env };
    Object.assign(process.env, {
      SUPABASE_URL: "http://127.0.0.1:1",
      SUPABASE_SECRET_KEY: "x",
      WEBHOOK_ALLOW_PRIVATE_ADDRESSES: "false",
    });
    try {
      await expect(Promise.resolve(deliverWebhook.processChunk(tenRecords, contextOf()))).rejects.toMatchObject({
        code: "webhook_address_refused",
      });
    } finally {
      process.env = saved;
    }
  });

  it.each([
    { url: "ftp://example.com" },
    { url: "example.com" },
    { url: "https://user:pw@example.com" },
    { secret_name: "" },
    { secret_name: "CRM-key" },
    { secret_name: "a".repeat(64) },
    { secret_name: undefined },
    { batch_size: 0 },
    { timeout_seconds: 1_000 },
    { headers: { "Webhook-Id": "x" } },
    { headers: { Host: "x" } },
    { headers: { Traceparent: `00-${"ab".repeat(16)}-${"cd".repeat(8)}-01` } },
    { headers: { "content-type": "text/plain" } },
    { headers: { "x-a": "1\r\nx-b: 2" } },
    { headers: { "x a": "1" } },
    { secret: "x" },
  ])("refuses the config %j", (config) => {
    expect(
      deliverWebhook.configSchema.safeParse({ url: "https://example.com/hook", secret_name: "hook", ...config })
        .success,
    ).toBe(false);
  });
});
