import { z } from "zod";

import { type ContractCode, ContractError, finalError, RunEndedError, type RunEndedCode } from "../errors";
import type { RpcError } from "./rpc";

const runEndedCodes: readonly string[] = [
  "claim_lost",
  "pipeline_run_cancelled",
  "pipeline_run_finished",
] satisfies RunEndedCode[];
const contractCodes: readonly string[] = ["worker_outdated", "database_outdated"] satisfies ContractCode[];

/** PT4xx errors carry a stable code in `hint`. Any other error is a defect, and the run does not repeat its text. */
export function refusal(name: string, status: number, error: RpcError): Error {
  if (/^PT\d{3}$/.test(error.code) && error.hint) {
    if (runEndedCodes.includes(error.hint)) return new RunEndedError(error.hint as RunEndedCode, error.message);
    if (contractCodes.includes(error.hint)) return new ContractError(error.hint as ContractCode, error.message);
    return finalError(error.hint, error.message, { details: parseDetails(error.details), cause: error });
  }
  if (status === 401 || status === 403) {
    return finalError("data_api_refused", `The Data API refused the worker's credential for ${name}.`, {
      cause: error,
    });
  }
  return finalError("internal_error", `The Data API refused ${name}.`, {
    details: { status, database_code: error.code },
    cause: error,
  });
}

function parseDetails(details: string | null): Record<string, unknown> {
  if (!details) return {};
  try {
    const parsed = z.record(z.string(), z.unknown()).safeParse(JSON.parse(details));
    return parsed.success ? parsed.data : { text: details };
  } catch {
    return { text: details };
  }
}
