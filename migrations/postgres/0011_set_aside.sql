-- Edits that were set aside: what they wait for, what was decided about them and by whom, and what tablets handed over.

alter table sync.edits
    -- Documents whose next change may settle it: for edits that wait for another one.
    add column awaits text[],
    -- The edit as it was merged, where the signed bytes did not fit any more: an envelope made by the server. Author,
    -- capture time and signature stay those of the original.
    add column reissued bytea,
    -- The author's tablet was asked to express it again.
    add column asked boolean not null default false,
    add column decision text check (decision in ('released', 'discarded', 'dismissed', 'handed_over')),
    add column decided_by uuid,
    add column decided_at timestamptz,
    add column reason text;
alter table sync.edits drop constraint edits_fate_check;
alter table sync.edits add constraint edits_fate_check
    check (fate in ('accepted', 'held', 'quarantined', 'refused', 'discarded'));
create index edits_awaits on sync.edits using gin (awaits) where fate in ('held', 'quarantined');

-- kind: 0 change, 1 snapshot, 2 row, 3 withdraw, 4 fate of an edit, for its device alone
alter table sync.feed drop constraint feed_kind_check;
alter table sync.feed add constraint feed_kind_check check (kind between 0 and 4);

-- What a person meant, in the words of the tablet: for edits whose content the server had refused to keep, or may not
-- be able to read from a change alone.
create table sync.handovers (
    clinic_id uuid not null,
    edit_id uuid not null,
    device_id uuid not null,
    by_id uuid not null,
    code text not null,
    handed_at timestamptz not null,
    received_at timestamptz not null,
    intent text not null,
    primary key (clinic_id, edit_id)
);
alter table sync.handovers enable row level security;
alter table sync.handovers force row level security;
create policy clinic_isolation on sync.handovers
    using (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid)
    with check (clinic_id = nullif(current_setting('neonpro.clinic_id', true), '')::uuid);
grant select, insert, update on sync.handovers to neonpro_server;

-- A referral's deadline is set by its trigger: what differs from what tablets know is left unnumbered, so that they hear
-- of it.
create or replace function check_referral_response_deadline() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
declare
    v_due timestamptz := new.answer_due_at;
    v_overdue boolean := new.is_overdue;
begin
    new.answer_due_at := coalesce(
        new.response_deadline,
        coalesce(new.created_at, now()) + case new.urgency_level
            when 'emergency' then interval '2 hours'
            when 'high' then interval '1 day'
            when 'medium' then interval '3 days'
            else interval '7 days'
        end
    );
    new.is_overdue := new.status = 'pending' and new.retired_at is null and new.answer_due_at < now();
    if new.answer_due_at is distinct from v_due or new.is_overdue is distinct from v_overdue then
        new.feed_seq := null;
    end if;
    return new;
end
$$;
