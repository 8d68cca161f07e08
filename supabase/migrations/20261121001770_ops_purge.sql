-- Purging: deletes an org's old submissions with their chunks, runs, results and rejected records. Their audit entries
-- stay.

create view private.busy_submissions with (security_invoker = true) as
select s.org_id, s.id from public.submissions s where s.status = 'receiving'
union
select r.org_id, r.submission_id from public.pipeline_runs r where r.status in ('queued', 'running');
comment on view private.busy_submissions is 'Submissions that an upload or a run still works on. For schema ops.';

create function ops.purge_org_data(p_org_slug text, p_before date, p_batch int default 100, dry_run boolean default true)
returns setof ops.report
language plpgsql volatile set search_path = '' as $$
declare
    v_org public.orgs := private.operated_org(p_org_slug);
    v_before timestamptz := p_before::timestamp at time zone 'UTC';
    v_ids uuid[];
    v_purged record;
    v_busy bigint;
    v_left bigint;
begin
    if p_before is null or v_before > now() - interval '1 day' then
        perform private.raise_error(422, 'invalid_request', 'p_before must lie at least a day in the past.');
    end if;
    if p_batch is null or p_batch not between 1 and 10000 then
        perform private.raise_error(422, 'invalid_request', 'p_batch must be between 1 and 10000 submissions.');
    end if;

    -- A locked submission gets no new run. The next statement sees one that was created just before.
    v_ids := array(
        select s.id
        from public.submissions s
        where s.org_id = v_org.id and s.created_at < v_before
            and s.id not in (select b.id from private.busy_submissions b where b.org_id = v_org.id)
        order by s.created_at, s.id
        limit p_batch
        for update skip locked
    );
    select count(*) as submissions, coalesce(sum(s.record_count), 0) as records, min(s.created_at) as since,
        max(s.created_at) as until, array_agg(s.id) as ids,
        (select count(*) from public.pipeline_runs r where r.submission_id = any (v_ids)) as runs
    into v_purged
    from public.submissions s
    where s.id = any (v_ids) and s.id not in (select b.id from private.busy_submissions b where b.org_id = v_org.id);
    if dry_run is not distinct from false then
        delete from public.submissions where id = any (v_purged.ids);
    end if;

    return next row(
        private.report_action('delete', 'deleted', dry_run), private.counted(v_purged.submissions, 'submission'),
        format('org %s; %s, %s', v_org.slug, private.counted(v_purged.records, 'record'), private.counted(v_purged.runs, 'run'))
            || case
                when v_purged.submissions > 0 then
                    format('; created from %s to %s', private.in_utc(v_purged.since), private.in_utc(v_purged.until))
                else ''
            end
    )::ops.report;
    select count(b.id), count(*) - count(b.id) into v_busy, v_left
    from public.submissions s
    left join private.busy_submissions b on b.org_id = s.org_id and b.id = s.id
    where s.org_id = v_org.id and s.created_at < v_before and s.id <> all (coalesce(v_purged.ids, '{}'));
    if v_busy > 0 then
        return next row('left alone', private.counted(v_busy, 'submission'),
            'An upload or a run of theirs is unfinished. Cancel it, or wait.')::ops.report;
    end if;
    return next row('left', private.counted(v_left, 'submission'),
        case
            when v_left > 0 then 'Call it again, until 0 are left.'
            else 'Nothing else was created before the date.'
        end)::ops.report;
    perform private.audit_operation(array[v_org.id], 'purge_org_data', jsonb_build_object(
        'org_slug', p_org_slug, 'before', p_before, 'batch', p_batch, 'dry_run', dry_run, 'submissions', v_purged.submissions,
        'records', v_purged.records, 'runs', v_purged.runs
    ));
end;
$$;
comment on function ops.purge_org_data is
    'Deletes an org''s submissions created before a date, with all that belongs to them, oldest first, at most p_batch '
    'a call. Spares those whose upload or run is unfinished. Says how many are left: call it until there are 0; each '
    'call is one transaction. Operators. '
    'Raises 404 org_not_found, 422 invalid_request.';
