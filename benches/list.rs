//! What looking through a large journal costs: `cargo bench --bench list`. The first page of every kind of list, the day in
//! numbers, and the journal's figures, among a million entries; TMPDIR chooses the disk.
//!
//! `cargo bench --bench list -- COUNT` takes another number of entries, `-- COUNT FILE` a journal that is there or keeps it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot be set up has nothing to measure"
)]

use nix::sys::resource::{UsageWho, getrusage};
use rusqlite::{Connection, params};
use std::path::Path;
use std::time::Duration;
use tollgate::domain::order::{ChannelId, OrderId};
use tollgate::domain::reason::Reason;
use tollgate::journal::view::{Filter, RefusedFilter};
use tollgate::journal::{self, Journal, Origin, Settings, State};
use tollgate::observe::metrics::JournalMeters;

/// A page must be there in this time as a rule, whatever it is filtered by.
const MOST: Duration = Duration::from_millis(100);

/// How often each is measured.
const TIMES: usize = 7;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let count: u64 = arguments.first().map_or(1_000_000, |count| count.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let file = arguments.get(1).map_or_else(|| directory.path().join("list.db"), Into::into);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    drop(runtime.block_on(async { open(&file) }));
    fill(&file, count);
    runtime.block_on(measure(&file));
}

async fn measure(file: &Path) {
    let journal: Journal = open(file);
    let any = Filter::default();
    let channel = |name: &str| Some(ChannelId::parse(name).unwrap());
    let text = |text: &str| Some(OrderId::parse(text).unwrap());
    let all = journal.archive.list(any, None, 1).await.unwrap();
    let latest = all.records.first().unwrap().received_at;
    let (hour, week) = (jiff::SignedDuration::from_hours(1), jiff::SignedDuration::from_hours(7 * 24));
    let lists = [
        ("everything", any),
        ("parked", Filter { state: Some(State::Parked), ..any }),
        ("accepted on a channel with few", Filter { state: Some(State::Accepted), channel: channel("c49"), ..any }),
        ("for a rare reason", Filter { reason: Some(Reason::SecondPayment), ..any }),
        (
            "for a rare reason on a channel",
            Filter { reason: Some(Reason::SecondPayment), channel: channel("c1"), ..any },
        ),
        ("for a reason there is none of", Filter { reason: Some(Reason::RouteGone), ..any }),
        ("found by a sweep", Filter { origin: Some(Origin::Sweep), ..any }),
        ("the last hour", Filter { since: Some(latest - hour), ..any }),
        ("before a week ago", Filter { until: Some(latest - week), ..any }),
        ("parked, before a week ago", Filter { state: Some(State::Parked), until: Some(latest - week), ..any }),
        ("confirmed", Filter { confirmed: true, ..any }),
        ("one order", Filter { text: text("P000000500000"), ..any }),
        ("a hundred orders by their beginning", Filter { text: text("P0000005000"), ..any }),
        ("ten thousand orders by their beginning", Filter { text: text("P00000050"), ..any }),
        ("all orders by their beginning", Filter { text: text("P"), ..any }),
        ("all orders by their beginning, parked", Filter { text: text("P"), state: Some(State::Parked), ..any }),
        ("the oldest tenth by its beginning", Filter { text: text("P0000000"), ..any }),
        ("one payment", Filter { text: text("4200000000000000000000500000"), ..any }),
        ("nothing", Filter { text: text("NOBODY"), ..any }),
        ("one request", Filter { text: text("00000000-0000-4000-8000-00000007a120"), ..any }),
    ];
    let mut slow = Vec::new();
    for (name, filter) in lists {
        for limit in [50, 200] {
            let times = times_of(async || {
                journal.archive.list(filter, None, limit).await.map(|page| page.records.len()).unwrap()
            })
            .await;
            println!("{name}, {limit} rows: {}", told(&times));
            if times.0[TIMES / 2] > MOST {
                slow.push(name);
            }
        }
    }
    let mut after = None;
    for _ in 0..200 {
        after = journal.archive.list(any, after, 200).await.unwrap().next;
    }
    println!(
        "page 200: {}",
        told(&times_of(async || journal.archive.list(any, after, 200).await.unwrap().records.len()).await)
    );
    let refused = RefusedFilter { reason: Some(Reason::RouteUnknown), ..RefusedFilter::default() };
    println!(
        "refused: {}",
        told(&times_of(async || journal.archive.refusals(refused, None, 200).await.unwrap().len()).await)
    );
    let day = jiff::SignedDuration::from_hours(24);
    println!(
        "today: {}",
        told(&times_of(async || journal.archive.today(latest - day).await.unwrap().tallies.len()).await)
    );
    println!(
        "everything as today: {}",
        told(&times_of(async || journal.archive.today(latest - week * 100).await.unwrap().tallies.len()).await)
    );
    let figures = times_of(async || journal.archive.figures().await.unwrap().entries.len()).await;
    println!("figures: {}", told(&figures));
    assert!(slow.is_empty(), "slower than {MOST:?}: {slow:?}");
}

/// The processor's time that something takes, which a busy machine does not change; the shortest first, and how many rows it
/// brings.
async fn times_of(what: impl AsyncFn() -> usize) -> (Vec<Duration>, usize) {
    let (mut times, mut rows) = (Vec::new(), 0);
    for _ in 0..TIMES {
        let began = cpu();
        rows = what().await;
        times.push(cpu() - began);
    }
    times.sort_unstable();
    (times, rows)
}

fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let times = [usage.user_time(), usage.system_time()];
    let micros: i64 = times.iter().map(|time| time.tv_sec() * 1_000_000 + time.tv_usec()).sum();
    Duration::from_micros(u64::try_from(micros).unwrap())
}

fn told((times, rows): &(Vec<Duration>, usize)) -> String {
    let ms = |time: &Duration| time.as_secs_f64() * 1e3;
    format!("{:.1} ms (at most {:.1}) for {rows}", ms(&times[times.len() / 2]), ms(&times[times.len() - 1]))
}

/// Entries of fifty channels over three months, most of them accepted.
fn fill(file: &Path, count: u64) {
    let mut connection = Connection::open(file).unwrap();
    let there: i64 = connection.query_row("SELECT count(*) FROM entry", [], |row| row.get(0)).unwrap();
    if there > 0 {
        return;
    }
    connection.pragma_update(None, "synchronous", "OFF").unwrap();
    let transaction = connection.transaction().unwrap();
    let now = 1_764_000_000_000_i64;
    let step = 90 * 24 * 3_600_000 / i64::try_from(count).unwrap();
    {
        let mut entry = transaction
            .prepare(
                "INSERT INTO entry (key, delivery, request_id, route, channel, \"order\", out_trade_no, received_at, state, since,
                     reason, due_at, transaction_id, total_fee, fee_type, trade_state, confirmed_at, origin)
                 VALUES (?1, ?2, ?3, 'app', ?4, ?5, ?5, ?6, ?7, ?6, ?8, ?9, ?10, 100, 'CNY', 'SUCCESS', ?6, ?11)",
            )
            .unwrap();
        let mut delivery = transaction
            .prepare("INSERT INTO delivery_row (id, \"order\", attempts, accepted_at, transaction_id) VALUES (?1, ?2, 1, ?3, ?4)")
            .unwrap();
        for number in 0..count {
            let place = number.wrapping_mul(2_654_435_761) % 10_000;
            let (state, reason, paid) = match place {
                0..20 => (State::Delivering, Reason::UpstreamTimeout, true),
                20..40 => (State::Parked, Reason::SecondPayment, true),
                40..100 => (State::Parked, Reason::GaveUpAsking, false),
                100..200 => (State::Asking, Reason::NotPaidYet, false),
                200..250 => (State::Closed, Reason::AmountDiffers, false),
                250..400 => (State::Closed, Reason::Closed, false),
                _ => (State::Accepted, Reason::Paid, true),
            };
            // Half of all on the first channel, few on the last.
            let channel =
                format!("c{}", (number.wrapping_mul(40_503) % 4096 + 1).ilog2().abs_diff(12) * 4 + (number % 4) as u32);
            let at = now - i64::try_from(count - number).unwrap() * step;
            let (order, id) = (format!("P{number:012}"), format!("00000000-0000-8000-8000-{number:012x}"));
            let request = format!("00000000-0000-4000-8000-{number:012x}");
            let payment = paid.then(|| format!("42{number:026}"));
            let due = matches!(state, State::Asking | State::Delivering).then_some(now);
            let origin = if number % 500 == 0 { "sweep" } else { "callback" };
            let key = number.to_be_bytes();
            entry
                .execute(params![
                    key,
                    id,
                    request,
                    channel,
                    order,
                    at,
                    state.as_str(),
                    reason.code(),
                    due,
                    payment,
                    origin
                ])
                .unwrap();
            let accepted = (state == State::Accepted).then_some(at);
            delivery.execute(params![id, order, accepted, payment.filter(|_| accepted.is_some())]).unwrap();
        }
        // The gate adds these up as it writes.
        let tally = "INSERT INTO tally (state, channel, origin, confirmed, entries)
                     SELECT state, channel, origin, transaction_id IS NOT NULL, count(*) FROM entry WHERE due_at IS NULL GROUP BY 1, 2, 3, 4";
        transaction.execute(tally, []).unwrap();
        let mut refused = transaction
            .prepare("INSERT INTO refused (request_id, at, reason) VALUES (?1, ?2, 'field-missing')")
            .unwrap();
        for number in 0..10_000_i64 {
            refused.execute(params![format!("00000000-0000-4000-9000-{number:012x}"), now - number]).unwrap();
        }
    }
    transaction.commit().unwrap();
}

fn open(file: &Path) -> Journal {
    let settings = Settings::file(file, u64::MAX);
    futures_util::FutureExt::now_or_never(journal::open(&settings, JournalMeters::default())).unwrap().unwrap()
}
