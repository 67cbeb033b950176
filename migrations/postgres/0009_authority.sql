-- Who may work on which device, and revocations that every node can look for without a clinic's context.

-- 'members': every active member of the clinic; 'named': the people of sync.device_users. There is no default: whoever
-- enrols a device says it.
alter table sync.devices add column people text check (people in ('members', 'named'));
alter table sync.devices no force row level security;
update sync.devices set people = 'members';
alter table sync.devices force row level security;
alter table sync.devices alter column people set not null;

create table sync.device_users (
    clinic_id uuid not null,
    device_id uuid not null,
    person_id uuid not null,
    granted_at timestamptz not null,
    -- A grant that ended stays: it explains the edits made under it.
    ended_at timestamptz,
    primary key (clinic_id, device_id, person_id),
    foreign key (clinic_id, device_id) references sync.devices (clinic_id, id),
    constraint device_users_person_id_fkey foreign key (clinic_id, person_id) references professionals (clinic_id, id)
);
alter table sync.device_users enable row level security;
alter table sync.device_users force row level security;
create policy clinic_isolation on sync.device_users
    using (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid)
    with check (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid);
grant select, insert on sync.device_users to neonpro_server;
grant update (granted_at, ended_at) on sync.device_users to neonpro_server;

-- The people a code was made for; null for every member.
alter table sync.enrolments add column people uuid[];

-- Nodes ask once a second whether one of the devices they talk to was revoked, in case the notification was lost.
alter table sync.device_clinics add column revoked_at timestamptz;
grant update (revoked_at) on sync.device_clinics to neonpro_server;
alter table sync.devices no force row level security;
update sync.device_clinics r set revoked_at = d.revoked_at from sync.devices d where d.id = r.device_id;
alter table sync.devices force row level security;
