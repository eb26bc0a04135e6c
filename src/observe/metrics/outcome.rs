//! What had become of a callback when it was answered.

/// What had become of a callback when it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The upstream answered it, and its sender got that answer.
    Forwarded,
    /// It was turned away, and nothing more is done about it: unreadable, unpaid, contradicted; or nothing could be kept of it,
    /// so that it depends on its sender.
    Refused,
    /// It was turned away, and the follow-up goes on with it.
    Retrying,
    /// It was turned away, and a person has to decide.
    Parked,
    /// Its order was accepted before, and its sender got the answer of then.
    Absorbed,
}

impl Outcome {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Forwarded, Self::Refused, Self::Retrying, Self::Parked, Self::Absorbed];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Refused => "refused",
            Self::Retrying => "retrying",
            Self::Parked => "parked",
            Self::Absorbed => "absorbed",
        }
    }
}
