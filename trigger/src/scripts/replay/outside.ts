import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** What a step is given in place of the outside world: the config that leads it there, until `close`. */
export interface Outside {
  config: unknown;
  close(): void;
}

/**
 * The outside world as it answered a step whose chunks are recorded; undefined for a step of which that is not known, which
 * then cannot be replayed. A chunk of a delivery is written only when each of its messages was answered with 2xx: so a
 * receiver on this machine says yes to everything.
 */
export async function recordedOutside(slug: string, config: unknown): Promise<Outside | undefined> {
  if (slug !== "deliver-webhook") return undefined;
  const server = createServer((request, response) => {
    request.resume().once("end", () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    config: { ...(config as object), url: `http://127.0.0.1:${port}/` },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
