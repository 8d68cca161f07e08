-- Warnings of a run: those of its steps as they succeed, and those about the run as a whole when it ends.
--
-- They are kept with the run, so that lists of runs read no step results.

create function private.add_step_warnings() returns trigger
language plpgsql set search_path = '' as $$
begin
    update public.pipeline_runs r
    set warnings = r.warnings || (
        select jsonb_agg(
            w.value || jsonb_build_object('position', new.position, 'slug', new.slug) order by w.ordinality
        )
        from jsonb_array_elements(new.warnings) with ordinality w
    )
    where r.id = new.pipeline_run_id;
    return null;
end;
$$;
comment on function private.add_step_warnings is
    'Trigger: adds the warnings of a step that succeeded, here or in the run that is retried, to its run.';

create trigger step_results_add_warnings_created after insert on public.step_results
for each row when (new.status = 'succeeded' and new.warnings <> '[]')
execute function private.add_step_warnings();
create trigger step_results_add_warnings after update of status on public.step_results
for each row when (new.status = 'succeeded' and old.status <> 'succeeded' and new.warnings <> '[]')
execute function private.add_step_warnings();

create function private.warn_at_end_of_run() returns trigger
language plpgsql set search_path = '' as $$
declare
    v_rejected int;
    v_rows int;
    v_warn_share numeric;
    v_read_as jsonb;
    v_records_out int;
begin
    select s.rejected_count, s.record_count + s.rejected_count, s.warn_rejected_share, s.read_as
    into v_rejected, v_rows, v_warn_share, v_read_as
    from public.submissions s
    where s.id = new.submission_id;
    if v_rejected > v_warn_share * v_rows then
        new.warnings := new.warnings || jsonb_build_object(
            'code', 'rows_rejected_at_ingestion',
            'message', format('%s of %s rows were rejected at ingestion.', v_rejected, v_rows),
            'details', jsonb_build_object(
                'rejected_count', v_rejected, 'row_count', v_rows, 'warn_rejected_share', v_warn_share
            )
        );
    end if;
    if (v_read_as #>> '{notes,undecodable_cells}')::int > 0 then
        new.warnings := new.warnings || jsonb_build_object(
            'code', 'undecodable_text',
            'message', format('%s cells of the file have bytes that are invalid in its encoding, %s.',
                v_read_as #>> '{notes,undecodable_cells}', v_read_as ->> 'encoding'),
            'details', jsonb_build_object(
                'encoding', v_read_as -> 'encoding', 'undecodable_cells', v_read_as #> '{notes,undecodable_cells}',
                'first_cells', v_read_as -> 'noted_cells'
            )
        );
    end if;
    if new.status <> 'failed' and new.record_count > 0 then
        select sr.records_out into v_records_out
        from public.step_results sr
        where sr.pipeline_run_id = new.id and sr.status = 'succeeded'
        order by sr.position desc
        limit 1;
        if v_records_out = 0 then
            new.warnings := new.warnings || jsonb_build_object(
                'code', 'empty_output',
                'message', format('The run has no output: its steps rejected or dropped all %s records.', new.record_count),
                'details', (
                    select jsonb_build_object(
                        'record_count', new.record_count,
                        'records_rejected', sum(sr.records_rejected), 'records_dropped', sum(sr.records_dropped)
                    )
                    from public.step_results sr
                    where sr.pipeline_run_id = new.id and sr.status = 'succeeded'
                )
            );
        end if;
    end if;
    return new;
end;
$$;
comment on function private.warn_at_end_of_run is
    'Trigger: warns of rows_rejected_at_ingestion when they are a larger share than the submission''s '
    'warn_rejected_share, of undecodable_text when the file has cells of it, and of empty_output when records came in '
    'and none came out.';

-- After pipeline_runs_guard, by its name: a transition that is refused needs no warnings.
create trigger pipeline_runs_warn_at_end before update of status on public.pipeline_runs
for each row when (
    new.status in ('succeeded', 'succeeded_with_errors', 'failed') and old.status is distinct from new.status
)
execute function private.warn_at_end_of_run();
