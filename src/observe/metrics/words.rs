//! What labels say of signatures and of the keys that make them.

/// What a signature stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum On {
    /// An answer to a question of the gate's.
    Answer,
    /// A notification.
    Notification,
}

impl On {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Answer, Self::Notification];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Notification => "notification",
        }
    }
}

/// What a download of platform certificates came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Download {
    /// Certificates, one of which was not known.
    New,
    /// Those that were known.
    Unchanged,
    /// WeChat Pay has none for the merchant.
    None,
    /// It failed, or what came is not to be believed.
    Failed,
}

impl Download {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::New, Self::Unchanged, Self::None, Self::Failed];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Unchanged => "unchanged",
            Self::None => "none",
            Self::Failed => "failed",
        }
    }
}
