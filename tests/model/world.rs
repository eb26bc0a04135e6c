//! The database, the replicas, the upstream, and what is on its way between them.

use crate::database::{Answer, Database, Few, Flaw, Id, Incarnation, Number, Operation, Outcome};
use crate::replica::{Replica, Step, Worker};
use crate::{ACCEPTANCES, AT_ONCE, GAPS, NUMBERS, RISING, SLEEPERS};
use stateright::{Model, Property};
use std::collections::BTreeSet;

/// Where exploring stops. Numbers cost faults, so a test sees that this cuts nothing off.
pub const MOST_ATTEMPTS: Number = 9;

/// What is explored.
#[derive(Debug, Clone, Copy)]
pub struct Gates {
    pub replicas: u8,
    /// How many callbacks arrive while the follow-ups work.
    pub callbacks: u8,
    /// Whether callbacks take turns: `duplicates: absorb`.
    pub alone: bool,
    /// How many faults there are.
    pub faults: u8,
    pub flaw: Option<Flaw>,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub database: Database,
    pub replicas: Vec<Replica>,
    /// Given up by who sent it, or a copy: executed some time, or never.
    pub late: BTreeSet<Operation>,
    pub upstream: Upstream,
    pub callbacks: u8,
    pub faults: u8,
    /// How often nobody knows what became of a number.
    pub unknown: u8,
}

/// What the upstream saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Upstream {
    numbers: Few,
    twice: bool,
    /// One that lived sent under a number below one that was seen.
    falling: bool,
    /// A gate heard that it was accepted.
    heard: bool,
    /// Who heard it died before it was noted.
    forgotten: bool,
    /// Those that sent when they were not alive any more.
    slept: Few,
    slept_and_sent_twice: bool,
}

/// What can happen next. A number is a replica's. What a replica does between two of these concerns nobody else, and an answer
/// is heard at once or lost: whatever comes between, the next step may wait as long as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The follow-up gets the entry.
    Claims(usize),
    /// Somebody who has the entry asks for a number, or asks again.
    Begins(usize),
    /// A callback of the same claim asks for a number.
    Callback(usize),
    Sends(usize),
    Accepts(usize),
    /// What happened is committed, and that is heard.
    Notes(usize),
    /// It looks at its lease, is not alive any more, and comes back as a new incarnation.
    Wakes(usize),
    /// It looks for what it holds without knowing it.
    Looks(usize),
    /// What came late is committed.
    Arrives(Operation),
    /// The lease of an incarnation is over that nobody is any more.
    Ends(Incarnation),
    Fault(Fault),
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A replica is paused, or cut off, for longer than its lease.
    Sleeps(usize),
    Dies(usize),
    /// It asks for the entry and waits no longer; that may still be committed.
    ClaimGivenUp(usize),
    /// Who has the entry asks for a number, or asks again; that is committed, and the answer is lost.
    AnswerLost(usize),
    /// The same for a callback.
    CallbackUnheard(usize),
    /// It asks for a number and waits no longer; that may still be committed.
    GivenUp(usize),
    /// It has a number, and does not send.
    BreaksOff(usize),
    /// The upstream cannot be connected.
    Unreachable(usize),
    /// The upstream refuses, or acts and says nothing.
    Fails(usize),
    /// What is noted is on its way twice.
    Copied(usize),
}

impl World {
    /// An id that nothing speaks of, which stands for one that was never used.
    fn unused(&self) -> Id {
        let of = |operation: &Operation| match *operation {
            Operation::Begin { id, .. } | Operation::Ended { id, .. } => Some(id),
            Operation::GiveBack { id, .. } => id,
            Operation::Claim { .. } => None,
        };
        let mut used = Few::default();
        let notes = self.replicas.iter().flat_map(|replica| replica.notes.iter());
        self.late.iter().chain(notes).filter_map(of).for_each(|id| _ = used.add(id));
        self.replicas.iter().filter_map(|replica| replica.step.began()).for_each(|id| _ = used.add(id));
        let unknown = |id: &Id| self.database.begun[usize::from(*id)] == 0;
        (0..).find(|id| unknown(id) && !used.has(*id)).unwrap()
    }

    fn rejoins(&mut self, replica: usize, gates: &Gates) {
        let next = self.replicas[replica].incarnation + gates.replicas;
        self.replicas[replica].incarnation = next;
        self.database.alive.add(next);
    }

    /// Who wants a number there, and by which operation.
    fn beginning(&self, replica: usize, gates: &Gates) -> (Worker, Id) {
        let this = &self.replicas[replica];
        let callback = Worker { by: this.incarnation, leased: false, alone: gates.alone };
        (this.step.worker().unwrap_or(callback), this.step.began().unwrap_or_else(|| self.unused()))
    }

    const fn begin(worker: Worker, id: Id, memory: Number) -> Operation {
        Operation::Begin { by: worker.by, id, leased: worker.leased, alone: worker.alone, memory }
    }

    /// Asks for a number; whether that is heard is another question.
    fn begins(&mut self, replica: usize, gates: &Gates) -> (Worker, Id, Answer) {
        let (worker, id) = self.beginning(replica, gates);
        let operation = Self::begin(worker, id, self.replicas[replica].memory);
        (worker, id, self.database.execute(operation, gates.flaw))
    }

    fn sends(&mut self, worker: Worker, number: Number) {
        let is_alive = self.database.alive.has(worker.by);
        let upstream = &mut self.upstream;
        upstream.twice |= !upstream.numbers.add(number);
        upstream.falling |= is_alive && worker.alone && upstream.numbers.highest() > number;
        if !is_alive {
            upstream.slept_and_sent_twice |= !upstream.slept.add(worker.by);
        }
    }

    /// An attempt has ended.
    fn ends(&mut self, replica: usize, outcome: Outcome) {
        let this = &mut self.replicas[replica];
        let (Step::Sending { worker, id, number } | Step::Numbered { worker, id, number }) = this.step else { return };
        this.step = Step::Idle;
        this.notes.push(Operation::Ended { by: worker.by, id, number, outcome });
        self.upstream.heard |= outcome == Outcome::Accepted;
    }

    fn dies(&mut self, replica: usize, gates: &Gates) {
        let this = &mut self.replicas[replica];
        let accepted = |note: &Operation| matches!(note, Operation::Ended { outcome: Outcome::Accepted, .. });
        self.upstream.forgotten |= this.notes.iter().any(accepted);
        self.unknown += u8::from(this.step.began().is_some());
        self.late.extend(this.notes.drain(..));
        this.step = Step::Idle;
        self.rejoins(replica, gates);
    }

    fn fault(&mut self, fault: Fault, gates: &Gates) {
        self.faults -= 1;
        match fault {
            Fault::Sleeps(replica) => self.database.alive.remove(self.replicas[replica].incarnation),
            Fault::Dies(replica) => self.dies(replica, gates),
            Fault::ClaimGivenUp(replica) => {
                let by = self.replicas[replica].incarnation;
                self.late.insert(Operation::Claim { by });
                self.replicas[replica].breaks_off(Worker { by, leased: true, alone: true }, None);
            }
            Fault::AnswerLost(replica) | Fault::CallbackUnheard(replica) => {
                self.callbacks -= u8::from(matches!(fault, Fault::CallbackUnheard(_)));
                let (worker, id, _) = self.begins(replica, gates);
                self.replicas[replica].step = Step::Unheard { worker, id };
            }
            Fault::GivenUp(replica) => {
                let (worker, id) = self.beginning(replica, gates);
                self.late.insert(Self::begin(worker, id, self.replicas[replica].memory));
                self.unknown += 1;
                self.replicas[replica].breaks_off(worker, Some(id));
            }
            Fault::BreaksOff(replica) => {
                self.unknown += 1;
                let step = self.replicas[replica].step;
                if let Some(worker) = step.worker() {
                    self.replicas[replica].breaks_off(worker, step.began());
                }
            }
            Fault::Unreachable(replica) => {
                // It is not given back if it is not the highest any more.
                self.unknown += 1;
                self.ends(replica, Outcome::Unreachable);
            }
            Fault::Fails(replica) => self.ends(replica, Outcome::Failed),
            Fault::Copied(replica) => self.late.extend(self.replicas[replica].notes.first().copied()),
        }
    }

    fn does(&mut self, action: Action, gates: &Gates) {
        match action {
            Action::Claims(replica) => {
                let by = self.replicas[replica].incarnation;
                if self.database.execute(Operation::Claim { by }, gates.flaw) == Answer::Yours {
                    self.replicas[replica].step = Step::Ready { worker: Worker { by, leased: true, alone: true } };
                }
            }
            Action::Begins(replica) | Action::Callback(replica) => {
                self.callbacks -= u8::from(matches!(action, Action::Callback(_)));
                let (worker, id, answer) = self.begins(replica, gates);
                self.replicas[replica].hears(worker, id, answer, gates.flaw);
            }
            Action::Sends(replica) => {
                let Step::Numbered { worker, id, number } = self.replicas[replica].step else { return };
                self.replicas[replica].step = Step::Sending { worker, id, number };
                self.sends(worker, number);
            }
            Action::Accepts(replica) => self.ends(replica, Outcome::Accepted),
            Action::Notes(replica) => {
                let note = self.replicas[replica].notes.remove(0);
                self.database.execute(note, gates.flaw);
            }
            Action::Wakes(replica) => {
                if matches!(self.replicas[replica].step, Step::Ready { .. }) {
                    self.replicas[replica].step = Step::Idle;
                }
                self.rejoins(replica, gates);
            }
            Action::Looks(replica) => {
                let Replica { incarnation, step, .. } = self.replicas[replica];
                let holds = step.worker().is_some_and(|worker| worker.leased);
                self.database.look(incarnation, holds, step.began().is_some());
            }
            Action::Arrives(operation) => {
                self.late.remove(&operation);
                self.database.execute(operation, gates.flaw);
            }
            Action::Ends(incarnation) => self.database.alive.remove(incarnation),
            Action::Fault(fault) => self.fault(fault, gates),
        }
    }

    fn senders(&self) -> impl Iterator<Item = (Worker, Number)> {
        self.replicas.iter().filter_map(|replica| match replica.step {
            Step::Sending { worker, number, .. } => Some((worker, number)),
            _ => None,
        })
    }

    /// Those that live and send alone.
    fn alone(&self) -> usize {
        let lives = |worker: &Worker| worker.alone && self.database.alive.has(worker.by);
        self.senders().filter(|(worker, _)| lives(worker)).count()
    }

    fn is_noted_or_will_be(&self) -> bool {
        let accepted = |note: &Operation| matches!(note, Operation::Ended { outcome: Outcome::Accepted, .. });
        let noted = self.replicas.iter().flat_map(|replica| replica.notes.iter()).any(accepted);
        self.database.accepted || noted || self.upstream.forgotten
    }

    /// Numbers that were given, and that neither the upstream has seen nor anybody is about to send.
    fn gaps(&self) -> usize {
        let coming = self.replicas.iter().filter(|replica| replica.step.began().is_some());
        let unseen = (1..=self.database.attempts).filter(|number| !self.upstream.numbers.has(*number)).count();
        unseen.saturating_sub(coming.count())
    }
}

impl Model for Gates {
    type State = World;
    type Action = Action;

    /// The entry is there; nobody has it.
    fn init_states(&self) -> Vec<World> {
        let replicas: Vec<_> = (0..self.replicas).map(Replica::new).collect();
        let database = Database { alive: Few::up_to(self.replicas), ..Database::default() };
        let (callbacks, faults) = (self.callbacks, self.faults);
        let (late, upstream) = (BTreeSet::new(), Upstream::default());
        vec![World { database, replicas, late, upstream, callbacks, faults, unknown: 0 }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let (mut current, calls) = (Few::default(), world.callbacks > 0);
        for (index, replica) in world.replicas.iter().enumerate() {
            current.add(replica.incarnation);
            let lives = world.database.alive.has(replica.incarnation);
            match replica.step {
                Step::Idle => {
                    actions.push(Action::Claims(index));
                    actions.extend(calls.then_some(Action::Callback(index)));
                }
                Step::Ready { .. } | Step::Unheard { .. } => actions.push(Action::Begins(index)),
                Step::Numbered { .. } => actions.push(Action::Sends(index)),
                Step::Sending { .. } => actions.push(Action::Accepts(index)),
            }
            actions.extend((!replica.notes.is_empty()).then_some(Action::Notes(index)));
            actions.extend((!lives).then_some(Action::Wakes(index)));
            let looks = lives && replica.notes.is_empty() && self.flaw != Some(Flaw::NobodyLooks);
            actions.extend(looks.then_some(Action::Looks(index)));
            if world.faults > 0 {
                actions.extend(faults_of(index, replica, lives, calls).into_iter().map(Action::Fault));
            }
        }
        actions.extend(world.late.iter().map(|&operation| Action::Arrives(operation)));
        actions.extend(world.database.alive.all().filter(|&gone| !current.has(gone)).map(Action::Ends));
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.does(action, self);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NUMBERS, |_, world: &World| !world.upstream.twice),
            Property::always(ACCEPTANCES, |_, world: &World| !world.upstream.heard || world.is_noted_or_will_be()),
            Property::always(SLEEPERS, |_, world: &World| !world.upstream.slept_and_sent_twice),
            Property::always(AT_ONCE, |_, world: &World| world.alone() <= 1),
            Property::always(RISING, |gates: &Self, world: &World| !gates.alone || !world.upstream.falling),
            Property::always(GAPS, |_, world: &World| world.gaps() <= world.unknown.into()),
            Property::sometimes("an order is accepted", |_, world: &World| world.database.accepted),
            // That instant nobody can guard: docs/replicas.md says so.
            Property::sometimes("one that slept sends beside one that lives", |_, world: &World| {
                world.alone() == 1 && world.senders().count() == 2
            }),
        ]
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.database.attempts < MOST_ATTEMPTS
    }
}

fn faults_of(index: usize, replica: &Replica, lives: bool, calls: bool) -> Vec<Fault> {
    let mut faults = vec![Fault::Dies(index)];
    faults.extend(lives.then_some(Fault::Sleeps(index)));
    faults.extend((!replica.notes.is_empty()).then_some(Fault::Copied(index)));
    match replica.step {
        Step::Idle => {
            faults.push(Fault::ClaimGivenUp(index));
            faults.extend(calls.then_some(Fault::CallbackUnheard(index)));
        }
        Step::Ready { .. } | Step::Unheard { .. } => faults.extend([Fault::AnswerLost(index), Fault::GivenUp(index)]),
        Step::Numbered { .. } => faults.extend([Fault::BreaksOff(index), Fault::Unreachable(index)]),
        Step::Sending { .. } => faults.push(Fault::Fails(index)),
    }
    faults
}
