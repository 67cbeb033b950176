-- Keys unsent work of tablets is sealed to, and devices that are to destroy what they hold.

create table sync.escrow_keys (
    clinic_id uuid not null,
    -- X25519.
    public_key bytea not null check (octet_length(public_key) = 32),
    -- X25519, sealed under the clinic's data key.
    private_key bytea not null,
    created_at timestamptz not null,
    -- No tablet is told of it any more; what was sealed to it still opens.
    retired_at timestamptz,
    primary key (public_key)
);
create unique index escrow_keys_current on sync.escrow_keys (clinic_id) where retired_at is null;
alter table sync.escrow_keys enable row level security;
alter table sync.escrow_keys force row level security;
create policy clinic_isolation on sync.escrow_keys
    using (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid)
    with check (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid);
grant select, insert on sync.escrow_keys to neonpro_server;
grant update (private_key, retired_at) on sync.escrow_keys to neonpro_server;

-- When it was asked, and when the device said that it had.
alter table sync.devices
    add column wipe_asked_at timestamptz,
    add column wiped_at timestamptz;
-- Nodes that end the sessions of a revoked device ask this without a clinic's context.
alter table sync.device_clinics add column wipes boolean not null default false;
grant update (wipes) on sync.device_clinics to neonpro_server;
