-- Operators' functions for orgs: create one and invite its first admin, add a company, disable, enable, set limits.
--
-- Nothing here sends an e-mail: SQL makes no network calls. The invited person signs up with the address, or gets a
-- link from Supabase's Authentication page, and then accepts the invitation.

create function private.invite_org_admin(p_org public.orgs, p_email text, p_full_name text, dry_run boolean)
returns setof ops.report
language plpgsql volatile set search_path = '' as $$
declare
    v_email text := private.lower_ascii(btrim(p_email));
    v_known record;
    v_invitation public.invitations;
begin
    if v_email is null or v_email !~ '^[!-?A-~]+@[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$' then
        perform private.raise_error(422, 'invalid_request', format('%L is not an e-mail address.', p_email));
    end if;
    select u.id, o.slug into v_known
    from public.users u
    join public.orgs o on o.id = u.org_id
    where lower(u.email) = v_email and u.left_at is null
    limit 1;
    if found then
        perform private.raise_error(409, 'already_registered',
            format('%s is a user of org %s already, and a person is a user of one org. Look: select * from ops.find(%L);',
                v_email, v_known.slug, v_email));
    end if;
    select i.* into v_invitation
    from public.invitations i
    where i.org_id = p_org.id and i.email = v_email and i.accepted_at is null and i.revoked_at is null
    for update;
    if found then
        update public.invitations set revoked_at = now() where id = v_invitation.id;
        return next row(private.report_action('revoke', 'revoked', dry_run), 'invitation of ' || v_email,
            format('%s, of %s; the new one takes its place.',
                v_invitation.role, private.in_utc(v_invitation.created_at)))::ops.report;
    end if;

    insert into public.invitations (org_id, company_id, email, full_name, role, invited_by, expires_at)
    values (p_org.id, null, v_email, nullif(btrim(p_full_name), ''), 'org_admin', null, now() + interval '7 days')
    returning * into v_invitation;
    return next row(private.report_action('invite', 'invited', dry_run), v_email,
        format('as org_admin of %s, until %s', p_org.slug, private.in_utc(v_invitation.expires_at)))::ops.report;
    return next row('next', v_email,
        case
            when exists (select from auth.users a where lower(a.email) = v_email and a.email_confirmed_at is not null) then
                'Has signed up already: accepts by POST /v1/invitations/accept.'
            else 'Signs up with this address and accepts by POST /v1/invitations/accept. Link: Authentication, Add user.'
        end)::ops.report;
end;
$$;
comment on function private.invite_org_admin is
    'Invites an org_admin for an operator; replaces an open invitation. For schema ops. '
    'Raises 409 already_registered, 422 invalid_request.';

create function ops.create_org(
    p_name text, p_slug text, p_admin_email text, p_admin_full_name text default null, dry_run boolean default true
) returns setof ops.report
language plpgsql volatile set search_path = '' as $$
declare
    v_org public.orgs;
begin
    if p_slug is null or p_slug !~ '^[a-z0-9](-?[a-z0-9])*$' or length(p_slug) > 63 then
        perform private.raise_error(422, 'invalid_request',
            format('%L is not a slug: lower-case letters and digits, with single dashes between them, at most 63.', p_slug));
    end if;
    if exists (select from public.orgs o where o.slug = p_slug) then
        perform private.raise_error(409, 'conflict',
            format('Org %s exists already. Take another slug; to invite an admin to that org: ops.invite_admin.', p_slug));
    end if;
    begin
        insert into public.orgs (name, slug) values (btrim(p_name), p_slug) returning * into v_org;
        return next row(private.report_action('create', 'created', dry_run), 'org ' || v_org.slug,
            v_org.name || case when dry_run is not distinct from false then ', id ' || v_org.id else '' end)::ops.report;
        return query select * from private.invite_org_admin(v_org, p_admin_email, p_admin_full_name, dry_run);
        perform private.undo_dry_run(dry_run);
        perform private.audit_operation(array[v_org.id], 'create_org', jsonb_build_object(
            'name', p_name, 'slug', p_slug, 'admin_email', p_admin_email, 'admin_full_name', p_admin_full_name, 'dry_run', dry_run
        ));
    exception when sqlstate 'DRYRN' then
        null;
    end;
end;
$$;
comment on function ops.create_org is
    'Creates an org and the invitation of its first org_admin. Operators. '
    'Raises 409 conflict (the slug is taken), already_registered, 422 invalid_request. A repeat is refused. A dry run '
    'leaves no audit row, because there is no org yet.';

create function ops.invite_admin(p_org_slug text, p_email text, p_full_name text default null, dry_run boolean default true)
returns setof ops.report
language plpgsql volatile set search_path = '' as $$
declare
    v_org public.orgs := private.operated_org(p_org_slug);
begin
    begin
        return query select * from private.invite_org_admin(v_org, p_email, p_full_name, dry_run);
        perform private.undo_dry_run(dry_run);
    exception when sqlstate 'DRYRN' then
        null;
    end;
    perform private.audit_operation(array[v_org.id], 'invite_admin', jsonb_build_object(
        'org_slug', p_org_slug, 'email', p_email, 'full_name', p_full_name, 'dry_run', dry_run
    ));
end;
$$;
comment on function ops.invite_admin is
    'Invites an org_admin, for an org that has lost its own or let the first invitation expire; replaces an open '
    'invitation to the same address. Operators. '
    'Raises 404 org_not_found, 409 already_registered, 422 invalid_request. A repeat makes a fresh invitation.';

create function ops.add_company(p_org_slug text, p_name text, p_external_id text default null, dry_run boolean default true)
returns setof ops.report
language plpgsql volatile set search_path = '' as $$
declare
    v_org public.orgs := private.operated_org(p_org_slug);
    v_company public.companies;
begin
    select c.* into v_company from public.companies c where c.org_id = v_org.id and c.external_id = p_external_id;
    if found then
        perform private.raise_error(409, 'conflict',
            format('Company %s of org %s has the external_id %L. Use that one, or another external_id.',
                v_company.name, v_org.slug, p_external_id));
    end if;
    begin
        insert into public.companies (org_id, name, external_id)
        values (v_org.id, btrim(p_name), p_external_id)
        returning * into v_company;
        return next row(private.report_action('add', 'added', dry_run), 'company ' || v_company.name,
            concat_ws(', ', 'org ' || v_org.slug, 'external_id ' || v_company.external_id,
                case when dry_run is not distinct from false then 'id ' || v_company.id end))::ops.report;
        perform private.undo_dry_run(dry_run);
    exception when sqlstate 'DRYRN' then
        null;
    end;
    perform private.audit_operation(array[v_org.id], 'add_company', jsonb_build_object(
        'org_slug', p_org_slug, 'name', p_name, 'external_id', p_external_id, 'dry_run', dry_run
    ));
end;
$$;
comment on function ops.add_company is
    'Adds a company to an org. Operators. '
    'Raises 404 org_not_found, 409 conflict (external_id is taken). Without an external_id a repeat adds another '
    'company.';

create function private.report_of_reach(p_org public.orgs, p_action text) returns setof ops.report
language sql stable set search_path = '' as $$
    select (p_action, private.counted(count(*), 'user'), 'Active ones, from the next request on.')::ops.report
    from public.users u
    where u.org_id = p_org.id and u.deactivated_at is null
    union all
    select (p_action, private.counted(count(*), 'API token'), 'Valid ones, from the next request on.')::ops.report
    from public.api_tokens t
    where t.org_id = p_org.id and t.revoked_at is null and (t.expires_at is null or t.expires_at > now());
$$;
comment on function private.report_of_reach is
    'Report lines: the users and API tokens that disabling or enabling the org reaches. For schema ops.';

create function ops.disable_org(p_org_slug text, p_reason text, dry_run boolean default true)
returns setof ops.report
language plpgsql volatile set search_path = '' as $$
declare
    v_org public.orgs := private.operated_org(p_org_slug);
    v_unfinished bigint;
begin
    if nullif(btrim(p_reason), '') is null then
        perform private.raise_error(422, 'invalid_request', 'Say why: the reason is kept in the org''s audit log.');
    end if;
    begin
        if v_org.disabled_at is not null then
            return next row('left alone', 'org ' || v_org.slug,
                'Disabled since ' || private.in_utc(v_org.disabled_at) || '.')::ops.report;
        else
            update public.orgs set disabled_at = now() where id = v_org.id;
            return next row(private.report_action('disable', 'disabled', dry_run), 'org ' || v_org.slug, p_reason)::ops.report;
            return query select * from private.report_of_reach(v_org, private.report_action('refuse', 'refused', dry_run));
        end if;
        select count(*) into v_unfinished
        from public.pipeline_runs r
        where r.org_id = v_org.id and r.status in ('queued', 'running');
        if v_unfinished > 0 then
            return next row('left alone', private.counted(v_unfinished, 'unfinished run'),
                'They go on. To stop them: ops.cancel_runs, with the ids from ops.unfinished_runs.')::ops.report;
        end if;
        perform private.undo_dry_run(dry_run);
    exception when sqlstate 'DRYRN' then
        null;
    end;
    perform private.audit_operation(array[v_org.id], 'disable_org', jsonb_build_object(
        'org_slug', p_org_slug, 'reason', p_reason, 'dry_run', dry_run
    ));
end;
$$;
comment on function ops.disable_org is
    'Disables an org: each of its credentials is refused with org_disabled from the next request on. Its unfinished '
    'runs go on, even queued ones. Operators. '
    'Raises 404 org_not_found, 422 invalid_request. Safe to repeat.';

create function ops.enable_org(p_org_slug text, dry_run boolean default true) returns setof ops.report
language plpgsql volatile set search_path = '' as $$
declare
    v_org public.orgs := private.operated_org(p_org_slug);
begin
    begin
        if v_org.disabled_at is null then
            return next row('left alone', 'org ' || v_org.slug, 'It is not disabled.')::ops.report;
        else
            update public.orgs set disabled_at = null where id = v_org.id;
            return next row(private.report_action('enable', 'enabled', dry_run), 'org ' || v_org.slug,
                'It was disabled since ' || private.in_utc(v_org.disabled_at) || '.')::ops.report;
            return query select * from private.report_of_reach(v_org, private.report_action('admit', 'admitted', dry_run));
        end if;
        perform private.undo_dry_run(dry_run);
    exception when sqlstate 'DRYRN' then
        null;
    end;
    perform private.audit_operation(array[v_org.id], 'enable_org',
        jsonb_build_object('org_slug', p_org_slug, 'dry_run', dry_run));
end;
$$;
comment on function ops.enable_org is
    'Enables a disabled org: its users and API tokens work again, except those that were deactivated, revoked or have '
    'expired. Operators. '
    'Raises 404 org_not_found. Safe to repeat.';

create function ops.set_org_limits(p_org_slug text, p_max_runs_in_flight int, dry_run boolean default true)
returns setof ops.report
language plpgsql volatile set search_path = '' as $$
declare
    v_org public.orgs := private.operated_org(p_org_slug);
    v_in_flight bigint;
    v_waiting bigint;
    v_now bigint;
begin
    if p_max_runs_in_flight is null or p_max_runs_in_flight not between 1 and 100 then
        perform private.raise_error(422, 'invalid_request', 'p_max_runs_in_flight must be between 1 and 100.');
    end if;
    begin
        update public.orgs set max_runs_in_flight = p_max_runs_in_flight where id = v_org.id;
        select count(*) filter (where r.admitted_at is not null), count(*) filter (where r.admitted_at is null)
        into v_in_flight, v_waiting
        from public.pipeline_runs r
        where r.org_id = v_org.id and r.finished_at is null;
        perform private.admit_pipeline_runs();
        select count(*) into v_now
        from public.pipeline_runs r
        where r.org_id = v_org.id and r.finished_at is null and r.admitted_at is not null;
        return next row(private.report_action('set', 'set', dry_run), 'max_runs_in_flight of org ' || v_org.slug,
            format('%s; it was %s.', p_max_runs_in_flight, v_org.max_runs_in_flight))::ops.report;
        return next row(private.report_action('admit', 'admitted', dry_run), private.counted(v_now - v_in_flight, 'waiting run'),
            format('They start within a minute. In flight: %s; waiting: %s.',
                v_now, v_waiting - (v_now - v_in_flight)))::ops.report;
        perform private.undo_dry_run(dry_run);
    exception when sqlstate 'DRYRN' then
        null;
    end;
    perform private.audit_operation(array[v_org.id], 'set_org_limits', jsonb_build_object(
        'org_slug', p_org_slug, 'max_runs_in_flight', p_max_runs_in_flight, 'dry_run', dry_run
    ));
end;
$$;
comment on function ops.set_org_limits is
    'Sets how many runs of an org are in flight at most. A lower limit stops no run: fewer are admitted until it '
    'holds. Operators. '
    'Raises 404 org_not_found, 422 invalid_request. Safe to repeat.';
