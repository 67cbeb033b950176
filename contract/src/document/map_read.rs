//! Reading a map document: the same values and disputes as the CRDT library shows, by the same rules.

use super::chunk::Scalar;
use super::map::{MapDocument, Slot, Written};
use super::read::{Candidate, Clamps, Dispute, effective_us, from_scalar, json_of, set_of, settle};
use super::{DocumentError, Header};
use crate::catalogue::{FacetId, Field, Kind};
use crate::row::Row;
use crate::value::Value;
use std::collections::BTreeMap;

impl MapDocument {
    /// Writes the facet's values into a row in which they are cleared; returns what is disputed, by name of the field.
    pub fn project(
        &self,
        facet: FacetId,
        clamps: &Clamps,
        row: &mut Row,
    ) -> Result<Vec<Dispute>, DocumentError> {
        let mut disputes = Vec::new();
        // Of several wrong fields the first by name is told, as in the other form.
        let mut wrong: Option<(&'static str, DocumentError)> = None;
        for (index, field) in self.table.facet_fields(facet) {
            let read = match field.kind {
                Kind::Register => self.register(index, field, clamps, &mut disputes),
                Kind::Set => set_of(field, self.members(index)),
                Kind::Json => self.leaves(index, field, clamps),
                Kind::Text | Kind::Derived => continue,
            };
            match read {
                Ok(value) => row.set_at(index, value),
                Err(error) if wrong.as_ref().is_none_or(|(name, _)| field.name < *name) => {
                    wrong = Some((field.name, error));
                }
                Err(_) => {}
            }
        }
        if let Some((_, error)) = wrong {
            return Err(error);
        }
        disputes.sort_by_key(|dispute| dispute.field.name);
        Ok(disputes)
    }

    /// Whether several values stand in one of these fields' registers.
    pub fn has_several(&self, of: impl Fn(&Field) -> bool) -> bool {
        let several = |written: &Vec<Written>| written.iter().filter(|written| written.stands).count() > 1;
        self.slots.iter().any(|((index, _), written)| {
            several(written) && self.table.columns().nth(*index).is_some_and(&of)
        })
    }

    /// Reasons given for removed members of a set.
    pub fn removal_reasons(&self, field: &'static Field) -> BTreeMap<String, String> {
        let Some((index, _)) = self.table.field(field.name) else { return BTreeMap::new() };
        let reasons = self.keys(index).filter_map(|slot| match self.standing(slot).last()?.value.scalar() {
            Scalar::Str(reason) => Some((slot.1.clone(), reason.to_owned())),
            _ => None,
        });
        reasons.collect()
    }

    /// Slots of a field's own map at which something stands.
    pub fn keys(&self, index: usize) -> impl Iterator<Item = &Slot> {
        let from = (index, String::new());
        let slots = self.slots.range(from..).take_while(move |(slot, _)| slot.0 == index);
        slots.filter(|(_, written)| written.iter().any(|written| written.stands)).map(|(slot, _)| slot)
    }

    fn register(
        &self,
        index: usize,
        field: &'static Field,
        clamps: &Clamps,
        disputes: &mut Vec<Dispute>,
    ) -> Result<Value, DocumentError> {
        let wrong = || DocumentError::WrongType(field.name);
        let read =
            |written: &Written| from_scalar(Some(written.value.scalar()), field.column).ok_or_else(wrong);
        let standing = self.standing(&(index, String::new()));
        match standing.as_slice() {
            [] => Ok(Value::Null),
            [alone] => read(alone),
            several => {
                let candidates = several.iter().map(|written| {
                    let (hash, effective_us, header) = self.origin(written, clamps);
                    Ok(Candidate { value: read(written)?, hash, header, effective_us })
                });
                Ok(settle(field, candidates.collect::<Result<_, DocumentError>>()?, disputes))
            }
        }
    }

    fn members(&self, index: usize) -> Vec<String> {
        let added = |slot: &&Slot| {
            self.standing(slot).iter().any(|written| matches!(written.value.scalar(), Scalar::Int(_)))
        };
        self.keys(index).filter(added).map(|slot| slot.1.clone()).collect()
    }

    fn leaves(&self, index: usize, field: &'static Field, clamps: &Clamps) -> Result<Value, DocumentError> {
        let wrong = || DocumentError::WrongType(field.name);
        let mut leaves = BTreeMap::new();
        for slot in self.keys(index) {
            let standing = self.standing(slot);
            let texts = standing.iter().filter_map(|written| match written.value.scalar() {
                Scalar::Str(text) => {
                    let (hash, effective_us, _) = self.origin(written, clamps);
                    Some((effective_us, hash, text))
                }
                _ => None,
            });
            let (_, _, text) = texts.max().ok_or_else(wrong)?;
            leaves.insert(slot.1.clone(), text.to_owned());
        }
        json_of(&leaves).ok_or_else(wrong)
    }

    /// Which change wrote a value, and when it counts from.
    fn origin(&self, written: &Written, clamps: &Clamps) -> ([u8; 32], i64, Option<Header>) {
        let Some(change) = self.changes.get(written.change) else { return ([0; 32], 0, None) };
        (change.hash, effective_us(&change.hash, change.header.as_ref(), clamps), change.header)
    }
}
