//! Lines and tablets put on, put off, broken and made whole again.

use super::super::line::Connection;
use super::{Event, World};
use neonpro_client_core::Happening;

impl World {
    pub fn go_online(&mut self, tablet: usize) {
        self.tablets[tablet].online = true;
        self.tell(tablet, Happening::GoOnline);
    }

    pub fn go_offline(&mut self, tablet: usize) {
        self.tablets[tablet].online = false;
        self.tell(tablet, Happening::GoOffline);
    }

    /// The faults end: lines are whole, the server is up, everybody is online. What is late arrives now.
    pub fn heal(&mut self) {
        if self.node.state().is_none() {
            self.server_up();
        }
        for tablet in &mut self.tablets {
            tablet.up_open_us = 0;
            tablet.down_open_us = 0;
            tablet.latency_us = tablet.latency_us.min(100_000);
        }
        // A line that only seems to be there, or has been stuck for long, is found broken at last.
        let soon_us = self.now_us + 20_000_000;
        let is_broken = |line: &Connection| {
            line.deaf_server || line.deaf_tablet || line.last_up_us.max(line.last_down_us) > soon_us
        };
        let broken: Vec<u64> =
            self.connections.iter().filter(|(_, line)| is_broken(line)).map(|(id, _)| *id).collect();
        for id in broken {
            self.cut(id);
        }
        for tablet in 0..self.tablets.len() {
            super::super::acts::updated(self, tablet);
            self.go_online(tablet);
        }
        if self.stall.is_on {
            self.schedule(0, Event::StallOver);
        }
    }

    /// The app starts again: its line is gone, or (a power loss) only seems to be there.
    pub fn lose_line(&mut self, tablet: usize, silently: bool) {
        let Some(id) = self.tablets[tablet].connection.take() else { return };
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if silently {
            connection.deaf_server = true;
            connection.deaf_tablet = true;
        } else {
            connection.hang_up();
        }
    }
}
