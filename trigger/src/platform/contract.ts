import type { DataApi } from "../worker-api/client";
import { ContractError } from "../errors";
import { log } from "./log";

/**
 * The version of the contract with the database that this code was built for. Raise it together with
 * `private.contract_version()` whenever the worker begins to call, send or read something new.
 */
export const workerContract = 2;

let checked: Promise<void> | undefined;

/**
 * Asks the database once in a process whether the two fit, and says so in the log if they do not. Nothing is decided
 * here: a claim by a worker that does not fit is refused.
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
