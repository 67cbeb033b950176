//! Every frame's bytes are pinned, read back equal, and refused at every truncation.

use super::*;
use crate::audit::Checkpoint;
use crate::catalogue::{FacetId, TableId, table};
use crate::digest::Digest;
use crate::edit::{DocumentId, SignedEdit};
use crate::fate::{Code, Fate};
use crate::ids::{AuthorId, ClinicId, DeviceId, EditId, RecordId};
use crate::permissions::Audience;
use crate::row::{Row, RowStamp};
use crate::time::{DeviceInstant, ServerInstant};
use crate::value::Value;
use minicbor::bytes::ByteVec;
use uuid::Uuid;

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn document() -> DocumentId {
    DocumentId { table: TableId(9), record: RecordId(id(1)), facet: FacetId(1) }
}

fn stamp() -> RowStamp {
    RowStamp {
        author: Some(AuthorId(id(2))),
        captured_at: Some(DeviceInstant(5)),
        merged_at: ServerInstant(6),
        feed_seq: 7,
    }
}

fn entries() -> Vec<Entry> {
    let live = LiveDocument { saved: vec![9].into(), clamps: vec![([1; 32].into(), ServerInstant(3))] };
    vec![
        Entry::Change {
            seq: 1,
            document: document(),
            epoch: 1,
            merged_at: ServerInstant(4),
            change: vec![1].into(),
        },
        Entry::Own { seq: 2, edit: EditId(id(3)), document: document(), merged_at: ServerInstant(4) },
        Entry::Snapshot {
            seq: 3,
            document: document(),
            epoch: 2,
            stamp: stamp(),
            row: vec![0x80].into(),
            live: Some(live),
        },
        Entry::Row {
            seq: 4,
            table: TableId(9),
            record: RecordId(id(1)),
            stamp: stamp(),
            row: vec![0x80].into(),
        },
        Entry::Withdraw { seq: 5, document: document() },
        Entry::Fate {
            seq: 6,
            edit: EditId(id(3)),
            fate: Fate::Refused { code: Code::Discarded },
            by: Some(AuthorId(id(2))),
            reason: Some("motivo".into()),
        },
    ]
}

fn records() -> Vec<BootstrapRecord> {
    let patients = table("patients").unwrap();
    (0..3u128)
        .map(|n| {
            let mut row = Row::empty(patients);
            row.set("name", Value::Text(format!("Paciente {n}")));
            row.set("is_active", Value::Bool(n % 2 == 0));
            BootstrapRecord { id: RecordId(id(n)), row, stamp: stamp() }
        })
        .collect()
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

fn reads() -> Reads {
    Reads {
        reads: vec![
            Read {
                id: [1; 16].into(),
                at: DeviceInstant(5),
                person: Some(AuthorId(id(6))),
                table: Some(TableId(9)),
                record: Some(RecordId(id(1))),
                facets: 3,
                query: None,
            },
            Read {
                id: [2; 16].into(),
                at: DeviceInstant(6),
                person: None,
                table: None,
                record: None,
                facets: 0,
                query: Some([3; 32].into()),
            },
        ],
    }
}

fn welcome() -> Welcome {
    Welcome {
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
        escrow_key: Some([6; 32].into()),
    }
}

fn handover() -> Frame {
    let decided = Decided {
        edit: EditId(id(3)),
        by: AuthorId(id(2)),
        at: DeviceInstant(5),
        decision: Decision::HandedOver,
        code: Code::NotFound,
        intent: b"{}".to_vec().into(),
        envelope: vec![1, 2].into(),
        signature: vec![3; 64].into(),
    };
    Frame::Handover(Handover { decided: vec![decided] })
}

fn frames() -> Vec<Frame> {
    let patients = table("patients").unwrap();
    let facets = vec![RecordFacet { index: 1, facet: FacetId(1), epoch: 2, live: None, withdrawn: None }];
    let signed = SignedEdit { envelope: vec![1, 2].into(), signature: vec![3; 64].into() };
    let fate = |edit, fate| EditFate { edit: Some(EditId(id(edit))), fate };
    vec![
        Frame::Challenge(Challenge { nonce: [7; 32].into(), protocol_min: 1, protocol_max: 1 }),
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
            checkpoint: None,
        }),
        Frame::Welcome(welcome()),
        Frame::Push(Push { edits: vec![signed] }),
        Frame::Fates(Fates {
            fates: vec![
                fate(1, Fate::Accepted { seq: 1, merged_at: 2 }),
                fate(2, Fate::Duplicate { seq: 1, merged_at: 2 }),
                fate(3, Fate::Held { missing: document() }),
                fate(4, Fate::Quarantined { code: Code::ConsentMissing }),
                fate(5, Fate::Refused { code: Code::NotFound }),
                fate(6, Fate::Rebase { document: document(), epoch: 3 }),
            ],
        }),
        Frame::Page(Page::new(0, 5, Some(Digest(1)), &entries())),
        Frame::Rows(RowsPage {
            table: patients.id,
            next: None,
            done: 3,
            reference_seq: None,
            facets: 3,
            body: RowsPage::pack_records(patients, &records(), &facets),
        }),
        Frame::Ack(Ack { cursor: 5, credit: 100 }),
        Frame::Buckets(Buckets { cursor: 5, sums: vec![Digest(1)] }),
        Frame::Repair(Repair::new(5, vec![1], &entries())),
        Frame::Bye(Bye { code: ByeCode::Busy, retry_after_ms: 500 }),
        Frame::Bye(Bye { code: ByeCode::Wipe, retry_after_ms: 0 }),
        Frame::Receipts(Receipts {
            receipts: vec![Receipt { seq: 5, document: document(), purged_at: DeviceInstant(8) }],
        }),
        Frame::Received(Received { seqs: vec![5] }),
        Frame::Reads(reads()),
        Frame::Audited(Audited { reads: vec![[1; 16].into()], checkpoint: Some(checkpoint()) }),
        handover(),
    ]
}

#[test]
fn every_frame_reads_back_equal_and_keeps_its_bytes() {
    let mut pinned = String::new();
    for frame in frames() {
        let bytes = frame.encode();
        assert_eq!(Frame::decode(&bytes).unwrap(), frame);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        // Compressed bodies may change with the compressor; their content is pinned by the round trip.
        let stable = !matches!(frame, Frame::Page(_) | Frame::Rows(_) | Frame::Repair(_));
        pinned.push_str(&format!("{}: {}\n", frame.name(), if stable { hex } else { "(packed)".into() }));
    }
    insta::assert_snapshot!(pinned);
}

#[test]
fn every_truncation_and_every_trailing_byte_is_refused() {
    for frame in frames() {
        let mut bytes = frame.encode();
        for end in 0..bytes.len() {
            assert!(Frame::decode(&bytes[..end]).is_err(), "{} cut at {end}", frame.name());
        }
        bytes.push(0);
        assert!(Frame::decode(&bytes).is_err(), "{} with a trailing byte", frame.name());
    }
}

#[test]
fn flipped_bytes_never_panic() {
    for frame in frames() {
        let bytes = frame.encode();
        for at in 0..bytes.len() {
            for flip in [1u8, 0x20, 0x80, 0xff] {
                let mut bad = bytes.clone();
                bad[at] ^= flip;
                match Frame::decode(&bad) {
                    Ok(Frame::Page(page)) => drop(page.entries()),
                    Ok(Frame::Rows(rows)) => drop(rows.records()),
                    Ok(Frame::Repair(repair)) => drop(repair.entries()),
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn a_frame_over_the_limit_is_refused_before_it_is_decoded() {
    let bytes = vec![0u8; crate::limits::FRAME_BYTES_MAX + 1];
    assert_eq!(Frame::decode(&bytes), Err(WireError::TooLong));
}

#[test]
fn a_body_that_would_expand_beyond_the_limit_is_refused() {
    let bomb = zstd::bulk::compress(&vec![0u8; 64 * 1024 * 1024], 19).unwrap();
    assert!(bomb.len() < 64 * 1024);
    assert_eq!(unpack(&bomb), Err(WireError::Body));
    let page = Page { from: 0, to: 1, digest: None, body: ByteVec::from(bomb) };
    assert_eq!(page.entries(), Err(WireError::Body));
}

#[test]
fn records_survive_the_columns() {
    let patients = table("patients").unwrap();
    let facets =
        vec![RecordFacet { index: 2, facet: FacetId(0), epoch: 4, live: None, withdrawn: Some(true) }];
    let page = RowsPage {
        table: patients.id,
        next: None,
        done: 3,
        reference_seq: None,
        facets: 1,
        body: RowsPage::pack_records(patients, &records(), &facets),
    };
    assert_eq!(page.records().unwrap(), (records(), facets));
}

/// What a peer without the newest field sends and reads.
#[test]
fn a_welcome_without_the_clinics_key_reads_and_one_with_it_reads_for_who_does_not_know_it() {
    #[derive(minicbor::Encode, minicbor::Decode, PartialEq, Debug)]
    struct Older {
        #[n(0)]
        protocol: u16,
        #[n(1)]
        clinic: ClinicId,
    }
    let whole = minicbor::to_vec(welcome()).unwrap();
    let older: Older = minicbor::decode(&whole).unwrap();
    assert_eq!(older.clinic, welcome().clinic);
    // The same array, one element shorter: fifteen elements are `8f`, fourteen `8e`.
    assert_eq!(whole[0], 0x8f);
    let key = minicbor::to_vec(welcome().escrow_key).unwrap();
    let mut shorter = whole[..whole.len() - key.len()].to_vec();
    shorter[0] = 0x8e;
    let read: Welcome = minicbor::decode(&shorter).unwrap();
    assert_eq!(read, Welcome { escrow_key: None, ..welcome() });
}
