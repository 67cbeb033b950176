//! The tablet's page and the scripted tablet over a real replica file.

#[cfg(test)]
mod fixture;

#[cfg(test)]
mod lease;

#[cfg(test)]
mod lock;

#[cfg(test)]
mod rekey;

#[cfg(test)]
mod door;

#[cfg(test)]
mod screens;

#[cfg(test)]
mod edits;

#[cfg(test)]
mod attention;

#[cfg(test)]
mod photos;

#[cfg(test)]
mod script;

#[cfg(test)]
mod wipe;

#[cfg(test)]
mod agenda;

#[cfg(test)]
mod care;

#[cfg(test)]
mod stock;

#[cfg(test)]
mod team;
