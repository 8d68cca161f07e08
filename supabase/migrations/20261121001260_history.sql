-- History stays whole: chunks, runs, results and rejected records are deleted only with their submission.
--
-- Otherwise the counts of a submission, the ledger of a step or the status of a run would tell of rows that are gone.

-- Definer: it finds the parent row even if the deleting role cannot see it.
create function private.refuse_partial_deletion() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
    v_is_partial boolean;
begin
    case tg_table_name
        when 'pipeline_runs', 'submission_chunks', 'rejected_records' then
            -- What an upload left when it was given up is no history: the reconciler deletes it.
            v_is_partial := exists (
                select from old_rows o join public.submissions s on s.id = o.submission_id where s.status <> 'expired'
            );
        when 'step_results' then
            v_is_partial := exists (select from old_rows o join public.pipeline_runs r on r.id = o.pipeline_run_id);
        when 'step_result_chunks' then
            v_is_partial := exists (select from old_rows o join public.step_results sr on sr.id = o.step_result_id);
    end case;
    if v_is_partial then
        perform private.raise_error(409, 'immutable',
            format('Rows of %s are history and are deleted only with their submission.', tg_table_name));
    end if;
    return null;
end;
$$;
comment on function private.refuse_partial_deletion is
    'Trigger: refuses to delete rows whose submission, run or step result remains, except those of an expired upload. '
    'Raises 409 immutable.';

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

-- Truncating fires no row trigger, so it would bypass these and the audit log.
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
