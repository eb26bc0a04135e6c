//! What durability costs: `cargo bench --bench journal`. Callbacks taken in a second, with an fsync for each and with the
//! journal's shared ones, on the disk of the temporary directory (TMPDIR chooses it).
//!
//! `cargo bench --bench journal -- database URL` does so in an empty PostgreSQL database, beside connections that insert the same row
//! and commit it by themselves.
//!
//! `cargo bench --bench journal -- fill FILE COUNT [accepted]` makes a journal of so many undecided or accepted orders, to start a
//! gate with. None of them is due.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Method, StatusCode, Uri};
use nix::sys::resource::{UsageWho, getrusage};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tollgate::domain::money::{Currency, Fen, Money};
use tollgate::domain::order::{ChannelId, OrderId, OutTradeNo, TransactionId};
use tollgate::domain::secret::Secret;
use tollgate::journal::database::DatabaseTls;
use tollgate::journal::{
    self, Acceptance, Attempt, Callback, Claimed, DatabaseSettings, Journal, JournalEvent, Origin, Outcome, Place,
    Request, Settings, Transition, Trust, Verified,
};
use tollgate::observe::metrics::JournalMeters;
use uuid::Uuid;

const FOR: Duration = Duration::from_secs(3);

const HOUR: Duration = Duration::from_secs(3600);

static RUN: std::sync::LazyLock<u32> = std::sync::LazyLock::new(|| fastrand::u32(..));

/// The number of the next order, over all that is measured.
static NEXT: AtomicU64 = AtomicU64::new(0);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let [command, file, count, state @ ..] = arguments.as_slice()
        && command == "fill"
    {
        let accepted = state.first().is_some_and(|state| state == "accepted");
        return runtime.block_on(fill(Path::new(file), count.parse().unwrap(), accepted));
    }
    if let [command, url] = arguments.as_slice()
        && command == "database"
    {
        return runtime.block_on(database(url));
    }
    let directory = tempfile::tempdir().unwrap();
    let one = one_fsync_each(directory.path(), 1);
    println!("an fsync for each callback, one after the other   {one:>9.0} a second");
    let crowd = one_fsync_each(directory.path(), 64);
    println!("an fsync for each callback, 64 connections        {crowd:>9.0} a second");
    for at_once in [1, 16, 64] {
        let journal = open(&directory.path().join(format!("{at_once}.db")));
        let (rate, cpu) = runtime.block_on(taken_in(&journal, at_once, false));
        println!(
            "taken in, {at_once:>2} at once                           {rate:>9.0} a second, {:>5.1} and {:>5.1} times, \
             {cpu:.0} us of CPU each",
            rate / one,
            rate / crowd
        );
    }
    let (rate, cpu) = runtime.block_on(taken_in(&open(&directory.path().join("whole.db")), 64, true));
    println!("taken in, sent and accepted, 64 at once           {rate:>9.0} a second, {cpu:.0} us of CPU each");
}

/// Rows of the same size, each committed by itself, on so many connections of as many threads.
fn one_fsync_each(directory: &Path, connections: usize) -> f64 {
    let file = directory.join(format!("one-{connections}.db"));
    let open = || {
        let connection = Connection::open(&file).unwrap();
        connection.busy_timeout(Duration::from_secs(30)).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.pragma_update(None, "synchronous", "FULL").unwrap();
        connection
    };
    open().execute_batch("CREATE TABLE callback (id INTEGER PRIMARY KEY, content BLOB)").unwrap();
    let connections: Vec<_> = (0..connections).map(|_| open()).collect();
    let (content, began) = (vec![b'x'; 900], Instant::now());
    let insert = |connection: Connection| {
        let mut count = 0;
        while began.elapsed() < FOR {
            connection.execute("INSERT INTO callback (content) VALUES (?1)", [&content]).unwrap();
            count += 1;
        }
        count
    };
    let insert = &insert;
    let count: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> =
            connections.into_iter().map(|connection| scope.spawn(move || insert(connection))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    count as f64 / began.elapsed().as_secs_f64()
}

/// How many are taken in a second by so many tasks, and what each costs.
async fn taken_in(journal: &Journal, at_once: u64, whole: bool) -> (f64, f64) {
    let first = NEXT.load(Ordering::Relaxed);
    let (began, before) = (Instant::now(), cpu());
    let tasks: Vec<_> = (0..at_once)
        .map(|_| {
            let journal = journal.clone();
            tokio::spawn(async move {
                while began.elapsed() < FOR {
                    one(&journal, NEXT.fetch_add(1, Ordering::Relaxed), whole).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    journal.queue.flush().await.unwrap();
    let count = (NEXT.load(Ordering::Relaxed) - first) as f64;
    (count / began.elapsed().as_secs_f64(), (cpu() - before).as_secs_f64() * 1e6 / count)
}

/// Rounds of which the median counts.
const ROUNDS: usize = 5;

/// Callbacks taken in a second by one replica, and rows that connections insert and commit by themselves, in turns.
async fn database(url: &str) {
    let settings = DatabaseSettings {
        url: Secret::new(url.to_owned()),
        password: None,
        tls: DatabaseTls::default(),
        schema: "tollgate".to_owned(),
        replica: "bench".to_owned(),
        lease: Duration::from_secs(15),
        timeout: Duration::from_secs(10),
        pool: 8,
        migrate: true,
        shown: journal::shown(url).unwrap(),
    };
    let settings = Settings { place: Place::Database(Box::new(settings)), room: u64::MAX.into() };
    let journal = journal::open(&settings, JournalMeters::default()).await.unwrap();
    let peer = connect(url).await;
    peer.batch_execute(PEER).await.unwrap();
    let mut rounds: Vec<[f64; 4]> = Vec::new();
    for _ in 0..ROUNDS {
        let one = committed_each(url, 1).await;
        let crowd = committed_each(url, 64).await;
        let (at_64, _) = taken_in(&journal, 64, false).await;
        let (at_256, _) = taken_in(&journal, 256, false).await;
        println!("one {one:.0}, 64 connections {crowd:.0}, taken in 64 at once {at_64:.0}, 256 at once {at_256:.0}");
        rounds.push([one, crowd, at_64, at_256]);
    }
    let median = |of: fn(&[f64; 4]) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(ROUNDS / 2).copied().unwrap_or_default()
    };
    println!(
        "medians: 64 at once {:.2} times 64 connections, 256 at once {:.2} times, {:.1} times one connection",
        median(|round| round[2] / round[1]),
        median(|round| round[3] / round[1]),
        median(|round| round[3] / round[0]),
    );
}

const PEER: &str =
    "CREATE TABLE IF NOT EXISTS callback (id bigserial PRIMARY KEY, \"order\" text UNIQUE, content bytea)";

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Rows of the same size, each inserted and committed by itself, on so many connections.
async fn committed_each(url: &str, connections: usize) -> f64 {
    let next = Arc::new(AtomicU64::new(0));
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(connect(url).await);
    }
    let began = Instant::now();
    let insert = |client: tokio_postgres::Client| {
        let next = Arc::clone(&next);
        tokio::spawn(async move {
            let insert = client.prepare("INSERT INTO callback (\"order\", content) VALUES ($1, $2)").await.unwrap();
            let content = vec![b'x'; 900];
            while began.elapsed() < FOR {
                next.fetch_add(1, Ordering::Relaxed);
                client.execute(&insert, &[&Uuid::now_v7().to_string(), &content]).await.unwrap();
            }
        })
    };
    for task in clients.into_iter().map(insert).collect::<Vec<_>>() {
        task.await.unwrap();
    }
    next.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

async fn one(journal: &Journal, number: u64, whole: bool) {
    let callback = callback(number);
    let delivery = callback.delivery();
    let taken = journal.queue.take_in(callback, Trust::Unconfirmed, HOUR).await.unwrap();
    if whole {
        let attempt = Attempt { entry: taken.entry, delivery, number: 1, origin: Origin::Callback };
        let next = Some(Transition::Deliver { again_in: HOUR, retries: 0 });
        journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next });
        let acceptance = Acceptance {
            transaction_id: Some(verified().transaction_id),
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: None,
        };
        journal.queue.append(JournalEvent::AttemptEnded {
            attempt,
            outcome: Outcome::Accepted(acceptance),
            next: Some(Transition::Accepted),
        });
    }
}

fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let times = [usage.user_time(), usage.system_time()];
    let micros: i64 = times.iter().map(|time| time.tv_sec() * 1_000_000 + time.tv_usec()).sum();
    Duration::from_micros(u64::try_from(micros).unwrap())
}

async fn fill(file: &Path, count: u64, accepted: bool) {
    let journal = open(file);
    for start in (0..count).step_by(1000) {
        let one_of_them = |number| {
            let journal = journal.clone();
            tokio::spawn(async move { one(&journal, number, accepted).await })
        };
        let batch: Vec<_> = (start..count.min(start + 1000)).map(one_of_them).collect();
        for task in batch {
            task.await.unwrap();
        }
    }
    journal.queue.flush().await.unwrap();
}

fn callback(number: u64) -> Box<Callback> {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "shop.test"),
        ("user-agent", "Mozilla/4.0"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-length", "372"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // No two runs on one database have the same orders.
    let order = format!("P{:08x}{number:09}", *RUN);
    Box::new(Callback {
        request_id: Uuid::now_v7(),
        route: "peer".to_owned(),
        origin: Origin::Callback,
        created_at: None,
        claimed: Claimed {
            channel: ChannelId::parse("wx").unwrap(),
            order: OrderId::parse(&order).unwrap(),
            out_trade_no: OutTradeNo::parse(&order).unwrap(),
            transaction_id: None,
            amount: None,
        },
        request: Some(Request {
            peer: ([203, 0, 113, 9], 4711).into(),
            tls: false,
            method: Method::POST,
            target: Uri::from_static("/pay/notify"),
            headers,
            body: Bytes::from(format!("OrderID={order}&ChannelID=wx&note={}", "x".repeat(330))),
        }),
    })
}

fn verified() -> Verified {
    Verified {
        transaction_id: TransactionId::parse("4200000000202401010000000001").unwrap(),
        amount: Money { fen: Fen(100), currency: Currency::default() },
        paid_at: None,
        refunded: false,
    }
}

fn open(file: &Path) -> Journal {
    let settings = Settings::file(file, u64::MAX);
    futures_util::FutureExt::now_or_never(journal::open(&settings, JournalMeters::default())).unwrap().unwrap()
}
