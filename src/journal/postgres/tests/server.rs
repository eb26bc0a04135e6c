//! A PostgreSQL for the journal's tests: a server that is started when it is first wanted and goes with the test binary, and in
//! it a schema of its own for each test.

#[allow(unreachable_pub, reason = "test binaries include it too")]
#[path = "../../../../tests/support/databases.rs"]
mod databases;

use crate::domain::secret::Secret;
use crate::journal::database::DatabaseTls;
use crate::journal::{DatabaseSettings, shown};
use databases::Postgres;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The owner of a journal.
const USER: &str = "tollgate";

/// The settings of a journal in a schema that no other test has, which is not there yet; `None` if databases are to be skipped.
pub(in crate::journal) fn settings() -> Option<DatabaseSettings> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = server()?;
    let schema = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let url = format!("postgres://{USER}:secret@127.0.0.1:{}/shop", server.port);
    Some(DatabaseSettings {
        shown: shown(&url).unwrap(),
        url: Secret::new(url),
        password: None,
        tls: DatabaseTls::default(),
        schema,
        replica: "one".to_owned(),
        lease: Duration::from_secs(15),
        timeout: Duration::from_secs(5),
        pool: 8,
        migrate: true,
    })
}

/// Runs statements as the administrator, and tells what they print.
pub(in crate::journal) fn run(sql: &str) -> String {
    server().unwrap().run(sql)
}

fn server() -> Option<&'static Postgres> {
    static PREPARED: std::sync::Once = std::sync::Once::new();
    let server = Postgres::shared()?;
    PREPARED.call_once(|| {
        server.run(&format!("CREATE USER {USER} PASSWORD 'secret'; GRANT CREATE ON DATABASE shop TO {USER}"));
    });
    Some(server)
}
