//! Frames of the wire in either direction, and the packed bodies of pages.

use crate::sample::{TABLET, document, edit, patient, put};
use crate::{Door, Random, Raw, door};
use minicbor::bytes::ByteVec;
use neonpro_contract::audit::Checkpoint;
use neonpro_contract::catalogue::{TableId, table, table_by_id};
use neonpro_contract::digest::Digest;
use neonpro_contract::document::{Document, ParsedChange};
use neonpro_contract::edit::{Intent, SignedEdit, decode_envelope};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{AuthorId, ClinicId, DeviceId, EditId, RecordId};
use neonpro_contract::limits::{FRAME_BYTES_MAX, PAGE_BYTES_MAX};
use neonpro_contract::permissions::Audience;
use neonpro_contract::row::{Row, RowStamp};
use neonpro_contract::time::{DeviceInstant, ServerInstant};
use neonpro_contract::wire::{
    Ack, Audited, BootstrapRecord, Buckets, Bye, ByeCode, Challenge, Decided, Decision, EditFate, Entry,
    Fates, Frame, Handover, Hello, LiveDocument, Page, Position, Push, Read, Reads, Receipt, Receipts,
    Received, RecordFacet, Repair, RowsPage, Welcome, pack, unpack,
};
use serde_json::json;
use uuid::Uuid;

pub const DOOR: Door = Door { name: "frames", seeds, run, reshape: mutate };

/// What reads as a frame is written and read again the same; its body unpacks within the limits or not at all; and what
/// is inside is read as its receiver reads it.
fn run(input: &[u8]) {
    let Ok(frame) = Frame::decode(input) else { return };
    assert!(input.len() <= FRAME_BYTES_MAX);
    match &frame {
        Frame::Page(page) => entries(&page.body, page.entries().ok()),
        Frame::Repair(repair) => entries(&repair.body, repair.entries().ok()),
        Frame::Rows(rows) => {
            if let Ok((records, facets)) = rows.records() {
                let table = table_by_id(rows.table).expect("read by its table");
                let packed =
                    RowsPage { body: RowsPage::pack_records(table, &records, &facets), ..rows.clone() };
                assert_eq!(packed.records(), Ok((records, facets)));
            }
        }
        Frame::Push(push) => push.edits.iter().for_each(|edit| drop(decode_envelope(&edit.envelope))),
        Frame::Handover(handover) => {
            for decided in &handover.decided {
                drop(serde_json::from_slice::<Intent>(&decided.intent));
                drop(decode_envelope(&decided.envelope));
            }
        }
        _ => {}
    }
    assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
}

fn entries(body: &ByteVec, entries: Option<Vec<Entry>>) {
    if let Ok(raw) = unpack(body) {
        assert!(raw.len() <= PAGE_BYTES_MAX);
    }
    let Some(entries) = entries else { return };
    for entry in &entries {
        match entry {
            Entry::Change { change, .. } => drop(ParsedChange::parse(change)),
            Entry::Row { table, row, .. } => read_row(*table, row),
            Entry::Snapshot { document, row, .. } => read_row(document.table, row),
            _ => {}
        }
    }
    assert_eq!(Page::new(0, 1, None, &entries).entries(), Ok(entries));
}

fn read_row(table: TableId, row: &[u8]) {
    let Some(table) = table_by_id(table) else { return };
    drop(Row::decode_from(&mut minicbor::Decoder::new(row), table));
}

/// A frame's bytes; or, of one that carries a packed body, what is inside it, packed again.
fn mutate(input: &[u8], random: &mut Random, raw: Raw<'_>) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let inside = random.below(4) > 0;
    let Some(mut frame) = Frame::decode(input).ok().filter(|_| inside) else {
        raw(&mut bytes);
        return bytes;
    };
    let body = match &mut frame {
        Frame::Page(page) => &mut page.body,
        Frame::Repair(repair) => &mut repair.body,
        Frame::Rows(rows) => &mut rows.body,
        Frame::Push(push) if !push.edits.is_empty() => {
            let at = random.below(push.edits.len());
            let edit = minicbor::to_vec(&push.edits[at]).unwrap();
            let edit = (door("envelope").reshape)(&edit, random, raw);
            if let Ok(edit) = minicbor::decode(&edit) {
                push.edits[at] = edit;
            }
            return frame.encode();
        }
        _ => {
            raw(&mut bytes);
            return bytes;
        }
    };
    match unpack(body) {
        Ok(mut inner) => {
            raw(&mut inner);
            *body = pack(&inner);
        }
        Err(_) => raw(body),
    }
    frame.encode()
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn change() -> Vec<u8> {
    let mut document = Document::genesis(document("patients", 0), 1, &patient(false)).unwrap();
    edit(&mut document, TABLET, &[put("phone", json!("11"))])
}

fn row() -> Vec<u8> {
    let mut bytes = Vec::new();
    patient(true).encode_to(&mut minicbor::Encoder::new(&mut bytes)).unwrap();
    bytes
}

fn stamp() -> RowStamp {
    RowStamp {
        author: Some(AuthorId(id(2))),
        captured_at: Some(DeviceInstant(5)),
        merged_at: ServerInstant(6),
        feed_seq: 7,
    }
}

fn all_entries() -> Vec<Entry> {
    let document = document("patients", 0);
    let live = LiveDocument { saved: change().into(), clamps: vec![([1; 32].into(), ServerInstant(3))] };
    let edit = EditId(id(3));
    vec![
        Entry::Change { seq: 1, document, epoch: 1, merged_at: ServerInstant(4), change: change().into() },
        Entry::Own { seq: 2, edit, document, merged_at: ServerInstant(4) },
        Entry::Snapshot { seq: 3, document, epoch: 2, stamp: stamp(), row: row().into(), live: Some(live) },
        Entry::Row {
            seq: 4,
            table: document.table,
            record: document.record,
            stamp: stamp(),
            row: row().into(),
        },
        Entry::Withdraw { seq: 5, document },
        Entry::Fate {
            seq: 6,
            edit,
            fate: Fate::Refused { code: Code::Discarded },
            by: Some(AuthorId(id(2))),
            reason: Some("motivo".into()),
        },
    ]
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        clinic: ClinicId(id(5)),
        size: 3,
        hash: [4; 32].into(),
        at: ServerInstant(5),
        key: [6; 32].into(),
        signature: vec![7; 64].into(),
    }
}

fn from_tablet() -> Vec<Frame> {
    let signed = |name: &str| {
        let seeds = (door("envelope").seeds)();
        let (_, bytes) = seeds.into_iter().find(|(other, _)| *other == name).unwrap();
        minicbor::decode::<SignedEdit>(&bytes).unwrap()
    };
    let read = |person, table, query| Read {
        id: [1; 16].into(),
        at: DeviceInstant(5),
        person,
        table,
        record: Some(RecordId(id(1))),
        facets: 3,
        query,
    };
    let decided = Decided {
        edit: EditId(id(3)),
        by: AuthorId(id(2)),
        at: DeviceInstant(5),
        decision: Decision::HandedOver,
        code: Code::NotFound,
        intent: br#"{"edit":"00000000-0000-0000-0000-000000000003","author":"00000000-0000-0000-0000-000000000002","captured_at":5,"uncertainty_ms":0,"seen_seq":1,"documents":[]}"#.to_vec().into(),
        envelope: signed("identity").envelope,
        signature: signed("identity").signature,
    };
    vec![
        Frame::Hello(Hello {
            protocol: 1,
            app: "0.1.0".into(),
            catalogue: 1,
            device: DeviceId(id(4)),
            generation: 1,
            signature: vec![5; 64].into(),
            cursor: -1,
            bootstrap: Some(Position { section: 2, after: Some(RecordId(id(1))) }),
            reference_seq: 0,
            digest: Digest(9),
            epoch: None,
            credit: 1_000,
            waiting: 2,
            checkpoint: Some(Box::new(checkpoint())),
        }),
        Frame::Push(Push { edits: vec![signed("identity"), signed("health")] }),
        Frame::Ack(Ack { cursor: 5, credit: 100 }),
        Frame::Buckets(Buckets { cursor: 5, sums: vec![Digest(1); 4] }),
        Frame::Receipts(Receipts {
            receipts: vec![Receipt {
                seq: 5,
                document: document("patients", 1),
                purged_at: DeviceInstant(8),
            }],
        }),
        Frame::Reads(Reads {
            reads: vec![
                read(Some(AuthorId(id(6))), Some(TableId(9)), None),
                read(None, None, Some([3; 32].into())),
            ],
        }),
        Frame::Handover(Handover { decided: vec![decided] }),
    ]
}

fn from_server() -> Vec<Frame> {
    let patients = table("patients").unwrap();
    let record =
        |n: u128| BootstrapRecord { id: RecordId(id(n)), row: patient(n.is_multiple_of(2)), stamp: stamp() };
    let records: Vec<BootstrapRecord> = (0..3).map(record).collect();
    let facets = vec![RecordFacet {
        index: 1,
        facet: document("patients", 1).facet,
        epoch: 2,
        live: Some(LiveDocument { saved: change().into(), clamps: Vec::new() }),
        withdrawn: None,
    }];
    let fate = |edit, fate| EditFate { edit: Some(EditId(id(edit))), fate };
    vec![
        Frame::Challenge(Challenge { nonce: [7; 32].into(), protocol_min: 1, protocol_max: 1 }),
        Frame::Welcome(Welcome {
            protocol: 1,
            clinic: ClinicId(id(5)),
            audience: Audience::Clinical,
            now: ServerInstant(1),
            epoch: [1; 16].into(),
            head: 10,
            digest: Digest(9),
            reference_head: 3,
            bootstrap_records: 0,
            push_bytes: 1,
            lease_seconds: 2,
            people: Some(vec![AuthorId(id(6))]),
            checkpoint: Some(Box::new(checkpoint())),
            audit_agrees: Some(true),
            escrow_key: None,
        }),
        Frame::Fates(Fates {
            fates: vec![
                fate(1, Fate::Accepted { seq: 1, merged_at: 2 }),
                fate(2, Fate::Duplicate { seq: 1, merged_at: 2 }),
                fate(3, Fate::Held { missing: document("patients", 1) }),
                fate(4, Fate::Quarantined { code: Code::ConsentMissing }),
                fate(5, Fate::Refused { code: Code::NotFound }),
                fate(6, Fate::Rebase { document: document("patients", 1), epoch: 3 }),
            ],
        }),
        Frame::Page(Page::new(0, 6, Some(Digest(1)), &all_entries())),
        Frame::Page(Page::new(0, 6, None, &Vec::new())),
        Frame::Rows(RowsPage {
            table: patients.id,
            next: Some(Position { section: 1, after: None }),
            done: 3,
            reference_seq: Some(1),
            facets: 3,
            body: RowsPage::pack_records(patients, &records, &facets),
        }),
        Frame::Repair(Repair::new(5, vec![1], &all_entries())),
        Frame::Bye(Bye { code: ByeCode::Busy, retry_after_ms: 500 }),
        Frame::Received(Received { seqs: vec![5] }),
        Frame::Audited(Audited { reads: vec![[1; 16].into()], checkpoint: Some(checkpoint()) }),
    ]
}

/// A page whose body expands beyond its limit: 64 MiB of zeros in a few kilobytes.
fn bomb() -> Vec<u8> {
    Frame::Page(Page { from: 0, to: 1, digest: None, body: pack(&vec![0; 8 * PAGE_BYTES_MAX]) }).encode()
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut all: Vec<(&'static str, Vec<u8>)> = Vec::new();
    for frame in from_tablet().into_iter().chain(from_server()) {
        let twice = all.iter().any(|(name, _)| *name == frame.name());
        all.push((if twice { "page-empty" } else { frame.name() }, frame.encode()));
    }
    all.push(("bomb", bomb()));
    all
}
