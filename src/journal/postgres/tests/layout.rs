//! What a database must have before a gate works on it, and what is said where it has not.

use super::{Postgres, server};
use crate::domain::secret::Secret;
use crate::journal::{self, DatabaseProblem, DatabaseSettings, OpenError, Place, Settings};
use crate::observe::metrics::JournalMeters;

fn settings() -> Option<DatabaseSettings> {
    server::settings()
}

fn ask(settings: &DatabaseSettings, sql: &str) -> String {
    server::run(&sql.replace('~', &format!("{}.", settings.schema)))
}

async fn problem(settings: &DatabaseSettings) -> Option<DatabaseProblem> {
    match Postgres::open(settings, 100.into(), JournalMeters::default()).await {
        Ok(_) => None,
        Err(OpenError::Database { problem, database }) => {
            let text = format!("{database} {problem}");
            assert!(!text.contains("secret") && !text.contains('\n'), "{text}");
            Some(problem)
        }
        Err(error) => panic!("{error}"),
    }
}

fn with_url(settings: &DatabaseSettings, change: impl Fn(&str) -> String) -> DatabaseSettings {
    DatabaseSettings { url: Secret::new(change(settings.url.expose())), ..settings.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_is_to_be_done() {
    let Some(settings) = settings() else { return };
    let wrong = with_url(&settings, |url| url.replace(":secret@", ":wrong@"));
    let login = problem(&wrong).await;
    // A server that trusts everybody asks for no password.
    assert!(login.is_none() || matches!(login, Some(DatabaseProblem::Login { .. })), "{login:?}");
    let elsewhere = with_url(&settings, |url| url.replace("/shop", "/nowhere"));
    assert!(matches!(problem(&elsewhere).await, Some(DatabaseProblem::NoDatabase { .. })));
    let encrypted = with_url(&settings, |url| format!("{url}?sslmode=verify-full"));
    assert!(matches!(problem(&encrypted).await, Some(DatabaseProblem::NoTls { .. })));
    let unread = DatabaseSettings { url: Secret::new(String::new()), ..settings.clone() };
    assert_eq!(problem(&unread).await, Some(DatabaseProblem::Unread));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_missing_foreign_or_newer_are_told_apart() {
    let Some(settings) = settings() else { return };
    let never = DatabaseSettings { migrate: false, ..settings.clone() };
    assert!(matches!(problem(&never).await, Some(DatabaseProblem::Absent { .. })));
    ask(&settings, &format!("CREATE SCHEMA {} AUTHORIZATION tollgate; CREATE TABLE ~entry (a int)", settings.schema));
    assert!(matches!(problem(&settings).await, Some(DatabaseProblem::Foreign { .. })));
    ask(&settings, "DROP TABLE ~entry; CREATE TABLE ~meta (a int); GRANT SELECT ON ~meta TO tollgate");
    assert!(matches!(problem(&settings).await, Some(DatabaseProblem::Foreign { .. })));
    ask(&settings, "DROP TABLE ~meta");
    assert_eq!(problem(&settings).await, None);
    // A release later, whose tables this program still works with; and one with which it does not.
    ask(&settings, "UPDATE ~meta SET layout = 2");
    assert_eq!(problem(&never).await, None);
    ask(&settings, "UPDATE ~meta SET works_with = 2");
    assert_eq!(problem(&settings).await, Some(DatabaseProblem::Newer { layout: 2, works_with: 2, known: 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_make_tables_works_on_those_that_are_there_and_misses_a_right_by_name() {
    let Some(settings) = settings() else { return };
    let user = format!("worker_{}", settings.schema);
    ask(&settings, &format!("CREATE USER {user} PASSWORD 'secret'"));
    let worker = with_url(&settings, |url| url.replace("tollgate:", &format!("{user}:")));
    assert!(matches!(problem(&worker).await, Some(DatabaseProblem::NoRight { .. })));
    assert_eq!(problem(&settings).await, None);
    let grants = format!(
        "GRANT USAGE ON SCHEMA {} TO {user}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {user}",
        settings.schema, settings.schema
    );
    ask(&settings, &grants);
    assert_eq!(problem(&worker).await, None);
    ask(&settings, &format!("REVOKE UPDATE ON ~delivery FROM {user}"));
    let Some(DatabaseProblem::NoRight { said }) = problem(&worker).await else { panic!("it may all") };
    assert_eq!(said, format!("it lacks UPDATE on {}.delivery", settings.schema));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_statements_are_those_that_are_run() {
    let (Some(settings), Some(by_hand)) = (settings(), settings()) else { return };
    let never = DatabaseSettings { migrate: false, ..by_hand.clone() };
    let sql = journal::migration(&never).await.unwrap();
    ask(&by_hand, &format!("SET ROLE tollgate; {sql}"));
    assert_eq!(problem(&never).await, None);
    assert_eq!(journal::migration(&never).await.unwrap(), "");
    let migrated = journal::migrate(&settings).await.unwrap();
    assert_eq!((migrated.from, migrated.layout, migrated.works_with), (Some(0), 1, 1));
    assert_eq!(journal::migrate(&settings).await.unwrap().from, None);
    let columns = |settings: &DatabaseSettings| {
        ask(
            settings,
            &format!(
                "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = \
                 '{}' ORDER BY 1, 2",
                settings.schema
            ),
        )
    };
    assert_eq!(columns(&settings), columns(&by_hand));
    assert!(!journal::finish(&settings).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_of_another_version_keeps_older_tables_from_being_ended() {
    let Some(settings) = settings() else { return };
    let opened = super::open(&settings, 100.into());
    assert!(!journal::finish(&settings).await.unwrap());
    ask(&settings, "UPDATE ~replica SET version = '0.0.9'");
    let Err(OpenError::Database { problem, .. }) = journal::finish(&settings).await else { panic!("it was ended") };
    assert_eq!(problem, DatabaseProblem::OtherVersion { replica: "one".to_owned(), version: "0.0.9".to_owned() });
    drop(opened);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_a_start_is_said_what_the_database_is_like_and_whether_a_gate_works_on_it() {
    let Some(settings) = settings() else { return };
    let of_journal = Settings { place: Place::Database(Box::new(settings.clone())), room: 100.into() };
    let (trouble, facts) = journal::look(&of_journal).await;
    assert_eq!((trouble, facts.unwrap().layout), (None, None));
    assert!(journal::is_worked_on(&of_journal).await.is_err());
    let opened = super::open(&settings, 100.into());
    let (trouble, facts) = journal::look(&of_journal).await;
    let facts = facts.unwrap();
    assert_eq!((trouble, facts.layout, facts.synchronous_commit.as_str()), (None, Some(1), "on"));
    assert!(facts.clock_skew_ms.abs() < 60_000 && facts.version.starts_with(|char: char| char.is_ascii_digit()));
    assert!(journal::is_worked_on(&of_journal).await.unwrap());
    crate::journal::Shared::leave(&*opened).await.unwrap();
    assert!(!journal::is_worked_on(&of_journal).await.unwrap());
}
