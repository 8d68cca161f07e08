import { ContractError } from "../errors";
import type { DataApi } from "../worker-api/client";
import { log } from "./log";

let checked: Promise<void> | undefined;

/**
 * Asks the database once per process whether it fits this worker, and logs an error if it does not. It decides nothing:
 * the database refuses a claim by a worker that does not fit.
 */
export function checkContract(dataApi: DataApi): Promise<void> {
  checked ??= dataApi.checkContract().catch((error: unknown) => {
    // The next run asks again: what was missing may be deployed by then.
    checked = undefined;
    if (error instanceof ContractError) log.error("This worker can execute no run", { error });
    else log.warn("The database could not be asked for its contract", { error });
  });
  return checked;
}
