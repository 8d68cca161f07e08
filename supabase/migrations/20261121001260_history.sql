-- History stays whole: chunks, runs, results and rejected records go with their submission, never apart from it.
--
-- What remained would still say that they were there: the counts of a submission, the ledger of a step, the status of a run.

-- Definer: whoever deletes may not see the row that this belonged to; nobody is refused for that.
create function private.refuse_partial_deletion() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
    v_is_partial boolean;
begin
    case tg_table_name
        when 'pipeline_runs', 'submission_chunks', 'rejected_records' then
            v_is_partial := exists (select from old_rows o join public.submissions s on s.id = o.submission_id);
        when 'step_results' then
            v_is_partial := exists (select from old_rows o join public.pipeline_runs r on r.id = o.pipeline_run_id);
        when 'step_result_chunks' then
            v_is_partial := exists (select from old_rows o join public.step_results sr on sr.id = o.step_result_id);
    end case;
    if v_is_partial then
        perform private.raise_error(409, 'immutable', format('Rows of %s are history and go only with their submission.', tg_table_name));
    end if;
    return null;
end;
$$;
comment on function private.refuse_partial_deletion is
    'Trigger: refuses a deletion that leaves the submission, run or step result in place, whoever makes it. Raises 409 immutable.';

create trigger submission_chunks_keep_whole after delete on public.submission_chunks
referencing old table as old_rows for each statement execute function private.refuse_partial_deletion();
create trigger pipeline_runs_keep_whole after delete on public.pipeline_runs
referencing old table as old_rows for each statement execute function private.refuse_partial_deletion();
create trigger step_results_keep_whole after delete on public.step_results
referencing old table as old_rows for each statement execute function private.refuse_partial_deletion();
create trigger step_result_chunks_keep_whole after delete on public.step_result_chunks
referencing old table as old_rows for each statement execute function private.refuse_partial_deletion();
create trigger rejected_records_keep_whole after delete on public.rejected_records
referencing old table as old_rows for each statement execute function private.refuse_partial_deletion();

-- Truncating fires no trigger of a row, so it would pass by these and by the audit log.
create trigger submissions_never_truncated before truncate on public.submissions
for each statement execute function private.refuse_change();
create trigger submission_chunks_never_truncated before truncate on public.submission_chunks
for each statement execute function private.refuse_change();
create trigger pipeline_runs_never_truncated before truncate on public.pipeline_runs
for each statement execute function private.refuse_change();
create trigger step_results_never_truncated before truncate on public.step_results
for each statement execute function private.refuse_change();
create trigger step_result_chunks_never_truncated before truncate on public.step_result_chunks
for each statement execute function private.refuse_change();
create trigger rejected_records_never_truncated before truncate on public.rejected_records
for each statement execute function private.refuse_change();
