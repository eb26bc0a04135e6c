//! How an entry stands, what brought it, and where it goes on.

use std::fmt;
use std::time::Duration;

/// How an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Not decided: WeChat Pay is asked again.
    Asking,
    /// Confirmed as paid, and not accepted by the upstream yet: it is sent again.
    Delivering,
    /// The upstream took it.
    Accepted,
    /// A person has to decide.
    Parked,
    /// Nothing will come of it: unpaid, or the claim is wrong.
    Closed,
}

impl State {
    /// Every state, in the order of an entry's life.
    pub const ALL: [Self; 5] = [Self::Asking, Self::Delivering, Self::Accepted, Self::Parked, Self::Closed];

    /// The word in the file, in commands and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Delivering => "delivering",
            Self::Accepted => "accepted",
            Self::Parked => "parked",
            Self::Closed => "closed",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What brought a callback to the upstream (`X-Tollgate-Origin`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A callback that waits for the answer.
    Callback,
    /// The follow-up, after the callback was answered.
    FollowUp,
    /// WeChat Pay's bill; there was no callback.
    Sweep,
    /// A source of pending orders; there was no callback.
    Pending,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Callback, Self::FollowUp, Self::Sweep, Self::Pending];

    /// The word in the header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::FollowUp => "follow-up",
            Self::Sweep => "sweep",
            Self::Pending => "pending",
        }
    }

    /// The origin of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == name)
    }

    /// Whether the order was found without a callback.
    #[must_use]
    pub const fn is_found(self) -> bool {
        matches!(self, Self::Sweep | Self::Pending)
    }
}

/// Where an entry goes on from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// It is asked about again.
    Ask {
        /// In how long.
        again_in: Duration,
        /// How often it was asked about by the follow-up.
        retries: u32,
    },
    /// It is sent again.
    Deliver {
        /// In how long.
        again_in: Duration,
        /// How often it was sent by the follow-up.
        retries: u32,
    },
    /// It is done.
    Accepted,
    /// A person decides.
    Park,
    /// Nothing comes of it.
    Close,
}

impl Transition {
    /// The state this leads to.
    #[must_use]
    pub const fn state(self) -> State {
        match self {
            Self::Ask { .. } => State::Asking,
            Self::Deliver { .. } => State::Delivering,
            Self::Accepted => State::Accepted,
            Self::Park => State::Parked,
            Self::Close => State::Closed,
        }
    }

    /// In how long it is due, and after how many retries.
    #[must_use]
    pub const fn due(self) -> Option<(Duration, u32)> {
        match self {
            Self::Ask { again_in, retries } | Self::Deliver { again_in, retries } => Some((again_in, retries)),
            Self::Accepted | Self::Park | Self::Close => None,
        }
    }
}
