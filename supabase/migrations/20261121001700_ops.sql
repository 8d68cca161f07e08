-- Operators: what an operator calls in Supabase Studio's SQL editor, as role postgres. docs/operators.md shows each
-- function with its output.
--
-- Schema `ops` is not exposed through the Data API and grants nothing to any API role: only its owner uses it. A
-- function that changes something takes `dry_run`, which is true by default. A dry run does everything and undoes it,
-- so it reports and refuses what the real run would. Every call leaves an audit row for each org that it showed or
-- changed. Shared functions are in `private`, so that `ops` lists only what an operator calls.

create schema ops;
comment on schema ops is
    'Functions and views for operators in Studio. Not exposed, and granted to nobody: only the owner calls them.';

create type ops.report as (action text, subject text, detail text);
comment on type ops.report is 'One line of what a function did, or would do.';

create function private.report_action(p_would text, p_did text, dry_run boolean) returns text
language sql immutable set search_path = '' as $$
    select case when dry_run is distinct from false then 'would ' || p_would else p_did end;
$$;
comment on function private.report_action is
    'The first column of a report: what would be done, or was done. For schema ops.';

create function private.counted(p_count bigint, p_noun text) returns text
language sql immutable set search_path = '' as $$
    select format('%s %s%s', p_count, p_noun, case when p_count = 1 then '' else 's' end);
$$;
comment on function private.counted is '1 user, 2 users. For schema ops.';

create function private.undo_dry_run(dry_run boolean) returns void
language plpgsql immutable set search_path = '' as $$
begin
    if dry_run is distinct from false then
        raise exception using errcode = 'DRYRN', message = 'This was a dry run.';
    end if;
end;
$$;
comment on function private.undo_dry_run is
    'Last statement of a block that catches DRYRN: raises it unless dry_run is false, which undoes the block. For '
    'schema ops.';

create function private.audit_operation(p_org_ids uuid[], p_function text, p_arguments jsonb) returns void
language plpgsql volatile set search_path = '' as $$
declare
    v_org_id uuid;
begin
    for v_org_id in select distinct id from unnest(p_org_ids) o (id) where id is not null order by id loop
        perform private.write_audit(v_org_id, null, p_function, 'ops', null, null, p_arguments);
    end loop;
end;
$$;
comment on function private.audit_operation is
    'Notes an operator''s call in the audit log of each org, with its arguments in after. For schema ops.';

create function private.operated_org(p_org_slug text) returns public.orgs
language plpgsql stable set search_path = '' as $$
declare
    v_org public.orgs;
begin
    select o.* into v_org from public.orgs o where o.slug = p_org_slug;
    if not found then
        perform private.raise_error(404, 'org_not_found',
            format('No org has the slug %L. List them: select * from ops.org_overview;', p_org_slug));
    end if;
    return v_org;
end;
$$;
comment on function private.operated_org is 'The org with this slug. For schema ops. Raises 404 org_not_found.';

create function private.in_utc(p_time timestamptz) returns text
language sql stable set search_path = '' as $$ select to_char(p_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"') $$;
comment on function private.in_utc is 'A time as reports print it. For schema ops.';
