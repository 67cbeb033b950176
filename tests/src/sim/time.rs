//! The server's time in a world: it reads what the world says, and waits until the world lets time pass.

use super::node::START_US;
use neonpro_contract::time::ServerInstant;
use neonpro_server::clock::Clock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

#[derive(Default)]
struct Inner {
    now_us: i64,
    order: u64,
    waiting: BTreeMap<(i64, u64), oneshot::Sender<()>>,
}

/// µs since the world began, and who waits for what.
#[derive(Clone, Default)]
pub struct Time(Arc<Mutex<Inner>>);

impl Time {
    /// The clock the server is given.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let (told, slept) = (self.clone(), self.clone());
        Clock::new(
            move || ServerInstant(START_US + told.0.lock().unwrap().now_us),
            move |span| {
                let until = slept.wait(span);
                async move {
                    // The world is gone: then nobody waits any more.
                    let _ = until.await;
                }
            },
        )
    }

    fn wait(&self, span: Duration) -> oneshot::Receiver<()> {
        let (due, until) = oneshot::channel();
        let mut inner = self.0.lock().unwrap();
        inner.order += 1;
        let at_us = inner.now_us + i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 2);
        let key = (at_us, inner.order);
        inner.waiting.insert(key, due);
        // Who stopped waiting is forgotten now and then.
        if inner.order.is_multiple_of(1_024) {
            inner.waiting.retain(|_, due| !due.is_closed());
        }
        until
    }

    /// When somebody's wait is over next (µs since the world began).
    #[must_use]
    pub fn next_us(&self) -> Option<i64> {
        let mut inner = self.0.lock().unwrap();
        while let Some(first) = inner.waiting.first_entry() {
            if !first.get().is_closed() {
                return Some(first.key().0);
            }
            first.remove();
        }
        None
    }

    /// Lets time pass and says how many waited for that.
    pub fn pass(&self, at_us: i64) -> usize {
        let mut inner = self.0.lock().unwrap();
        inner.now_us = at_us;
        let later = inner.waiting.split_off(&(at_us + 1, 0));
        let due = std::mem::replace(&mut inner.waiting, later);
        due.into_values()
            .filter(|due| !due.is_closed())
            .map(|due| due.send(()).is_ok())
            .filter(|told| *told)
            .count()
    }
}
