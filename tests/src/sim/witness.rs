//! What is looked at while things happen: bytes on the line, and a tablet after each piece of work.

use super::apart;
use super::world::World;
use neonpro_client_core::Edited;
use neonpro_contract::fate::Fate;
use neonpro_contract::wire::{EditFate, Frame, Hello, Welcome, unpack};

/// Bytes on the line are part of the trace, but for what rests on a challenge's nonce: that is the machine's own chance, as
/// it must be, and nothing but the signature over it depends on it. The clinic's escrow key is drawn by chance, too.
pub fn sent(world: &mut World, direction: &str, tablet: usize, bytes: &[u8]) {
    let Ok(frame) = Frame::decode(bytes) else { return };
    let what = format!("{direction} {} {}", world.tablets[tablet].name, frame.name());
    match frame {
        Frame::Challenge(_) => world.trace.bytes(&what, &[]),
        Frame::Hello(hello) => {
            let unsigned = Hello { signature: Vec::new().into(), ..hello };
            world.trace.bytes(&what, &Frame::Hello(unsigned).encode());
        }
        Frame::Welcome(welcome) => {
            let keyless = Welcome { escrow_key: None, ..welcome };
            world.trace.bytes(&what, &Frame::Welcome(keyless).encode());
        }
        _ => world.trace.bytes(&what, bytes),
    }
}

/// A frame the server sent to a tablet: nothing of another clinic may be in it.
pub fn frame(world: &mut World, tablet: usize, bytes: &[u8]) {
    let Ok(frame) = Frame::decode(bytes) else {
        return world.violated("the server sent bytes that are no frame".to_owned());
    };
    apart::frame(world, tablet, &frame, bytes);
    let body = match &frame {
        Frame::Page(page) => unpack(&page.body).unwrap_or_default(),
        Frame::Rows(rows) => unpack(&rows.body).unwrap_or_default(),
        _ => Vec::new(),
    };
    let own = world.tablets[tablet].clinic;
    if apart::contains(&body, world.canaries[own].as_bytes()) {
        world.reached.add("canary seen by its own clinic");
    }
    tell(world, tablet, &frame);
}

fn tell(world: &mut World, tablet: usize, frame: &Frame) {
    let name = world.tablets[tablet].name.clone();
    match frame {
        Frame::Fates(fates) => {
            let mut words = Vec::new();
            for answer in &fates.fates {
                if let Some(edit) = answer.edit {
                    world.ledger.told(edit, &answer.fate);
                }
                words.push(told(world, answer));
                note_fate(world, &answer.fate);
            }
            world.note(&format!("{name} is told {}", words.join(", ")));
        }
        Frame::Page(page) => {
            world.note(&format!("{name} is sent page {}..{}", page.from, page.to));
        }
        Frame::Repair(_) => {
            world.reached.add("digests differed, repaired");
            world.note(&format!("{name} is sent a repair"));
        }
        Frame::Bye(bye) => {
            world.reached.add(&format!("bye {}", bye.code.as_str()));
            world.note(&format!("{name} is told bye {}", bye.code.as_str()));
        }
        Frame::Rows(rows) => world.note(&format!("{name} is sent rows, {} done", rows.done)),
        other => world.note(&format!("{name} is sent {}", other.name())),
    }
}

/// A fate in words; of one that is set aside also what it was about.
fn told(world: &World, answer: &EditFate) -> String {
    let Some(code) = answer.fate.set_aside() else { return answer.fate.as_str().to_owned() };
    let known = answer.edit.and_then(|edit| world.ledger.edits.get(&edit));
    let documents: Vec<String> =
        known.iter().flat_map(|known| &known.documents).map(ToString::to_string).collect();
    format!("{} {} ({})", answer.fate.as_str(), code.as_str(), documents.join(" "))
}

fn note_fate(world: &mut World, fate: &Fate) {
    let name = match fate {
        Fate::Accepted { .. } => "fate accepted".to_owned(),
        Fate::Duplicate { .. } => "fate duplicate".to_owned(),
        Fate::Held { .. } => "fate held".to_owned(),
        Fate::Rebase { .. } => "fate rebase (pending edit on a flattened document)".to_owned(),
        Fate::Quarantined { code } => format!("quarantined {}", code.as_str()),
        Fate::Refused { code } => format!("refused {}", code.as_str()),
    };
    world.reached.add(&name);
}

/// An edit was just acknowledged: its author must see it.
pub fn written(world: &mut World, tablet: usize, edited: &Edited) {
    for changed in &edited.records {
        let shown = world.tablets[tablet].replica.look_at(changed.table, changed.id).unwrap();
        if shown.map(|shown| shown.row).as_ref() != Some(&changed.row) {
            let what =
                format!("I5: {} does not show its own edit of {}", world.tablets[tablet].name, changed.table);
            world.violated(what);
        }
    }
}

/// A piece of work on a tablet's file is done: its cursor only moves forwards, or back to a first sync.
pub fn after_work(world: &mut World, tablet: usize) {
    let known = &world.tablets[tablet];
    let status = known.replica.status().unwrap();
    let (before, generation) = (known.cursor, known.generation);
    let queued = if status.generation > generation { known.queued() } else { 0 };
    let name = known.name.clone();
    if status.cursor < before && status.cursor >= 0 {
        world.violated(format!("I5: the cursor of {name} went from {before} back to {}", status.cursor));
    }
    if status.cursor < 0 && before >= 0 {
        world.reached.add("reseed");
        world.note(&format!("{name} fetches everything again"));
    }
    if status.generation > generation {
        world.reached.add("actor rotation");
        if queued >= 3 {
            world.reached.add("rebase with three or more edits after the one set aside");
        }
        world.note(&format!("{name} takes generation {}", status.generation));
    }
    // Slow, so only for somebody who watches: where a sum parts from what is stored, the piece of work is to blame.
    if world.trace.echo {
        let replica = &world.tablets[tablet].replica;
        let (kept, summed) = (replica.digest().unwrap(), replica.recompute_digest().unwrap());
        if kept != summed {
            world.violated(format!("the digest of {name} is {kept:?}, its documents sum up to {summed:?}"));
        }
    }
    let known = &mut world.tablets[tablet];
    known.cursor = status.cursor;
    known.generation = status.generation;
}
