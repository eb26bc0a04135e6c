//! Why a database is no journal for this process.

/// What is wrong, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseProblem {
    /// The URL or the password is not there.
    #[error("of journal.url or journal.password is not set, or its file cannot be read: set it, and try again")]
    Unread,
    /// It does not let this user in.
    #[error(
        "refuses this user: {said}: set the user in journal.url and the password in journal.password, and look at the \
         server's pg_hba.conf"
    )]
    Login {
        /// What it said.
        said: String,
    },
    /// There is no such database.
    #[error("is not there: {said}: create it, or name another in journal.url")]
    NoDatabase {
        /// What the server said.
        said: String,
    },
    /// The user lacks a right.
    #[error(
        "does not let this user: {said}: grant it (docs/replicas.md, \"Rights\"), or make the tables with `tollgate journal \
         migrate` as a user who may"
    )]
    NoRight {
        /// What the server said.
        said: String,
    },
    /// There is no TLS, or none that can be trusted.
    #[error(
        "cannot be reached over TLS: {said}: name the authority in journal.tls.ca, correct the server's certificate, or say in \
         journal.url with sslmode how it is to be reached"
    )]
    NoTls {
        /// What is wrong.
        said: String,
    },
    /// There are no tables.
    #[error(
        "has no journal in the schema {schema}: run `tollgate journal migrate`, or start a gate with journal.migrate: auto"
    )]
    Absent {
        /// Where it was looked for.
        schema: String,
    },
    /// Its layout has to be led here first.
    #[error(
        "has the older layout {layout}, and this program needs {known}: run `tollgate journal migrate`, or start a gate with \
         journal.migrate: auto"
    )]
    Older {
        /// Its layout.
        layout: usize,
        /// The one that is needed.
        known: usize,
    },
    /// From a newer program, which works with none as old as this.
    #[error(
        "has layout {layout}, which works with programs of layout {works_with} and later, and this one is of {known}: run a \
         newer tollgate"
    )]
    Newer {
        /// Its layout.
        layout: usize,
        /// The oldest one that works with it.
        works_with: usize,
        /// The one that this program knows.
        known: usize,
    },
    /// Something else than a journal.
    #[error(
        "has something else than a journal of tollgate in the schema {schema}: name another in journal.schema, or restore a \
         backup"
    )]
    Foreign {
        /// The schema.
        schema: String,
    },
    /// A replica of another version works on it, which could not go on.
    #[error("is worked on by the replica {replica} of version {version}: replace it first, then finish")]
    OtherVersion {
        /// Its name.
        replica: String,
        /// Its version.
        version: String,
    },
    /// It does not answer.
    #[error("does not answer: {said}")]
    Away {
        /// What is known of why.
        said: String,
    },
    /// It answers something that cannot be helped here.
    #[error("cannot be worked with: {said}")]
    Other {
        /// What it said.
        said: String,
    },
}
