-- Audit triggers on orgs, companies, users, invitations, API tokens, secrets, blueprints, submissions and runs.
--
-- They leave out what changes many times a minute without anybody's decision (leases, heartbeats, counters), and what
-- nobody may read (token hashes, values of secrets).

-- Definer: no role may write the log.
create function private.audit_change() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
    v_ignored constant text[] := tg_argv[0];
    v_secret constant text[] := coalesce(tg_argv[1], '{}');
    v_old jsonb;
    v_new jsonb;
    v_row jsonb;
    v_before jsonb;
    v_after jsonb;
    v_request_id text := private.request_id();
begin
    -- A snapshot can be large and never changes, so it is not even turned into jsonb.
    if tg_op <> 'INSERT' then
        if tg_table_name = 'pipeline_runs' then
            old.blueprint_snapshot := null;
        end if;
        v_old := to_jsonb(old) - v_ignored;
        v_before := v_old - v_secret;
    end if;
    if tg_op <> 'DELETE' then
        if tg_table_name = 'pipeline_runs' then
            new.blueprint_snapshot := null;
        end if;
        v_new := to_jsonb(new) - v_ignored;
        v_after := v_new - v_secret;
    end if;
    v_row := coalesce(v_after, v_before);

    if tg_op = 'UPDATE' then
        if v_new = v_old then
            return null;
        end if;
        select coalesce(jsonb_object_agg(o.key, o.value), '{}'),
            coalesce(jsonb_object_agg(o.key, v_after -> o.key), '{}')
        into v_before, v_after
        from jsonb_each(v_before) o
        where o.value is distinct from v_after -> o.key;
    end if;

    -- A worker acts for the request that created the run, even if its own headers name none yet (the claim) or another
    -- run's.
    if tg_table_name = 'pipeline_runs' and current_setting('role') = 'service_role' then
        v_request_id := v_row ->> 'request_id';
    end if;

    perform private.write_audit(
        (v_row ->> case tg_table_name when 'orgs' then 'id' else 'org_id' end)::uuid,
        (v_row ->> case tg_table_name when 'companies' then 'id' else 'company_id' end)::uuid,
        case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'updated' else 'deleted' end,
        tg_table_name,
        v_row ->> case tg_table_name when 'secrets' then 'name' else 'id' end,
        v_before,
        v_after,
        v_request_id
    );
    return null;
end;
$$;
comment on function private.audit_change is
    'Trigger: writes an audit entry for a changed row. Columns in the first argument are left out, and their change '
    'alone makes no entry. A change of a column in the second argument makes one, without its value.';

create function private.audited_step(p_step public.blueprint_steps) returns jsonb
language sql immutable set search_path = '' as $$
    select to_jsonb(p_step) - '{org_id,blueprint_id}'::text[] || case
        when octet_length(p_step.config::text) <= 4096 then '{}'
        else jsonb_build_object('config', jsonb_build_object(
            'bytes', octet_length(p_step.config::text),
            'sha256', encode(sha256(convert_to(p_step.config::text, 'utf8')), 'hex'),
            'keys', (
                select jsonb_agg(left(k.key, 100) order by k.key)
                from (select k.key from jsonb_object_keys(p_step.config) k (key) order by k.key limit 20) k
            )
        ))
    end;
$$;
comment on function private.audited_step is
    'A step of a blueprint as the audit log keeps it: of a config over 4 kB its size, hash and first keys.';

-- Definer: no role may write the log.
create function private.audit_blueprint_steps() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        perform private.write_audit(s.org_id, null, 'created', 'blueprint_steps', s.blueprint_id::text, null, s.steps)
        from (
            select n.org_id, n.blueprint_id,
                jsonb_agg(private.audited_step(n) order by n.position) as steps
            from new_rows n
            group by n.org_id, n.blueprint_id
        ) s;
    elsif tg_op = 'DELETE' then
        perform private.write_audit(s.org_id, null, 'deleted', 'blueprint_steps', s.blueprint_id::text, s.steps, null)
        from (
            select o.org_id, o.blueprint_id,
                jsonb_agg(private.audited_step(o) order by o.position) as steps
            from old_rows o
            group by o.org_id, o.blueprint_id
        ) s;
    else
        -- By blueprint, not by step: an update may change a step's position, which is its key.
        perform private.write_audit(s.org_id, null, 'updated', 'blueprint_steps', s.blueprint_id::text, s.before, s.after)
        from (
            select r.org_id, r.blueprint_id,
                jsonb_agg(r.step order by r.step -> 'position') filter (where r.is_old) as before,
                jsonb_agg(r.step order by r.step -> 'position') filter (where not r.is_old) as after
            from (
                select o.org_id, o.blueprint_id, private.audited_step(o) as step, true as is_old
                from old_rows o
                union all
                select n.org_id, n.blueprint_id, private.audited_step(n), false
                from new_rows n
            ) r
            group by r.org_id, r.blueprint_id
        ) s
        where s.before is distinct from s.after;
    end if;
    return null;
end;
$$;
comment on function private.audit_blueprint_steps is
    'Trigger: writes one audit entry for the steps of a blueprint that a statement changed, as arrays, so that an edit '
    'of fifty steps makes two entries.';

create trigger orgs_audit after insert or update or delete on public.orgs
for each row execute function private.audit_change('{}');

create trigger companies_audit after insert or update or delete on public.companies
for each row execute function private.audit_change('{}');

create trigger users_audit after insert or update or delete on public.users
for each row execute function private.audit_change('{updated_at}');

create trigger invitations_audit after insert or update or delete on public.invitations
for each row execute function private.audit_change('{}');

create trigger api_tokens_audit after insert or update or delete on public.api_tokens
for each row execute function private.audit_change('{last_used_at}', '{token_hash}');

create trigger secrets_audit after insert or update or delete on public.secrets
for each row execute function private.audit_change('{}', '{value}');

-- The conditions save calls: a change of fifty steps touches its blueprint a hundred times.
create trigger blueprints_audit after insert or delete on public.blueprints
for each row execute function private.audit_change('{version_xact,updated_at}');
create trigger blueprints_audit_update after update on public.blueprints
for each row when ((old.name, old.description, old.version) is distinct from (new.name, new.description, new.version))
execute function private.audit_change('{version_xact,updated_at}');

create trigger blueprint_steps_audit_insert after insert on public.blueprint_steps
referencing new table as new_rows
for each statement execute function private.audit_blueprint_steps();
create trigger blueprint_steps_audit_update after update on public.blueprint_steps
referencing old table as old_rows new table as new_rows
for each statement execute function private.audit_blueprint_steps();
create trigger blueprint_steps_audit_delete after delete on public.blueprint_steps
referencing old table as old_rows
for each statement execute function private.audit_blueprint_steps();

-- Counts change with every chunk; the names of the fields came with the records.
create trigger submissions_audit after insert or delete on public.submissions
for each row execute function private.audit_change('{fields,record_count,rejected_count,chunk_count}');
create trigger submissions_audit_update after update on public.submissions
for each row when ((old.status, old.name) is distinct from (new.status, new.name))
execute function private.audit_change('{fields,record_count,rejected_count,chunk_count}');

-- Leases change with every heartbeat and write of the worker, the rest while a run waits for admission and its start.
create trigger pipeline_runs_audit after insert or delete on public.pipeline_runs
for each row execute function private.audit_change(
    '{blueprint_snapshot,claim_id,lease_expires_at,lost_start_count,'
    'admitted_at,start_taken_at,dispatched_at,trigger_cancelled_at}'
);
create trigger pipeline_runs_audit_update after update on public.pipeline_runs
for each row when (
    (old.status, old.error, old.trigger_run_id, old.restart_count)
    is distinct from (new.status, new.error, new.trigger_run_id, new.restart_count)
)
execute function private.audit_change(
    '{blueprint_snapshot,claim_id,lease_expires_at,lost_start_count,'
    'admitted_at,start_taken_at,dispatched_at,trigger_cancelled_at}'
);
