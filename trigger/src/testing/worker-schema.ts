import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

import type { RecordedError } from "../errors";
import type { ChunkOutcome, ColumnProfile, PipelineRecord, PipelineRun } from "../tasks/steps/step";
import type { ColumnUse, Warning } from "../worker-api/remarks";

/** A `raise` of the database: PostgREST turns it into this status, with the code in `hint`. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly hint: string,
  ) {
    super(`Refused: ${hint}.`);
  }
}

export interface StepSetup {
  slug: string;
  version?: string;
  config?: unknown;
  retry?: { max_attempts?: number; backoff?: object; on?: string[] } | null;
  continue_on_error?: boolean;
  timeout_seconds?: number | null;
  run_if?: string | null;
  concurrency?: number | null;
  execution_mode?: "inline" | "task";
  task_id?: string;
}

interface StepResult extends Required<Omit<StepSetup, "config">> {
  id: string;
  config: unknown;
  delivery_key: string;
  begun: boolean;
  position: number;
  status: string;
  attempt: number;
  error: RecordedError | undefined;
  warnings: Warning[];
  columns: ColumnUse[] | undefined;
  written: Map<number, ChunkOutcome>;
  /** The chunks of an earlier run, as each call of start_step copies them. */
  toCopy: [chunkIndex: number, outcome: ChunkOutcome][][];
}

interface Run {
  run: PipelineRun;
  status: string;
  error: RecordedError | undefined;
  triggerRunId: string | undefined;
  claimId: string | undefined;
  leaseSeconds: number[];
  input: PipelineRecord[][];
  columns: ColumnProfile[];
  steps: StepResult[];
}

type Arguments = Record<string, unknown>;

/** The functions of the `worker` schema in memory, with the states and refusals that the tasks depend on. */
export class WorkerSchema {
  readonly runs = new Map<string, Run>();
  readonly published = new Map<string, unknown>();
  readonly secrets = new Map<string, string>();
  readonly dispatched: { pipelineRunId: string; triggerRunId: string }[] = [];
  /** The answers of `reconcile_pipeline_runs` and `take_starts`. */
  starts: { pipeline_run_id: string; org_id: string; idempotency_key: string; repair?: string }[] = [];
  suspects: { pipeline_run_id: string; trigger_run_id: string | null; ended: boolean }[] = [];
  readonly repaired: { pipelineRunId: string; finding: string }[] = [];
  oldestContract = 0;
  contractVersion = Infinity;

  /** A queued run of `input` (its chunks) with `steps` as its blueprint. */
  addRun(input: PipelineRecord[][], steps: StepSetup[], columns: ColumnProfile[] = []): Run {
    const run: PipelineRun = {
      id: randomUUID(),
      org_id: randomUUID(),
      company_id: randomUUID(),
      submission_id: randomUUID(),
      run_number: 1,
      blueprint_id: randomUUID(),
      blueprint_version: 1,
      chunk_count: input.length,
      record_count: input.flat().length,
      trace_id: randomUUID().replaceAll("-", ""),
      trace_sampled: true,
      request_id: `request-of-${randomUUID().slice(0, 8)}`,
      created_at: new Date().toISOString(),
    };
    const results = steps.map((step, index) => ({
      version: "1.0.0",
      config: {},
      retry: null,
      continue_on_error: false,
      timeout_seconds: null,
      run_if: null,
      concurrency: null,
      execution_mode: "inline" as const,
      task_id: step.execution_mode === "task" ? step.slug : "run-pipeline",
      ...step,
      id: randomUUID(),
      delivery_key: randomUUID().replaceAll("-", ""),
      begun: false,
      position: index + 1,
      status: "pending",
      attempt: 0,
      error: undefined,
      warnings: [],
      columns: undefined,
      written: new Map<number, ChunkOutcome>(),
      toCopy: [],
    }));
    const added = {
      ...{ run, input, columns, steps: results, status: "queued", leaseSeconds: [] },
      ...{ error: undefined, triggerRunId: undefined, claimId: undefined },
    };
    this.runs.set(run.id, added);
    return added;
  }

  cancel(pipelineRunId: string): void {
    this.run(pipelineRunId).status = "cancelled";
  }

  call(name: string, args: Arguments): unknown {
    const handler = this.#functions[name];
    if (!handler) throw new Refusal(404, "PGRST202");
    return handler(args);
  }

  readonly #functions: Record<string, (args: Arguments) => unknown> = {
    claim_pipeline_run: (args) => {
      const run = this.run(args.p_pipeline_run_id);
      this.#checkContract(args);
      if (run.status === "waiting") return { outcome: "not_admitted" };
      if (["succeeded", "succeeded_with_errors", "failed", "cancelled"].includes(run.status))
        return { outcome: "finished", status: run.status };
      if (run.claimId && run.triggerRunId !== args.p_trigger_run_id) return { outcome: "claimed_elsewhere" };
      run.status = "running";
      run.triggerRunId = String(args.p_trigger_run_id);
      run.claimId = randomUUID();
      const steps = run.steps.map(({ id, ...step }) => ({
        ...{ ...step, step_result_id: id },
        ...{ written: undefined, toCopy: undefined, attempt: undefined, error: undefined },
        ...{ warnings: undefined, columns: undefined },
      }));
      return { outcome: "claimed", claim_id: run.claimId, pipeline_run: run.run, columns: run.columns, steps };
    },
    heartbeat: (args) => {
      const run = this.#claimed(this.run(args.p_pipeline_run_id), args);
      run.leaseSeconds.push(Number(args.p_lease_seconds ?? 60));
      return { status: "running" };
    },
    start_step: (args) => {
      const { run, step } = this.#claimedStep(args);
      if (!["pending", "running"].includes(step.status)) return { status: step.status };
      if (step.status !== "running" || step.toCopy.length === 0) step.attempt += 1;
      step.status = "running";
      step.begun = true;
      for (const [chunkIndex, outcome] of step.toCopy.shift() ?? []) step.written.set(chunkIndex, outcome);
      if (step.toCopy.length > 0) return { status: "copying" };
      const written_chunks = [...step.written.keys()];
      const next = run.input.findIndex((_, chunkIndex) => !step.written.has(chunkIndex));
      const next_chunk = next < 0 ? null : { chunk_index: next, records: this.#input(run, step, next) };
      return { status: "running", attempt: step.attempt, chunk_count: run.input.length, written_chunks, next_chunk };
    },
    read_chunk: (args) => {
      const { run, step } = this.#stepOf(args.p_step_result_id);
      return { chunk_index: args.p_chunk_index, records: this.#input(run, step, Number(args.p_chunk_index)) };
    },
    write_chunk: (args) => {
      const { run, step } = this.#claimedStep(args);
      const chunkIndex = Number(args.p_chunk_index);
      const outcome = {
        records: args.p_records,
        rejected: args.p_rejected ?? [],
        dropped: args.p_dropped ?? [],
      } as ChunkOutcome;
      const earlier = step.written.get(chunkIndex);
      if (earlier && !isDeepStrictEqual(earlier, outcome)) throw new Refusal(409, "chunk_conflict");
      const ids = [outcome.records, outcome.rejected, outcome.dropped].flat().map(({ id }) => id);
      const inputIds = this.#input(run, step, chunkIndex).map(({ id }) => id);
      if (inputIds.some((id) => ids.filter((other) => other === id).length !== 1)) {
        throw new Refusal(422, "ledger_unbalanced");
      }
      step.written.set(chunkIndex, outcome);
      return { written: !earlier };
    },
    finish_step: (args) => {
      const { run, step } = this.#claimedStep(args);
      if (step.written.size !== run.input.length) throw new Refusal(409, "step_incomplete");
      step.status = "succeeded";
      step.warnings = (args.p_warnings ?? []) as Warning[];
      step.columns = args.p_columns as ColumnUse[] | undefined;
      return {};
    },
    end_step: (args) => {
      // All or nothing, as in one transaction.
      const { step } = this.#claimedStep(args);
      const written = new Map(step.written);
      try {
        if (args.p_last_chunk) {
          const { chunk_index, records, rejected, dropped } = args.p_last_chunk as Arguments;
          const chunk = { p_chunk_index: chunk_index, p_records: records, p_rejected: rejected, p_dropped: dropped };
          this.call("write_chunk", { ...args, ...chunk });
        }
        this.call("finish_step", args);
      } catch (error) {
        step.written = written;
        throw error;
      }
      const next = args.p_next_step_result_id;
      return { next: next ? this.call("start_step", { ...args, p_step_result_id: next }) : null };
    },
    fail_step: (args) => {
      const { run, step } = this.#claimedStep(args);
      step.status = "failed";
      step.error = args.p_error as RecordedError;
      if (step.continue_on_error) return { status: "failed", continues: true };
      this.#fail(run, { ...step.error, position: step.position, slug: step.slug });
      return { status: "failed", continues: false };
    },
    read_condition_input: (args) => {
      const { run, step } = this.#stepOf(args.p_step_result_id);
      const { record_count, run_number } = run.run;
      return {
        run: { record_count, rejected_count: 0, run_number, source: "json" },
        steps: run.steps.slice(0, step.position - 1).map((before) => {
          const outcomes = [...before.written.values()];
          const count = (list: keyof ChunkOutcome) => outcomes.reduce((sum, outcome) => sum + outcome[list].length, 0);
          return {
            ...{ position: before.position, slug: before.slug, status: before.status },
            ...{
              records_out: count("records"),
              records_rejected: count("rejected"),
              records_dropped: count("dropped"),
            },
          };
        }),
      };
    },
    skip_step: (args) => {
      const { step } = this.#claimedStep(args);
      if (step.run_if === null || !["pending", "skipped"].includes(step.status)) {
        throw new Refusal(409, "invalid_transition");
      }
      step.status = "skipped";
      return {};
    },
    finish_pipeline_run: (args) => {
      const run = this.#claimed(this.run(args.p_pipeline_run_id), args);
      const through = (step: StepResult) =>
        ["succeeded", "skipped"].includes(step.status) || (step.status === "failed" && step.continue_on_error);
      if (!run.steps.every(through)) throw new Refusal(409, "invalid_transition");
      run.status = run.steps.some(({ status }) => status === "failed") ? "succeeded_with_errors" : "succeeded";
      return { status: run.status };
    },
    fail_pipeline_run: (args) => {
      this.#fail(this.#claimed(this.run(args.p_pipeline_run_id), args), args.p_error as RecordedError);
      return {};
    },
    read_secret: (args) => {
      const value = this.secrets.get(String(args.p_name));
      if (value === undefined) throw new Refusal(404, "secret_not_found");
      return { value };
    },
    reconcile_pipeline_runs: (args) => ({
      starts: this.starts.slice(0, Number(args.p_limit)),
      suspects: this.suspects.filter(
        ({ pipeline_run_id }) => !this.repaired.some((r) => r.pipelineRunId === pipeline_run_id),
      ),
      admitted: 0,
      failed: 0,
      expired_submissions: 0,
    }),
    mark_pipeline_run_dispatched: (args) => {
      this.dispatched.push({
        pipelineRunId: String(args.p_pipeline_run_id),
        triggerRunId: String(args.p_trigger_run_id),
      });
      return {};
    },
    take_starts: () => ({ starts: this.starts.splice(0) }),
    replace_start: (args) => {
      const start = this.starts.find(({ pipeline_run_id }) => pipeline_run_id === args.p_pipeline_run_id);
      if (!start || start.idempotency_key !== args.p_idempotency_key) return { repair: null, start: null };
      start.idempotency_key = `${String(args.p_idempotency_key)}:another`;
      return { repair: "start_ended", start };
    },
    repair_pipeline_run: (args) => {
      const [pipelineRunId, finding] = [String(args.p_pipeline_run_id), String(args.p_finding)];
      if (this.repaired.some((r) => r.pipelineRunId === pipelineRunId)) return { repair: null, start: null };
      this.repaired.push({ pipelineRunId, finding });
      if (finding === "quiet") return { repair: null, start: null };
      if (finding === "stopped") return { repair: "stopped", start: null };
      const start = {
        pipeline_run_id: pipelineRunId,
        org_id: randomUUID(),
        idempotency_key: `${pipelineRunId}:start:1`,
      };
      return { repair: finding === "ended" ? "start_ended" : "start_unknown", start };
    },
    contract: (args) => {
      this.#checkContract(args);
      return { version: 3, oldest: 2 };
    },
    step_progress: (args) => ({ chunks_written: this.#stepOf(args.p_step_result_id).step.written.size }),
    publish_steps: (args) => {
      const steps = args.p_steps as { slug: string; version: string }[];
      const unknown = steps.filter(({ slug, version }) => !this.published.has(`${slug}@${version}`));
      for (const step of steps) {
        const earlier = this.published.get(`${step.slug}@${step.version}`);
        if (earlier && !isDeepStrictEqual(earlier, step)) throw new Refusal(409, "step_version_conflict");
        this.published.set(`${step.slug}@${step.version}`, step);
      }
      return { published: unknown.length, unchanged: steps.length - unknown.length };
    },
  };

  run(id: unknown): Run {
    const run = this.runs.get(String(id));
    if (!run) throw new Refusal(404, "pipeline_run_not_found");
    return run;
  }

  #checkContract(args: Arguments): void {
    if (Number(args.p_contract) < this.oldestContract) throw new Refusal(409, "worker_outdated");
    if (Number(args.p_contract) > this.contractVersion) throw new Refusal(409, "database_outdated");
  }

  #stepOf(stepResultId: unknown): { run: Run; step: StepResult } {
    for (const run of this.runs.values()) {
      const step = run.steps.find(({ id }) => id === stepResultId);
      if (step) return { run, step };
    }
    throw new Refusal(404, "step_result_not_found");
  }

  #claimed(run: Run, args: Arguments): Run {
    if (run.status === "cancelled") throw new Refusal(409, "pipeline_run_cancelled");
    if (run.status !== "running") throw new Refusal(409, "pipeline_run_finished");
    if (run.claimId !== args.p_claim_id) throw new Refusal(409, "claim_lost");
    return run;
  }

  #claimedStep(args: Arguments): { run: Run; step: StepResult } {
    const found = this.#stepOf(args.p_step_result_id);
    this.#claimed(found.run, args);
    return found;
  }

  #input(run: Run, step: StepResult, chunkIndex: number): PipelineRecord[] {
    const previous = run.steps.findLast(({ position, status }) => position < step.position && status === "succeeded");
    const records = previous ? previous.written.get(chunkIndex)?.records : run.input[chunkIndex];
    if (!records) throw new Refusal(404, "not_found");
    return records;
  }

  #fail(run: Run, error: RecordedError): void {
    run.status = "failed";
    run.error = error;
    for (const step of run.steps) if (step.status === "pending") step.status = "skipped";
  }
}
