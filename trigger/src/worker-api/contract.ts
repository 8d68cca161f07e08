/**
 * The version of the contract with the database that this code was built for. Raise it together with
 * `private.contract_version()` whenever the worker begins to call, send or read something new.
 */
export const workerContract = 3;
