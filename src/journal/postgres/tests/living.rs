//! Who is on the list of the living, under which name, and what that means for what it holds.

use super::{Postgres, open, server};
use crate::domain::secret::Secret;
use crate::journal::{DatabaseSettings, Duty, JournalError, Myself, Replica, Shared};
use crate::observe::metrics::JournalMeters;
use futures_util::future::join_all;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

const SHORT: Duration = Duration::from_secs(2);

fn settings() -> Option<DatabaseSettings> {
    Some(DatabaseSettings { lease: SHORT, ..server::settings()? })
}

fn ask(settings: &DatabaseSettings, sql: &str) -> String {
    server::run(&sql.replace('~', &format!("{}.", settings.schema)))
}

/// Waits until something holds, for twenty seconds at most.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} did not come");
}

async fn names(journal: &Arc<Postgres>) -> Vec<String> {
    let live: Vec<Replica> = journal.replicas().await.unwrap();
    live.into_iter().filter(|replica| replica.live).map(|replica| replica.replica).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_that_begin_at_once_where_there_is_nothing_all_come_up() {
    let Some(settings) = settings() else { return };
    let opening = (0..6).map(|_| Postgres::open(&settings, 100.into(), JournalMeters::default()));
    let opened: Vec<_> = join_all(opening).await.into_iter().map(|opened| Arc::new(opened.unwrap())).collect();
    let ids: HashSet<_> = opened.iter().map(|one| one.incarnation.current().unwrap().id).collect();
    let slots: HashSet<_> = opened.iter().map(|one| one.incarnation.current().unwrap().slot).collect();
    assert_eq!((ids.len(), slots.len()), (6, 6));
    assert_eq!(ask(&settings, "SELECT layout, works_with, length(config_key) FROM ~meta"), "1|1|32");
    let all = ["one", "one-2", "one-3", "one-4", "one-5", "one-6"];
    until("names of their own", async || names(&opened[0]).await == all).await;
    until("what all know", async || opened.iter().all(|one| one.membership().live == 6)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_not_heard_of_for_too_long_begins_anew_and_has_nothing_that_it_had() {
    let Some(settings) = settings() else { return };
    let opened = open(&settings, 100.into());
    let before = opened.incarnation.current().unwrap().id;
    assert!(opened.duty(Duty::Sweep).await.unwrap());
    ask(&settings, "UPDATE ~replica SET alive_until = 0");
    until("another incarnation", async || opened.incarnation.current().is_some_and(|now| now.id != before)).await;
    let gone = ask(&settings, &format!("SELECT alive_until = 0 FROM ~replica WHERE incarnation = {before}"));
    assert!(gone == "t" || gone.is_empty(), "{gone}");
    assert_eq!(opened.census().duties, [("sweep".to_owned(), false)]);
    assert!(opened.duty(Duty::Sweep).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_not_trusted_when_the_database_is_not_heard_and_another_may_have_it() {
    let Some(settings) = settings() else { return };
    let opened = open(&settings, 100.into());
    assert!(opened.membership().lease_holds);
    // Whoever tries to renew it waits until that is given up.
    let blocked = settings.clone();
    let block = tokio::task::spawn_blocking(move || {
        ask(&blocked, "BEGIN; LOCK TABLE ~replica IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3); COMMIT")
    });
    until("a lease that ends", async || !opened.membership().lease_holds).await;
    assert_eq!(opened.duty(Duty::Sweep).await, Ok(false));
    block.await.unwrap();
    until("a lease", async || opened.membership().lease_holds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duty_is_one_replicas_until_it_leaves_or_does_not_ask_for_it_any_more() {
    let Some(settings) = settings() else { return };
    let (one, other) = (open(&settings, 100.into()), open(&settings, 100.into()));
    let source = || Duty::Source("shop".to_owned());
    assert!(one.duty(Duty::Sweep).await.unwrap() && one.duty(source()).await.unwrap());
    assert!(!other.duty(Duty::Sweep).await.unwrap());
    assert!(other.duty(Duty::Forget).await.unwrap());
    until("both duties on the list", async || {
        let all = one.replicas().await.unwrap();
        all.iter().any(|replica| replica.this && replica.duties == ["source:shop", "sweep"])
    })
    .await;
    // Asked for no more, it is given back; the other one asks for it all the time.
    until("a duty that was given back", async || {
        one.duty(source()).await.unwrap();
        other.duty(Duty::Sweep).await.unwrap()
    })
    .await;
    assert!(!one.duty(Duty::Sweep).await.unwrap());
    one.leave().await.unwrap();
    assert_eq!(names(&other).await, ["one-2"]);
    until("the rest", async || other.duty(source()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_started_again_has_its_name_when_the_stay_before_is_over() {
    let Some(settings) = settings() else { return };
    let first = open(&settings, 100.into());
    first.leave().await.unwrap();
    let all = "SELECT count(*) FROM ~replica WHERE alive_until > extract(epoch from now()) * 1000";
    assert_eq!(ask(&settings, all), "0");
    // Killed a moment ago: nothing is heard of it any more.
    ask(
        &settings,
        "UPDATE ~replica SET alive_until = extract(epoch from now()) * 1000 + 1500, seen_at = extract(epoch from now()) * 1000",
    );
    let again = open(&settings, 100.into());
    assert_eq!(&*again.incarnation.current().unwrap().name, "one-2");
    until("its name", async || again.incarnation.current().is_some_and(|now| &*now.name == "one")).await;
    assert!(again.replicas().await.unwrap().iter().any(|replica| !replica.live));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_another_configuration_is_seen_and_its_code_is_the_journals_own() {
    let (Some(settings), Some(elsewhere)) = (settings(), settings()) else { return };
    let open_with = |settings, config: &[u8]| {
        let opened = open(settings, 100.into());
        opened.introduce(Myself { generation: 3, config: config.to_vec() });
        opened
    };
    let (one, other, third) = (open_with(&settings, b"a"), open_with(&settings, b"a"), open_with(&elsewhere, b"a"));
    let codes = async |journal: &Arc<Postgres>| -> Vec<String> {
        journal.replicas().await.unwrap().into_iter().filter(|one| one.generation == 3).map(|one| one.config).collect()
    };
    until("both", async || codes(&one).await.len() == 2).await;
    let told = codes(&one).await;
    assert!(told[0] == told[1] && told[0].len() == 16 && told[0] != hex::encode(b"a"));
    until("the third", async || codes(&third).await.len() == 1).await;
    assert_ne!(codes(&third).await[0], told[0]);
    assert!(!one.census().config_differs);
    other.introduce(Myself { generation: 4, config: b"b".to_vec() });
    until("the difference", async || one.census().config_differs && other.census().config_differs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_database_is_not_there_a_journal_opens_and_comes_up_by_itself() {
    let Some(settings) = settings() else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = settings.url.expose().to_owned();
    let (server, path) = url.split_once("127.0.0.1:").unwrap().1.split_once('/').unwrap();
    let server: u16 = server.parse().unwrap();
    let proxied = format!("postgres://tollgate:secret@127.0.0.1:{port}/{path}");
    let away = DatabaseSettings { url: Secret::new(proxied), ..settings };
    let opened = open(&away, 100.into());
    assert!(!opened.membership().lease_holds);
    assert_eq!(opened.duty(Duty::Sweep).await, Ok(false));
    assert!(matches!(opened.replicas().await, Err(JournalError::Unreadable(_))));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = tokio::net::TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    until("a lease", async || opened.membership().lease_holds).await;
    assert_eq!(names(&opened).await, ["one"]);
}
