import { z } from "zod";

import { type ContractCode, ContractError, finalError, RunEndedError, type RunEndedCode } from "../errors";
import type { RpcError } from "./rpc";

const runEndedCodes: readonly string[] = [
  "claim_lost",
  "pipeline_run_cancelled",
  "pipeline_run_finished",
] satisfies RunEndedCode[];

function isRunEndedCode(code: string): code is RunEndedCode {
  return runEndedCodes.includes(code);
}

const contractCodes: readonly string[] = ["worker_outdated", "database_outdated"] satisfies ContractCode[];

function isContractCode(code: string): code is ContractCode {
  return contractCodes.includes(code);
}

/** PT4xx errors carry a stable code in `hint`; anything else is a defect whose database text stays out of the run. */
export function refusal(name: string, status: number, error: RpcError): Error {
  if (/^PT\d{3}$/.test(error.code) && error.hint) {
    if (isRunEndedCode(error.hint)) return new RunEndedError(error.hint, error.message);
    if (isContractCode(error.hint)) return new ContractError(error.hint, error.message);
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
