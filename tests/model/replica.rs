//! What one process knows.

use crate::database::{Answer, Flaw, Id, Incarnation, Number, Operation};

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Replica {
    /// Which incarnation it believes to be.
    pub incarnation: Incarnation,
    pub step: Step,
    /// What happened, and has to be written, in this order.
    pub notes: Vec<Operation>,
    /// The highest number that it has heard of, where that counts.
    pub memory: Number,
}

/// What its one worker is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    Idle,
    /// The follow-up has the entry, and is about to ask for a number.
    Ready {
        worker: Worker,
    },
    /// It has asked for a number, and the answer was lost.
    Unheard {
        worker: Worker,
        id: Id,
    },
    /// It has a number, and not a byte is out.
    Numbered {
        worker: Worker,
        id: Id,
        number: Number,
    },
    /// The upstream has it.
    Sending {
        worker: Worker,
        id: Id,
        number: Number,
    },
}

/// Who works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Worker {
    /// Under which incarnation.
    pub by: Incarnation,
    /// Whether it has the entry's lease.
    pub leased: bool,
    /// Whether nobody else may send meanwhile.
    pub alone: bool,
}

impl Step {
    /// Who is at it.
    pub const fn worker(self) -> Option<Worker> {
        match self {
            Self::Idle => None,
            Self::Ready { worker } | Self::Unheard { worker, .. } => Some(worker),
            Self::Numbered { worker, .. } | Self::Sending { worker, .. } => Some(worker),
        }
    }

    /// Which operation it began by, or is beginning by.
    pub const fn began(self) -> Option<Id> {
        match self {
            Self::Unheard { id, .. } | Self::Numbered { id, .. } | Self::Sending { id, .. } => Some(id),
            Self::Idle | Self::Ready { .. } => None,
        }
    }
}

impl Replica {
    pub const fn new(incarnation: Incarnation) -> Self {
        Self { incarnation, step: Step::Idle, notes: Vec::new(), memory: 0 }
    }

    /// The worker hears whether it may send.
    pub fn hears(&mut self, worker: Worker, id: Id, answer: Answer, flaw: Option<Flaw>) {
        if let Answer::Number(number) = answer {
            if flaw == Some(Flaw::NumberFromMemory) {
                self.memory = self.memory.max(number);
            }
            self.step = Step::Numbered { worker, id, number };
            return;
        }
        self.step = Step::Idle;
        if worker.leased && answer != Answer::Lost {
            self.notes.push(Operation::GiveBack { by: worker.by, id: None });
        }
    }

    /// Its worker breaks off, and what it had, or may yet get by this operation, is given back.
    pub fn breaks_off(&mut self, worker: Worker, id: Option<Id>) {
        self.notes.push(Operation::GiveBack { by: worker.by, id });
        self.step = Step::Idle;
    }
}
