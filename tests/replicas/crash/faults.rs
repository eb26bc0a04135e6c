//! What breaks, one after another.

use super::GATES;
use super::load::Senders;
use crate::fleet::Fleet;
use std::fmt;
use std::thread;
use std::time::Duration;

/// How often each was.
#[derive(Debug, Default)]
pub struct Faults {
    killed: usize,
    slept: usize,
    cut: usize,
    frozen: usize,
    silent: usize,
    crashed: usize,
}

impl Faults {
    /// One more, somewhere in the request flow.
    pub fn one(&mut self, fleet: &mut Fleet, senders: &Senders, random: &mut fastrand::Rng) {
        thread::sleep(Duration::from_micros(random.u64(0..30_000)));
        let gate = random.usize(0..GATES);
        match random.u8(0..12) {
            0..4 => {
                self.killed += 1;
                fleet.kills(gate);
                // Often the others have to take over before it is back.
                thread::sleep(Duration::from_millis(random.u64(0..1500)));
                fleet.starts(gate);
                senders.go_on(gate, fleet);
            }
            4..6 => {
                self.slept += 1;
                fleet.puts_to_sleep(gate);
                thread::sleep(Duration::from_millis(random.u64(2200..3200)));
                fleet.wakes(gate);
            }
            6..8 => {
                self.cut += 1;
                fleet.proxies[gate].cuts();
            }
            8 => {
                self.frozen += 1;
                fleet.proxies[gate].freezes();
            }
            9 => {
                self.silent += 1;
                fleet.proxies[gate].is_silent(true);
                thread::sleep(Duration::from_millis(random.u64(200..2500)));
                fleet.proxies[gate].is_silent(false);
            }
            _ => {
                self.crashed += 1;
                fleet.server().crashes();
                thread::sleep(Duration::from_millis(random.u64(0..1000)));
                fleet.server().starts();
            }
        }
    }

    /// Nothing breaks any more; each gate is killed once more, so that nothing rests in a memory.
    pub fn mends(&mut self, fleet: &mut Fleet, senders: &Senders) {
        for gate in 0..GATES {
            fleet.kills(gate);
            fleet.starts(gate);
            senders.go_on(gate, fleet);
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { killed, slept, cut, frozen, silent, crashed } = self;
        let all = killed + slept + cut + frozen + silent + crashed;
        write!(
            f,
            "{all} faults ({killed} kill -9, {slept} sleeps past the lease, {cut} cuts, {frozen} half-open, {silent} silences, \
             {crashed} crashes of the database)"
        )
    }
}
