//! What the database has of one order, and what its statements do. Each is one transaction.

/// One stay of a replica on the list of the living.
pub type Incarnation = u8;

/// What marks an operation, so that twice is once.
pub type Id = u8;

/// The number of an attempt.
pub type Number = u8;

/// How many operations can begin something.
const MOST_IDS: usize = 16;

/// Small numbers, as bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Few(u32);

impl Few {
    pub const fn up_to(count: u8) -> Self {
        Self((1 << count) - 1)
    }

    pub const fn has(self, number: u8) -> bool {
        self.0 & 1 << number != 0
    }

    /// Whether it was not there.
    pub const fn add(&mut self, number: u8) -> bool {
        let before = self.0;
        self.0 |= 1 << number;
        self.0 != before
    }

    pub const fn remove(&mut self, number: u8) {
        self.0 &= !(1 << number);
    }

    /// The highest, or 0.
    pub fn highest(self) -> u8 {
        self.0.checked_ilog2().map_or(0, |bit| bit.try_into().unwrap())
    }

    pub fn all(self) -> impl Iterator<Item = u8> {
        (0..32).filter(move |&number| self.has(number))
    }
}

/// A rule that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Who is not alive, or has lost the entry, gets numbers all the same.
    NoFence,
    /// Nobody waits for another.
    NoTurns,
    /// A replica counts on from the highest number that it has heard of.
    NumberFromMemory,
    /// An acceptance counts only from who has the entry.
    AcceptanceFenced,
    /// Operations have no ids.
    NoOperationId,
    /// An operation is known only until the next one.
    OnlyLastOperation,
    /// Whoever ends an attempt gives back whatever turn its incarnation has.
    TurnsWithoutNames,
    /// Who has a turn takes it again.
    OwnTurnTaken,
    /// A replica never looks for what it holds without knowing it.
    NobodyLooks,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    Accepted,
    Failed,
    /// Not a byte was sent.
    Unreachable,
}

/// A transaction on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// The follow-up wants the entry.
    Claim { by: Incarnation },
    /// Somebody wants a number.
    Begin { by: Incarnation, id: Id, leased: bool, alone: bool, memory: Number },
    /// An attempt has ended, which that operation began.
    Ended { by: Incarnation, id: Id, number: Number, outcome: Outcome },
    /// Nothing more is heard of what that operation began, and the entry is let go of.
    GiveBack { by: Incarnation, id: Option<Id> },
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answer {
    /// The entry is whose that asked.
    Yours,
    Number(Number),
    Accepted,
    Busy,
    /// Who asked is not alive, or does not have the entry.
    Lost,
    /// Nothing that anybody waits for.
    Done,
}

/// The rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Database {
    pub alive: Few,
    pub holder: Option<Incarnation>,
    /// Who sends, by the operation that began it.
    pub turn: Option<(Incarnation, Id)>,
    pub accepted: bool,
    /// The highest number that was given.
    pub attempts: Number,
    pub last: Option<Id>,
    /// Which operation got which number; 0 is none.
    pub begun: [Number; MOST_IDS],
}

impl Database {
    /// Whether somebody who lives has the entry or its turn.
    pub fn is_held(&self) -> bool {
        let turn = self.turn.map(|(sender, _)| sender);
        self.lives(self.holder) || self.lives(turn)
    }

    fn lives(&self, who: Option<Incarnation>) -> bool {
        who.is_some_and(|who| self.alive.has(who))
    }

    /// Commits it.
    pub fn execute(&mut self, operation: Operation, flaw: Option<Flaw>) -> Answer {
        match operation {
            Operation::Claim { by } => self.claim(by),
            Operation::Begin { by, id, leased, alone, memory } => self.begin(by, id, (leased, alone), memory, flaw),
            Operation::Ended { by, id, number, outcome } => self.ended(by, id, number, outcome, flaw),
            Operation::GiveBack { by, id } => self.give_back(by, id, flaw),
        }
    }

    fn claim(&mut self, by: Incarnation) -> Answer {
        if self.accepted || !self.lives(Some(by)) || self.lives(self.holder) {
            return Answer::Lost;
        }
        self.holder = Some(by);
        Answer::Yours
    }

    fn begin(
        &mut self,
        by: Incarnation,
        id: Id,
        (leased, alone): (bool, bool),
        memory: Number,
        flaw: Option<Flaw>,
    ) -> Answer {
        if let Some(number) = self.known(id, flaw) {
            return Answer::Number(number);
        }
        if self.accepted && alone {
            return Answer::Accepted;
        }
        if flaw != Some(Flaw::NoFence) && (!self.lives(Some(by)) || leased && self.holder != Some(by)) {
            return Answer::Lost;
        }
        // Its own turn too: what it knows of is ended before it begins anew, so this is one that it does not know of.
        let turn =
            self.turn.map(|(sender, _)| sender).filter(|&sender| sender != by || flaw != Some(Flaw::OwnTurnTaken));
        if alone && flaw != Some(Flaw::NoTurns) && self.lives(turn) {
            return Answer::Busy;
        }
        let before = if flaw == Some(Flaw::NumberFromMemory) { memory } else { self.attempts };
        self.attempts = self.attempts.max(before + 1);
        self.last = Some(id);
        self.begun[usize::from(id)] = before + 1;
        if alone {
            self.turn = Some((by, id));
        }
        Answer::Number(before + 1)
    }

    /// The number that this operation got before.
    fn known(&self, id: Id, flaw: Option<Flaw>) -> Option<Number> {
        match flaw {
            Some(Flaw::NoOperationId) => None,
            Some(Flaw::OnlyLastOperation) if self.last != Some(id) => None,
            _ => Some(self.begun[usize::from(id)]).filter(|&number| number > 0),
        }
    }

    fn ended(&mut self, by: Incarnation, id: Id, number: Number, outcome: Outcome, flaw: Option<Flaw>) -> Answer {
        let fenced = flaw == Some(Flaw::AcceptanceFenced) && self.lives(self.holder) && self.holder != Some(by);
        if outcome == Outcome::Accepted && !fenced {
            self.accepted = true;
            self.holder = None;
        }
        let is_that = self.last == Some(id) || flaw == Some(Flaw::NoOperationId);
        if outcome == Outcome::Unreachable && is_that && self.attempts == number {
            self.attempts -= 1;
            self.last = None;
            // An attempt that nobody saw has no line, and its operation is not done again: its sender has said how it ended.
            self.begun[usize::from(id)] = 0;
        }
        self.give_back(by, Some(id), flaw)
    }

    fn give_back(&mut self, by: Incarnation, id: Option<Id>, flaw: Option<Flaw>) -> Answer {
        if self.holder == Some(by) {
            self.holder = None;
        }
        if let Some((sender, of)) = self.turn {
            let named = Some(of) == id || flaw == Some(Flaw::TurnsWithoutNames);
            if sender == by && named {
                self.turn = None;
            }
        }
        Answer::Done
    }

    /// A replica looks for what the table says it has and it does not know of.
    pub fn look(&mut self, me: Incarnation, holds: bool, sends: bool) -> bool {
        let (holder, turn) = (self.holder, self.turn);
        self.holder = holder.filter(|&holder| holder != me || holds);
        self.turn = turn.filter(|&(sender, _)| sender != me || sends);
        (self.holder, self.turn) != (holder, turn)
    }
}
