-- Operators' functions for runs: cancel, requeue, retry. Ids come as text, because operators paste them: one id, a
-- list, or a column of the grid.

create function private.operated_run_ids(p_run_ids text) returns uuid[]
language plpgsql stable set search_path = '' as $$
declare
    v_words text[] := array(
        select w from regexp_split_to_table(coalesce(p_run_ids, ''), '[\s,;{}"'']+') w where w <> ''
    );
    v_wrong text;
begin
    if v_words = '{}' then
        perform private.raise_error(422, 'invalid_request',
            'Give the id of a run, or several with spaces, commas or line ends between them. '
            'Stuck ones: select * from ops.list_stuck_runs();');
    end if;
    select w into v_wrong from unnest(v_words) w where not pg_input_is_valid(w, 'uuid') limit 1;
    if found then
        perform private.raise_error(422, 'invalid_request', format('%L is not the id of a run. Nothing was done.', v_wrong));
    end if;
    select w into v_wrong
    from unnest(v_words) w
    where not exists (select from public.pipeline_runs r where r.id = w::uuid)
    limit 1;
    if found then
        perform private.raise_error(404, 'pipeline_run_not_found', format('There is no run %s. Nothing was done.', v_wrong));
    end if;
    return array(select distinct w::uuid as id from unnest(v_words) w order by id);
end;
$$;
comment on function private.operated_run_ids is
    'The ids of existing runs in a pasted text: one id, a list, a column of the grid, or an array. For schema ops. '
    'Raises 404 pipeline_run_not_found, 422 invalid_request.';

create function private.audit_run_operation(p_run_ids uuid[], p_function text, dry_run boolean) returns void
language plpgsql volatile set search_path = '' as $$
declare
    v_run record;
begin
    for v_run in
        select r.id, r.org_id, r.company_id from public.pipeline_runs r where r.id = any (p_run_ids) order by r.id
    loop
        perform private.write_audit(v_run.org_id, v_run.company_id, p_function, 'ops', v_run.id::text, null,
            jsonb_build_object('run_id', v_run.id, 'dry_run', dry_run));
    end loop;
end;
$$;
comment on function private.audit_run_operation is
    'Notes an operator''s call in the audit log, one entry for each run; ops.run_timeline reads them. For schema ops.';

create function ops.cancel_runs(p_run_ids text, dry_run boolean default true) returns setof ops.report
language plpgsql volatile set search_path = '' as $$
declare
    v_ids uuid[] := private.operated_run_ids(p_run_ids);
    v_run record;
begin
    begin
        for v_run in
            select r.id, r.status, r.finished_at, o.slug, c.name as company
            from public.pipeline_runs r
            join public.orgs o on o.id = r.org_id
            join public.companies c on c.org_id = r.org_id and c.id = r.company_id
            where r.id = any (v_ids)
            order by r.id
            for no key update of r
        loop
            if v_run.finished_at is not null then
                return next row('left alone', 'run ' || v_run.id, format('It is %s, which is final.', v_run.status))::ops.report;
                continue;
            end if;
            update public.pipeline_runs set status = 'cancelled' where id = v_run.id;
            return next row(
                private.report_action('cancel', 'cancelled', dry_run), 'run ' || v_run.id,
                format('org %s, company %s; it was %s.', v_run.slug, v_run.company, v_run.status)
                    || case when v_run.status = 'running' then ' Its worker notices at the next chunk and stops.' else '' end
            )::ops.report;
        end loop;
        perform private.undo_dry_run(dry_run);
    exception when sqlstate 'DRYRN' then
        null;
    end;
    perform private.audit_run_operation(v_ids, 'cancel_runs', dry_run);
end;
$$;
comment on function ops.cancel_runs is
    'Cancels queued and running runs; finished ones are left alone. Steps that have not started become skipped. '
    'Operators. '
    'Raises 404 pipeline_run_not_found, 422 invalid_request. Safe to repeat.';

create function ops.requeue_runs(p_run_ids text, dry_run boolean default true) returns setof ops.report
language plpgsql volatile set search_path = '' as $$
declare
    v_ids uuid[] := private.operated_run_ids(p_run_ids);
    v_run record;
begin
    begin
        for v_run in
            select r.id, r.status, r.finished_at, r.restart_count, r.lease_expires_at, r.admitted_at, r.dispatched_at,
                o.slug, c.name as company
            from public.pipeline_runs r
            join public.orgs o on o.id = r.org_id
            join public.companies c on c.org_id = r.org_id and c.id = r.company_id
            where r.id = any (v_ids)
            order by r.id
            for no key update of r
        loop
            if v_run.finished_at is not null then
                return next row('left alone', 'run ' || v_run.id,
                    format('It is %s, which is final. A new run of its submission: ops.retry_runs.', v_run.status))::ops.report;
                continue;
            end if;
            -- A queued run is due again as if it had never been dispatched. A running one is taken from its worker: the
            -- new claim fences the worker off, so that one that is still alive stops at its next write.
            update public.pipeline_runs
            set dispatched_at = case when v_run.status = 'queued' then null else dispatched_at end,
                start_taken_at = null,
                -- Gives the next start another key: what Trigger.dev holds under the old one may be dead.
                lost_start_count = lost_start_count + (v_run.dispatched_at is not null)::int,
                claim_id = case when v_run.status = 'running' then gen_random_uuid() end,
                lease_expires_at = case when v_run.status = 'running' then now() end,
                restart_count = 0
            where id = v_run.id;
            return next row(
                private.report_action('requeue', 'requeued', dry_run), 'run ' || v_run.id,
                format('org %s, company %s; ', v_run.slug, v_run.company)
                    || case
                        when v_run.status = 'queued' then 'it was queued.'
                        when v_run.lease_expires_at > now() then 'it was running, and is taken from its worker.'
                        else format('its worker was lost, after %s.', private.counted(v_run.restart_count, 'restart'))
                    end
                    || case
                        when v_run.admitted_at is null then ' It starts when its turn comes.'
                        else ' It starts within a minute.'
                    end
            )::ops.report;
        end loop;
        perform private.undo_dry_run(dry_run);
    exception when sqlstate 'DRYRN' then
        null;
    end;
    perform private.audit_run_operation(v_ids, 'requeue_runs', dry_run);
end;
$$;
comment on function ops.requeue_runs is
    'Has the reconciler start queued and running runs again within a minute, and counts their restarts anew. A running '
    'run is taken from its worker, and goes on at the first chunk that is not written. Finished ones are left alone. '
    'Operators. '
    'Raises 404 pipeline_run_not_found, 422 invalid_request. Safe to repeat.';

create function ops.retry_runs(p_run_ids text, dry_run boolean default true) returns setof ops.report
language plpgsql volatile set search_path = '' as $$
declare
    v_ids uuid[] := private.operated_run_ids(p_run_ids);
    v_new_ids uuid[] := '{}';
    v_run record;
    v_other record;
    v_new record;
begin
    begin
        for v_run in
            select r.id, r.status, r.finished_at, r.submission_id, r.run_number, o.slug, c.name as company
            from public.pipeline_runs r
            join public.orgs o on o.id = r.org_id
            join public.companies c on c.org_id = r.org_id and c.id = r.company_id
            where r.id = any (v_ids)
            order by r.id
        loop
            if v_run.finished_at is null then
                return next row('left alone', 'run ' || v_run.id,
                    format('It is %s still. To have it started again: ops.requeue_runs.', v_run.status))::ops.report;
                continue;
            elsif v_run.status = 'succeeded' then
                return next row('left alone', 'run ' || v_run.id, 'It has succeeded.')::ops.report;
                continue;
            elsif v_run.status = 'succeeded_with_errors' then
                return next row('left alone', 'run ' || v_run.id,
                    'It has succeeded with errors: a fresh run would deliver all of it again. '
                    'Its failed steps alone: pipeline-runs/retry.')::ops.report;
                continue;
            end if;
            -- The lock of private.fill_pipeline_run: nobody creates another run of the submission meanwhile.
            perform pg_advisory_xact_lock(hashtextextended(v_run.submission_id::text, 0));
            select r.run_number, r.status into v_other
            from public.pipeline_runs r
            where r.submission_id = v_run.submission_id and r.run_number > v_run.run_number
                and r.status not in ('failed', 'cancelled')
            order by r.run_number desc
            limit 1;
            if found then
                return next row('left alone', 'run ' || v_run.id,
                    format('Run %s of the same submission is %s.', v_other.run_number, v_other.status))::ops.report;
                continue;
            end if;
            insert into public.pipeline_runs (submission_id)
            values (v_run.submission_id)
            returning id, run_number into v_new;
            v_new_ids := v_new_ids || v_new.id;
            return next row(
                private.report_action('retry', 'retried', dry_run), 'run ' || v_run.id,
                format('org %s, company %s; it %s.', v_run.slug, v_run.company,
                    case when v_run.status = 'failed' then 'failed' else 'was cancelled' end)
            )::ops.report;
            return next row(
                private.report_action('create', 'created', dry_run),
                'run' || case when dry_run is not distinct from false then ' ' || v_new.id else '' end,
                format('run %s of the same submission, on the blueprint as it is now. '
                    'It starts within a minute, or when its turn comes.', v_new.run_number)
            )::ops.report;
        end loop;
        perform private.undo_dry_run(dry_run);
    exception when sqlstate 'DRYRN' then
        null;
    end;
    perform private.audit_run_operation(v_ids || v_new_ids, 'retry_runs', dry_run);
end;
$$;
comment on function ops.retry_runs is
    'Creates a new run of the submission of each failed or cancelled run, with a fresh snapshot of the blueprint; the '
    'reconciler starts it. Leaves other runs alone, also those that succeeded with errors or that a later run has '
    'replaced. Operators. '
    'Raises 404 pipeline_run_not_found, 422 invalid_request. A repeat finds the new run and leaves it alone.';
