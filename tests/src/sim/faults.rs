//! What can befall one message on its way.

use super::world::World;
use axum::extract::ws::Message;

/// A fault of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The line breaks.
    Cut,
    /// It vanishes with everything after it, and nobody is told.
    Lost,
    /// Its end is missing.
    Truncated(usize),
    /// It comes twice.
    Twice,
    /// It comes late, and everything behind it.
    Late,
}

/// What befalls a message.
#[derive(Debug, Clone, Copy)]
pub struct Hazard {
    pub fault: Option<Fault>,
    pub delay_us: i64,
}

impl Hazard {
    /// Nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { fault: None, delay_us: 0 }
    }

    /// Draws what befalls the next message.
    pub fn draw(world: &mut World) -> Self {
        if !world.chaos {
            return Self::none();
        }
        let (name, fault) = match world.rng.below(1_000) {
            0..12 => ("line cut", Fault::Cut),
            12..16 => ("message lost, line half-open", Fault::Lost),
            16..22 => ("message truncated", Fault::Truncated(world.rng.below(4_000))),
            22..30 => ("message twice", Fault::Twice),
            30..110 => ("message late", Fault::Late),
            _ => return Self::none(),
        };
        world.faults.add(name);
        let delay_us = if fault == Fault::Late { world.rng.between(1_000_000, 15_000_000) } else { 0 };
        Self { fault: Some(fault), delay_us }
    }

    /// The message as it arrives.
    #[must_use]
    pub fn spoil(self, message: Message) -> Message {
        match (self.fault, message) {
            (Some(Fault::Truncated(at)), Message::Binary(bytes)) => {
                let kept = at.checked_rem(bytes.len()).unwrap_or(0);
                Message::Binary(bytes.slice(..kept))
            }
            (_, message) => message,
        }
    }
}
