//! The two forms of a document are one: whatever is done, both give the same bytes, heads, values and refusals.

use super::*;
use crate::catalogue::{Field, Format, Kind, TABLES};
use crate::edit::FieldOp;
use crate::ids::{AuthorId, EditId, RecordId};
use crate::time::{Capture, DeviceInstant, ServerInstant};
use crate::value::{Column, Value};
use chunk::{Chunk, ChunkOpId, Op, Scalar};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// SplitMix64: a seed is a whole history.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())].clone()
    }

    fn uuid(&mut self) -> Uuid {
        Uuid::from_u128(self.roll(4) as u128)
    }
}

fn any_document(dice: &mut Dice) -> DocumentId {
    let tables: Vec<_> = TABLES.iter().filter(|table| !table.facets.is_empty()).collect();
    let table = dice.one(&tables);
    let facets: Vec<_> = table.facet_ids().collect();
    DocumentId { table: table.id, record: RecordId(Uuid::from_u128(7)), facet: dice.one(&facets) }
}

fn text(dice: &mut Dice, field: &Field) -> String {
    match field.format {
        Format::OneOf(values) => dice.one(values).to_owned(),
        Format::Cpf => dice.one(&["52998224725", "11144477735"]).to_owned(),
        Format::Cns => dice.one(&["100000000060018", "700000000000005"]).to_owned(),
        Format::Cnpj => "11222333000181".to_owned(),
        Format::Plain => dice.one(&["Ana", "Conceição", "a", "dor leve 😀", "x y"]).to_owned(),
    }
}

fn leaves(dice: &mut Dice) -> Json {
    dice.one(&[
        json!({"a": 1}),
        json!({"a": {"b": 1, "c": "x"}}),
        json!({"a": null, "d": [1, 2]}),
        json!({"e/f": true, "~": "y", "a": {"b": 2}}),
        json!({"d": null}),
    ])
}

fn any_json(dice: &mut Dice, field: &Field) -> Json {
    if dice.roll(6) == 0 {
        return Json::Null;
    }
    match field.column {
        Column::Text => json!(text(dice, field)),
        Column::Uuid => json!(dice.uuid().to_string()),
        Column::Bool => json!(dice.roll(2) == 0),
        Column::Int => json!(dice.one(&[0, 1, -1, 63, 64, -64, -65, 8_192, 2_000_000])),
        Column::BigInt => json!(dice.one(&[0i64, -1, 1 << 40, i64::MAX, i64::MIN])),
        Column::Numeric(..) => json!(dice.one(&["0", "1.50", "12", "-3"])),
        Column::Date => json!(dice.one(&["1990-02-28", "2031-12-31"])),
        Column::Instant => json!(dice.one(&[0i64, 1_700_000_000_000_000, 1_800_000_000_123_456])),
        Column::TextArray => json!(["iodo", "látex"]),
        Column::UuidArray => json!([dice.uuid().to_string()]),
        Column::Json => leaves(dice),
    }
}

/// A row whose facet holds values of the right types, long texts only if wanted.
fn any_row(dice: &mut Dice, id: &DocumentId, long_texts: bool) -> Row {
    let table = id.table().unwrap();
    let mut row = Row::empty(table);
    for (index, field) in table.facet_fields(id.facet) {
        if dice.roll(3) == 0 || (field.kind == Kind::Text && !long_texts) {
            continue;
        }
        let value = match field.kind {
            Kind::Json => {
                Value::Json(json_leaves::build(&json_leaves::flatten(&leaves(dice)).unwrap()).unwrap())
            }
            Kind::Set if field.column == Column::UuidArray => Value::Uuids(vec![dice.uuid()]),
            Kind::Set => Value::Texts(vec!["iodo".into(), "látex".into()]),
            _ => crate::validate::from_json(field, &any_json(dice, field)).unwrap_or_default(),
        };
        row.set_at(index, value);
    }
    row
}

fn any_op(dice: &mut Dice, id: &DocumentId, long_texts: bool) -> FieldOp {
    let fields: Vec<&'static Field> =
        id.table().unwrap().facet_fields(id.facet).map(|(_, field)| field).collect();
    let known = dice.one(&fields);
    let field = known.name.to_owned();
    let member = |dice: &mut Dice| match known.column {
        Column::UuidArray => dice.uuid().to_string(),
        _ => dice.one(&["iodo", "látex", "sol"]).to_owned(),
    };
    match (known.kind, dice.roll(8)) {
        (_, 0) => FieldOp::Put { field, value: json!(dice.one(&["", "outro"])) },
        (Kind::Set, 1..4) => {
            FieldOp::Remove { field, member: member(dice), reason: dice.one(&["erro", ""]).into() }
        }
        (Kind::Set, 4) => FieldOp::Put { field, value: any_json(dice, known) },
        (Kind::Set, _) => FieldOp::Add { field, member: member(dice) },
        (Kind::Json, 1) => FieldOp::Put { field, value: leaves(dice) },
        (Kind::Json, _) => FieldOp::Merge { field, patch: leaves(dice) },
        (Kind::Text, _) if long_texts => FieldOp::Text { field, value: text(dice, known) },
        (Kind::Text, _) => FieldOp::Text { field, value: String::new() },
        _ => FieldOp::Put { field, value: any_json(dice, known) },
    }
}

fn whole(document: &Document) -> Document {
    let mut twin = document.clone();
    twin.whole().unwrap();
    twin
}

fn header(dice: &mut Dice, n: usize) -> Header {
    Header {
        edit: EditId(Uuid::from_u128(n as u128)),
        author: AuthorId(dice.uuid()),
        capture: Capture {
            at: DeviceInstant(1_700_000_000_000_000 + dice.roll(5) as i64),
            uncertainty_ms: 3,
        },
        seen_seq: dice.roll(3) as i64 - 1,
    }
}

/// A replica that keeps its document in both forms.
struct Twins {
    map: Document,
    whole: Document,
    /// How many of the world's changes it has, by number.
    has: Vec<bool>,
}

impl Twins {
    fn compare(&mut self, clamps: &Clamps) {
        assert_eq!(self.map.heads(), self.whole.heads());
        let read = |document: &Document| {
            let mut row = Row::empty(document.table());
            let disputes = document.project(clamps, &mut row);
            // A row that could not be read whole is not used.
            (disputes.clone(), disputes.is_ok().then_some(row))
        };
        let (map, whole_) = (read(&self.map), read(&self.whole));
        assert!(map == whole_, "{:?} {:?}", map, whole_);
        assert_eq!(self.map.check_fields(), self.whole.check_fields());
        for (_, field) in self.map.table().facet_fields(self.map.facet()) {
            if field.kind == Kind::Set {
                assert_eq!(self.map.removal_reasons(field), self.whole.removal_reasons(field));
            }
        }
        let saved = self.map.save();
        let mut again = Document::load(self.map.id(), &saved).unwrap();
        assert_eq!(matches!(again.form, Form::Map(_)), matches!(self.map.form, Form::Map(_)));
        let mut opened = whole(&again);
        assert_eq!((again.heads(), opened.heads()), (self.map.heads(), self.map.heads()));
        assert!(read(&again) == map && read(&opened) == map, "what was saved reads back");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn genesis_is_the_same_bytes_in_either_form(seed in any::<u64>(), epoch in 1u32..400) {
        let dice = &mut Dice(seed);
        let id = any_document(dice);
        let row = any_row(dice, &id, false);
        let map = MapDocument::genesis(&id, epoch, &row).expect("a facet without long texts");
        let mut whole = genesis::build(&id, epoch, &row).unwrap();
        let chunks: Vec<u8> = whole.get_changes(&[]).iter().flat_map(|change| change.raw_bytes().to_vec()).collect();
        prop_assert_eq!(&map.saved, &chunks);
        prop_assert_eq!(map.heads, whole.get_heads().iter().map(|hash| hash.0).collect::<Vec<_>>());
    }

    #[test]
    fn histories_of_several_people_are_the_same_in_either_form(seed in any::<u64>()) {
        let dice = &mut Dice(seed);
        let (id, long_texts) = (any_document(dice), dice.roll(6) == 0);
        let row_with_text = long_texts && dice.roll(2) == 0;
        let row = any_row(dice, &id, row_with_text);
        let start = Document::genesis(id, 1, &row).unwrap();
        let mut replicas: Vec<Twins> =
            (0..3).map(|_| Twins { map: start.clone(), whole: whole(&start), has: Vec::new() }).collect();
        let (mut changes, mut clamps) = (Vec::<ParsedChange>::new(), Clamps::new());
        for step in 0..24 {
            let who = dice.roll(3);
            let twins = &mut replicas[who];
            twins.has.resize(changes.len(), false);
            if dice.roll(2) == 0 {
                let ops: Vec<FieldOp> = (0..=dice.roll(3)).map(|_| any_op(dice, &id, long_texts)).collect();
                let header = header(dice, step);
                let actor = Actor::of(DeviceId(Uuid::from_u128(who as u128)), 1);
                let create = dice.roll(2) == 0;
                let made = twins.map.edit(actor, &header, create, &ops);
                prop_assert_eq!(&made, &twins.whole.edit(actor, &header, create, &ops), "{:?}", ops);
                if let Ok((bytes, hash)) = made {
                    let change = ParsedChange::parse(&bytes).unwrap();
                    prop_assert_eq!(change.hash(), hash);
                    if dice.roll(4) == 0 {
                        clamps.insert(hash, ServerInstant(1_700_000_000_000_001));
                    }
                    changes.push(change);
                    twins.has.push(true);
                }
            } else if let Some(at) = (0..changes.len()).find(|at| !twins.has[*at] && dice.roll(3) > 0) {
                let applied = twins.map.apply(&changes[at]);
                prop_assert_eq!(applied, twins.whole.apply(&changes[at]));
                twins.has[at] = applied.is_ok();
            }
            twins.compare(&clamps);
        }
        // Everybody hears of everything, in some order: then all agree.
        for twins in &mut replicas {
            twins.has.resize(changes.len(), false);
            while let Some(at) = (0..changes.len()).find(|at| !twins.has[*at] && twins.map.clone().apply(&changes[*at]).is_ok()) {
                twins.map.apply(&changes[at]).unwrap();
                twins.whole.apply(&changes[at]).unwrap();
                twins.has[at] = true;
            }
            twins.compare(&clamps);
        }
        let heads = replicas[0].map.heads();
        prop_assert!(replicas.iter_mut().all(|twins| twins.map.heads() == heads));
    }

    #[test]
    fn a_forged_change_is_taken_or_refused_alike_in_either_form(seed in any::<u64>()) {
        let dice = &mut Dice(seed);
        let id = any_document(dice);
        let start = Document::genesis(id, 1, &any_row(dice, &id, false)).unwrap();
        let mut twins = Twins { whole: whole(&start), map: start, has: Vec::new() };
        for step in 0..6 {
            let bytes = forge(dice, &twins.map, step);
            let Ok(change) = ParsedChange::parse(&bytes) else { continue };
            // A document that failed is dropped.
            let (mut map, mut whole) = (twins.map.clone(), twins.whole.clone());
            let applied = map.apply(&change);
            prop_assert_eq!(applied, whole.apply(&change));
            if applied.is_err() {
                continue;
            }
            twins = Twins { map, whole, has: Vec::new() };
            if !matches!(twins.map.form, Form::Map(_)) {
                // Automerge alone decides from here on: there is nothing left to compare.
                break;
            }
            twins.compare(&Clamps::new());
        }
    }

    #[test]
    fn no_bytes_make_the_reader_of_changes_panic(seed in any::<u64>(), flips in 1usize..6) {
        let dice = &mut Dice(seed);
        let id = any_document(dice);
        let document = Document::genesis(id, 1, &any_row(dice, &id, false)).unwrap();
        let mut bytes = forge(dice, &document, 1);
        for _ in 0..flips {
            let at = dice.roll(bytes.len());
            bytes[at] = u8::try_from(dice.roll(256)).unwrap();
        }
        if let Some(cut) = chunk::read(&bytes) {
            prop_assert_eq!(chunk::write(&cut.chunk).0, cut.bytes);
        }
        // The checksum hides most of the format from flips behind it: read past it too.
        drop(chunk::reread(&bytes));
    }
}

/// An operation of a forged change: whether in a map of its own, which map, key, value, what it overwrites.
type ForgedOp<'a> = (bool, u64, &'a str, Option<Scalar<'static>>, Vec<(usize, u64)>);

/// Operations that name, most of the time, operations that exist; in whose slot, the dice decide.
fn forged_ops<'a>(
    dice: &mut Dice,
    map: &MapDocument,
    everyone: &[Vec<u8>],
    keys: &[&'a str],
) -> Vec<ForgedOp<'a>> {
    let standing: Vec<(usize, u64)> =
        map.slots.values().flatten().map(|written| (written.actor, written.counter)).collect();
    let any_id = |dice: &mut Dice| {
        if standing.is_empty() || dice.roll(3) == 0 {
            return (dice.roll(4), 1 + dice.roll(usize::try_from(map.max_op()).unwrap() + 3) as u64);
        }
        let (actor, counter) = dice.one(&standing);
        (everyone.iter().position(|known| *known == map.actors[actor]).unwrap_or(0), counter)
    };
    let values = [
        None,
        Some(Scalar::Null),
        Some(Scalar::Int(5)),
        Some(Scalar::Str("x")),
        Some(Scalar::Str("y")),
        Some(Scalar::Bool(true)),
    ];
    (0..=dice.roll(2))
        .map(|_| {
            let pred = (0..dice.roll(3)).map(|_| any_id(dice)).collect();
            (dice.roll(4) == 0, 2 + dice.roll(3) as u64, dice.one(keys), dice.one(&values), pred)
        })
        .collect()
}

/// A change in canonical bytes that may be wrong in any of its parts.
fn forge(dice: &mut Dice, document: &Document, step: usize) -> Vec<u8> {
    let Form::Map(map) = &document.form else { return Vec::new() };
    let mut genesis = document.id().record.0.as_bytes().to_vec();
    genesis.extend_from_slice(&1u32.to_be_bytes());
    let device = |n: usize| Actor::of(DeviceId(Uuid::from_u128(n as u128)), 1).bytes().to_vec();
    let everyone = vec![device(dice.roll(2)), device(2), genesis, root::ACTOR.to_vec()];
    let own = everyone[0].as_slice();
    let mut keys: Vec<&str> =
        document.table().facet_fields(document.facet()).map(|(_, field)| field.name).collect();
    keys.extend(["/a", "iodo", "_", "nothing"]);
    let drafts = forged_ops(dice, map, &everyone, &keys);
    let mut used: Vec<&[u8]> = drafts
        .iter()
        .flat_map(|(in_map, .., pred)| pred.iter().map(|(actor, _)| *actor).chain(in_map.then_some(3)))
        .map(|at| everyone[at].as_slice())
        .filter(|actor| *actor != own)
        .collect();
    used.sort_unstable();
    used.dedup();
    match dice.roll(12) {
        0 => used.reverse(),
        1 => used.push(&[1, 2]),
        _ => {}
    }
    used.insert(0, own);
    let place = |at: usize| used.iter().position(|actor| *actor == everyone[at]).unwrap() as u64;
    let named = |(actor, counter): (usize, u64)| ChunkOpId { actor: place(actor), counter };
    let ops = drafts.into_iter().map(|(in_map, counter, key, value, pred)| Op {
        object: in_map.then(|| named((3, counter))),
        key,
        value,
        pred: pred.into_iter().map(named).collect(),
    });
    let message = header(dice, step).message();
    let chunk = Chunk {
        deps: if dice.roll(8) == 0 { vec![[9; 32]] } else { map.heads.clone() },
        actors: used.clone(),
        seq: 1 + dice.roll(3) as u64,
        start_op: map.max_op() + 1 + dice.one(&[0, 0, 0, 1, 5]),
        time: 1_700_000_000_000_000,
        message: &message,
        ops: ops.collect(),
    };
    chunk::write(&chunk).0
}

#[test]
fn forged_changes_are_taken_and_refused_often_enough_to_mean_something() {
    let (mut taken, mut handed_over) = (0, 0);
    for seed in 0..2_000 {
        let dice = &mut Dice(seed);
        let id = any_document(dice);
        let mut document = Document::genesis(id, 1, &any_row(dice, &id, false)).unwrap();
        let Ok(change) = ParsedChange::parse(&forge(dice, &document, 1)) else { continue };
        let applied = document.apply(&change).is_ok();
        match document.form {
            Form::Map(_) if applied => taken += 1,
            Form::Map(_) => {}
            Form::Whole(_) => handed_over += 1,
        }
    }
    assert!(taken >= 20 && handed_over >= 400, "{taken} taken, {handed_over} handed over");
}
