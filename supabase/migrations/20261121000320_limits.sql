-- Limits of an org: their defaults, what operators set for single orgs, and the refusal when one is reached.

create table private.limits (
    name text primary key check (name ~ '^[a-z][a-z_]{0,62}$'),
    -- Operators may change it: update private.limits set default_value = … where name = …
    default_value bigint not null check (default_value >= case name when 'audit_log_days' then 30 else 1 end),
    description text not null
);
comment on table private.limits is 'What is limited for each org, and how much an org has unless operators set another value.';

create table private.org_limits (
    org_id uuid not null references public.orgs (id) on delete cascade,
    name text not null references private.limits (name) on delete restrict,
    value bigint not null check (value between case name when 'audit_log_days' then 30 else 1 end and 1000000000000000),
    primary key (org_id, name)
);
comment on table private.org_limits is 'Limits that operators set for one org, with ops.set_org_limit.';

create index org_limits_name_idx on private.org_limits (name);

alter table private.limits enable row level security;
alter table private.org_limits enable row level security;

insert into private.limits (name, default_value, description)
values
    ('companies', 10000, 'Companies.'),
    ('blueprints', 1000, 'Blueprints.'),
    ('api_tokens', 1000, 'API tokens that are neither revoked nor expired.'),
    ('open_uploads', 100, 'Submissions that still take records.'),
    ('queued_runs', 5000, 'Runs that wait for their turn.'),
    ('rows_per_day', 10000000, 'Rows of submissions a day (UTC), rejected ones too.'),
    ('stored_bytes', 53687091200, 'Bytes of submissions on disk.'),
    ('requests_per_second', 200, 'Requests a second of all credentials of the org together.'),
    ('audit_log_days', 730, 'Days after which an entry of the audit log is deleted; at least 30.'),
    ('requests_per_second_of_a_credential', 50, 'Requests a second of one API token, or of one user''s sessions.');

-- Definer: no role may read the limits; the function returns one number.
create function private.limit_of(p_org_id uuid, p_name text) returns bigint
language sql stable security definer set search_path = '' as $$
    select coalesce(
        (select o.value from private.org_limits o where o.org_id = p_org_id and o.name = p_name),
        (select l.default_value from private.limits l where l.name = p_name)
    );
$$;
comment on function private.limit_of is 'A limit of an org: what operators have set for it, or the default.';
