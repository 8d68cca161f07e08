import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import type { StandIn } from "../step";
import type { DeliverWebhookConfig } from "./config";

/**
 * A receiver on this machine that answers every request with 204. A recorded chunk of a delivery was written only after
 * each of its messages was answered with 2xx, so this is what the real receiver said.
 */
export async function acceptingReceiver(config: DeliverWebhookConfig): Promise<StandIn<DeliverWebhookConfig>> {
  const server = createServer((request, response) => {
    request.resume().once("end", () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    config: { ...config, url: `http://127.0.0.1:${port}/` },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
