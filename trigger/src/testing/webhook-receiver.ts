import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Delivery {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingHttpHeaders;
  body: string;
}

export type Behaviour = (request: IncomingMessage, response: ServerResponse) => void;

export function answers(status: number, headers: Record<string, string> = {}, body = ""): Behaviour {
  return (_, response) => response.writeHead(status, headers).end(body);
}

export const resetsTheConnection: Behaviour = (request) => request.socket.destroy();
export const neverAnswers: Behaviour = () => undefined;

/** A customer's webhook on loopback. Each request gets the next behaviour; after the last one, 204. */
export class WebhookReceiver {
  readonly deliveries: Delivery[] = [];
  readonly #behaviours: Behaviour[] = [];
  readonly #watchers: (() => void)[] = [];
  readonly #server = createServer((request, response) => {
    this.#receive(request, response).catch((error: unknown) => {
      // A client that gives up, or the end of the test, aborts a request before its body has arrived.
      if (request.complete) throw error;
    });
  });

  static async start(): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hooks/records?tenant=1`;
  }

  next(...behaviours: Behaviour[]): void {
    this.#behaviours.push(...behaviours);
  }

  /** Resolves when the next request has arrived in full. */
  arrival(): Promise<void> {
    return new Promise((resolve) => this.#watchers.push(resolve));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const part of request.setEncoding("utf8")) body += String(part);
    this.deliveries.push({ method: request.method, url: request.url, headers: request.headers, body });
    const behave = this.#behaviours.shift() ?? answers(204);
    behave(request, response);
    for (const watcher of this.#watchers.splice(0)) watcher();
  }
}
