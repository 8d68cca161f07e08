import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { DataApi } from "../worker-api/client";
import { Refusal, WorkerSchema } from "./worker-schema";

export const secretKey = "sb_secret_for_tests";

/** What happens to a call. `lost`: it is executed, and its answer is lost. `stalled`, `truncated`: only the beginning of the answer arrives. */
export type Fault = { status: number; body?: string } | "reset" | "lost" | "stalled" | "truncated";

export interface Call {
  name: string;
  args: Record<string, unknown>;
  headers: IncomingHttpHeaders;
}

/** A Data API on loopback, with the calls and errors of PostgREST, over a WorkerSchema. */
export class DataApiServer {
  readonly schema = new WorkerSchema();
  readonly calls: Call[] = [];
  readonly #faults = new Map<string, Fault[]>();
  readonly #watchers: ((call: Call) => void | Promise<void>)[] = [];
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch((error: unknown) => {
      // A client that gives up, or the end of the test, aborts a request before its body has arrived.
      if (request.complete) throw error;
    });
  });

  static async start(): Promise<DataApiServer> {
    const server = new DataApiServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A client with short waits, since most tests are not about backoff. */
  client(): DataApi {
    return new DataApi(this.url, secretKey, { tries: 3, timeoutMs: 2_000, backoff: { baseMs: 1, maxMs: 2 } });
  }

  failNext(name: string, ...faults: Fault[]): void {
    this.#faults.set(name, [...(this.#faults.get(name) ?? []), ...faults]);
  }

  /** Called before each function is executed, for tests that change something in the middle of a run. */
  onCall(watcher: (call: Call) => void | Promise<void>): void {
    this.#watchers.push(watcher);
  }

  callsOf(name: string): Call[] {
    return this.calls.filter((call) => call.name === name);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = request.url?.replace("/rest/v1/rpc/", "") ?? "";
    let body = "";
    for await (const part of request.setEncoding("utf8")) body += String(part);
    if (request.headers.apikey !== secretKey || request.headers["content-profile"] !== "worker") {
      send(response, 401, { code: "PGRST301", message: "No suitable key", details: null, hint: null });
      return;
    }
    const call: Call = { name, args: JSON.parse(body) as Call["args"], headers: request.headers };
    this.calls.push(call);
    for (const watcher of this.#watchers) await watcher(call);
    const fault = this.#faults.get(name)?.shift();
    if (fault === "reset") {
      request.socket.destroy();
    } else if (fault === "stalled" || fault === "truncated") {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"records": [', () => fault === "truncated" && request.socket.destroy());
    } else if (fault && fault !== "lost") {
      response.writeHead(fault.status).end(fault.body ?? "");
    } else {
      this.#execute(call, response, fault === "lost");
    }
  }

  #execute({ name, args }: Call, response: ServerResponse, lost: boolean): void {
    try {
      const result = this.schema.call(name, args);
      if (lost) response.socket?.destroy();
      else send(response, 200, result);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { status, hint, message } = error;
      send(response, status, { code: hint.startsWith("PGRST") ? hint : `PT${status}`, message, details: null, hint });
    }
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
