//! This replica on the list of the living: it comes on it, is renewed each third of its lease, comes back as a new incarnation
//! after it was not heard of for too long, and leaves it in the end. What it hears of the others meanwhile is kept here.

use super::connection::Connection;
use super::database::{Database, LONGEST_PAUSE};
use super::duty::{self, Answer, Duties};
use super::error::Error;
use super::holds::Holds;
use super::incarnation::{Current, Incarnation};
use super::refused::{Refused, refused};
use super::replicas::{self, List, Process, Told};
use super::schema::{self, Meta};
use super::shares::Views;
use crate::domain::clock;
use crate::domain::order::MerchantId;
use crate::journal::{Census, Duty, JournalError, Membership, Myself, OpenError};
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use sha2::Sha256;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// How many times a slot is tried for that others take at the same time.
const TRIES: u32 = 20;

/// The least by which a lease is trusted for a shorter time than it lasts.
const LEAST_MARGIN: Duration = Duration::from_millis(200);

/// The pause after the first failure; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How long after the lease of another one is over it is looked for; and no look comes sooner after the one before.
const LOOK_AFTER: Duration = Duration::from_millis(50);

/// Looks at the list that come within this part of a lease count as one: others have not heard of the first yet.
const HEARD_WITHIN: u32 = 4;

/// Bytes of the code that stands for a configuration.
const CODE: usize = 8;

/// How far the clock may be from the database's, in milliseconds, before that is worth a warning.
const WORTH_A_WARNING: i64 = 5_000;

/// This replica.
#[derive(Debug)]
pub(super) struct Member {
    database: Arc<Database>,
    incarnation: Arc<Incarnation>,
    holds: Arc<Holds>,
    process: Process,
    duties: Duties,
    state: Mutex<State>,
    /// Tells the task to leave.
    leave: Notify,
    /// Tells it that there is something to be told.
    renew: Notify,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What is told to the others, and what was heard of them.
#[derive(Debug)]
struct State {
    myself: Myself,
    wanted: HashMap<MerchantId, f64>,
    name: String,
    /// Whether another one of the wanted name was heard of, which was told.
    is_named_alike: bool,
    config_key: Vec<u8>,
    views: Views,
    list: Option<List>,
    clock_skew_ms: i64,
    warned_of_clock: bool,
}

/// What the task has for itself.
#[derive(Debug, Default)]
struct Seat {
    connection: Option<Connection>,
    meta: Option<Meta>,
    /// The incarnation that it is, or was until its lease was not to be trusted any more.
    mine: Option<i64>,
    /// Incarnations that it was, or may have been, and that are to be off the list.
    before: Vec<i64>,
    /// When the list has to be looked at again at the latest.
    again_in: Duration,
}

impl Member {
    pub(super) fn of(database: Arc<Database>, incarnation: Arc<Incarnation>, holds: Arc<Holds>) -> Self {
        let name = database.settings.replica.clone();
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let process = Process { host, id: std::process::id(), version: env!("CARGO_PKG_VERSION") };
        let state = State {
            myself: Myself { generation: 1, config: Vec::new() },
            wanted: HashMap::new(),
            name,
            is_named_alike: false,
            config_key: Vec::new(),
            views: Views::default(),
            list: None,
            clock_skew_ms: 0,
            warned_of_clock: false,
        };
        Self {
            database,
            incarnation,
            holds,
            process,
            duties: Duties::default(),
            state: Mutex::new(state),
            leave: Notify::new(),
            renew: Notify::new(),
            task: Mutex::default(),
        }
    }

    /// Comes on the list, and stays there until [`leave`](Self::leave). If the database does not answer, that is tried until it
    /// does.
    ///
    /// # Errors
    /// If somebody has to do something before it can.
    pub(super) async fn begin(self: &Arc<Self>) -> Result<(), OpenError> {
        let mut seat = Seat::default();
        let pause = match self.step(&mut seat).await {
            Ok(()) => seat.again_in,
            Err(Refused::Away(error)) => {
                seat.connection = None;
                let journal = &self.database.settings;
                tracing::error!(%journal, %error, "the journal's database does not answer: nothing is recorded until it does");
                FIRST_PAUSE
            }
            Err(error) => return Err(error.into_open_error(&self.database.settings)),
        };
        let task = tokio::spawn(Arc::clone(self).run(seat, pause));
        *self.task.lock() = Some(task);
        Ok(())
    }

    async fn run(self: Arc<Self>, mut seat: Seat, mut pause: Duration) {
        let mut failures = 0_u32;
        let mut said = String::new();
        loop {
            tokio::select! {
                () = self.leave.notified() => return self.go(&mut seat).await,
                () = self.renew.notified() => {}
                () = sleep(pause) => {}
            }
            match self.step(&mut seat).await {
                Ok(()) => {
                    if failures > 0 || !said.is_empty() {
                        tracing::info!("the journal's database answers again");
                    }
                    (failures, pause) = (0, seat.again_in);
                    said.clear();
                }
                Err(error) => {
                    seat.connection = None;
                    let now_said = error.to_string();
                    if now_said != said {
                        let lease_holds = self.incarnation.current().is_some();
                        tracing::warn!(error = %now_said, lease_holds, "this replica's lease was not renewed; it is tried again");
                        said = now_said;
                    }
                    pause = pause_after(failures);
                    failures = failures.saturating_add(1);
                }
            }
        }
    }

    /// Renews the lease, or comes on the list if this is none that lives.
    async fn step(&self, seat: &mut Seat) -> Result<(), Refused> {
        let settings = &self.database.settings;
        if seat.connection.as_ref().is_none_or(Connection::is_closed) {
            seat.connection = Some(self.database.connect().await.map_err(refused)?);
        }
        // It was set.
        let Some(connection) = seat.connection.as_ref() else { return Err(Error::Away.into()) };
        if seat.meta.is_none() {
            let meta = schema::ready(connection, settings).await?;
            self.state.lock().config_key.clone_from(&meta.config_key);
            seat.meta = Some(meta);
        }
        if let Some(current) = self.incarnation.current()
            && let Some(again_in) = self.renew(connection, &current).await?
        {
            seat.again_in = again_in;
            return Ok(());
        }
        self.incarnation.is_gone();
        if let Some(before) = seat.mine.take() {
            seat.before.push(before);
            tracing::warn!(
                incarnation = before,
                "this replica was not heard of for longer than journal.lease; what it held is free, and it begins anew"
            );
        }
        self.join(seat).await.map_err(refused)
    }

    /// Renews the lease, and says when the list is to be looked at again; `None` if it was over.
    async fn renew(&self, connection: &Connection, current: &Current) -> Result<Option<Duration>, Error> {
        let lease = self.database.settings.lease;
        let (began, told) = (Instant::now(), self.told());
        let list = replicas::renew(connection, current.id, millis(lease), &told).await?;
        self.clock_is(list.now, began);
        if !list.renewed {
            return Ok(None);
        }
        let name = self.name_among(&list, current);
        let current = Current { id: current.id, slot: current.slot, name: name.into() };
        self.incarnation.lives(current.clone(), began + trusted(lease));
        self.duties.read(&list, current.id);
        self.give_back_duties(connection, current.id).await?;
        let again_in = again_in(&list, current.id, lease);
        let mut state = self.state.lock();
        state.views.read(&list, current.id, lease / HEARD_WITHIN);
        state.list = Some(list);
        Ok(Some(again_in))
    }

    async fn join(&self, seat: &mut Seat) -> Result<(), Error> {
        let lease = self.database.settings.lease;
        let Some(connection) = seat.connection.as_ref() else { return Err(Error::Away) };
        for _ in 0..TRIES {
            let began = Instant::now();
            let told = Told { name: self.database.settings.replica.clone(), ..self.told() };
            let incarnation = replicas::new_incarnation(self.incarnation.now());
            // Whether it came on the list may not be known.
            seat.before.push(incarnation);
            let before: Vec<_> = seat.before.iter().copied().filter(|before| *before != incarnation).collect();
            let joined = replicas::join(connection, &before, millis(lease), &self.process, &told, incarnation).await?;
            let Some(joined) = joined else {
                seat.before.pop();
                continue;
            };
            seat.before.clear();
            seat.mine = Some(incarnation);
            self.clock_is(joined.now, began);
            let current = Current { id: incarnation, slot: joined.slot, name: joined.name.as_str().into() };
            {
                let mut state = self.state.lock();
                state.name.clone_from(&joined.name);
                state.is_named_alike = false;
                state.views = Views::default();
                state.list = None;
            }
            self.incarnation.lives(current.clone(), began + trusted(lease));
            tracing::info!(replica = %current.name, incarnation, "this replica is on the journal's list of the living");
            // Who else lives is to be known before anything is shared.
            if let Some(again_in) = self.renew(connection, &current).await? {
                seat.again_in = again_in;
            }
            return Ok(());
        }
        tracing::error!(most = super::numbers::SLOTS, "as many replicas live as there may be");
        Err(Error::Away)
    }

    async fn give_back_duties(&self, connection: &Connection, me: i64) -> Result<(), Error> {
        let idle = self.duties.idle(me, self.database.settings.lease);
        let statements: Vec<_> = idle.iter().map(|name| duty::give_back(name, me)).collect();
        if !statements.is_empty() {
            connection.pipeline(&statements).await?;
        }
        Ok(())
    }

    /// Off the list: everything that it held is free at once.
    async fn go(&self, seat: &mut Seat) {
        self.incarnation.is_gone();
        let Some(mine) = seat.mine.take() else { return };
        let connection = match seat.connection.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => Ok(connection),
            None => self.database.connect().await,
        };
        let left = match connection {
            Ok(connection) => connection.pipeline(&[replicas::leave(mine)]).await.map(drop),
            Err(error) => Err(error),
        };
        match left {
            Ok(()) => tracing::info!(incarnation = mine, "this replica is off the journal's list of the living"),
            Err(error) => {
                tracing::warn!(%error, "this replica could not say that it leaves; what it held is free when its lease is over")
            }
        }
    }

    /// Leaves the list, in the time of two round trips.
    pub(super) async fn leave(&self) {
        let task = self.task.lock().take();
        self.leave.notify_one();
        if let Some(mut task) = task
            && timeout(self.database.settings.timeout * 3, &mut task).await.is_err()
        {
            task.abort();
        }
    }

    fn told(&self) -> Told {
        let state = self.state.lock();
        Told {
            name: state.name.clone(),
            generation: state.myself.generation,
            config: code(&state.config_key, &state.myself.config),
            wanted: state.wanted.clone(),
            held: self.holds.count(),
            clock_skew_ms: state.clock_skew_ms,
        }
    }

    /// The database's time, by an answer to what was asked when it `began`: taken to be from halfway.
    fn clock_is(&self, at: i64, began: Instant) {
        let way = began.elapsed() / 2;
        self.incarnation.time_is(at, began + way);
        let own = clock::now().as_millisecond();
        let mut state = self.state.lock();
        state.clock_skew_ms = own.saturating_sub(millis(way)).saturating_sub(at);
        let is_far = state.clock_skew_ms.saturating_abs() > WORTH_A_WARNING;
        if is_far && !state.warned_of_clock {
            tracing::warn!(
                clock_skew_ms = state.clock_skew_ms,
                "this machine's clock is far from the database's, whose time counts; is NTP running on both?"
            );
        }
        state.warned_of_clock = is_far;
    }

    /// Its name among those who are on the list for longer: theirs stay.
    fn name_among(&self, list: &List, current: &Current) -> String {
        let wanted = &self.database.settings.replica;
        let elders = list.living.iter().filter(|one| one.incarnation < current.id);
        let names: HashSet<_> = elders.clone().map(|one| one.name.as_str()).collect();
        let mine = list.living.iter().find(|one| one.incarnation == current.id);
        // One that was heard of after this came is no earlier stay of this very replica.
        let is_heard_of =
            elders.clone().any(|one| one.name == *wanted && mine.is_some_and(|mine| one.seen_at > mine.since));
        let mut state = self.state.lock();
        if is_heard_of && !state.is_named_alike {
            state.is_named_alike = true;
            let name = replicas::free_name(wanted, &names);
            tracing::warn!(
                replica = %name, wanted = %wanted,
                "another replica has the same name; give each its own in journal.replica"
            );
        }
        if names.contains(state.name.as_str()) || (state.name != *wanted && !state.is_named_alike) {
            state.name = replicas::free_name(wanted, &names);
        }
        state.name.clone()
    }

    /// As [`Shared::introduce`](crate::journal::Shared::introduce): the others are told at once.
    pub(super) fn introduce(&self, myself: Myself) {
        self.state.lock().myself = myself;
        self.renew.notify_one();
    }

    /// As [`Shared::shares`](crate::journal::Shared::shares).
    pub(super) fn shares(&self, wanted: &[(MerchantId, f64)]) -> Vec<(MerchantId, f64)> {
        let mut state = self.state.lock();
        state.wanted = wanted.iter().copied().collect();
        wanted.iter().map(|(merchant, _)| (*merchant, state.views.share(*merchant))).collect()
    }

    /// As [`Shared::membership`](crate::journal::Shared::membership).
    pub(super) fn membership(&self) -> Membership {
        let lease_holds = self.incarnation.current().is_some();
        let state = self.state.lock();
        let live = state.list.as_ref().map_or(1, |list| list.living.len());
        Membership { lease_holds, live: live.max(1), clock_skew_ms: state.clock_skew_ms }
    }

    /// As [`Shared::census`](crate::journal::Shared::census).
    pub(super) fn census(&self) -> Census {
        let me = self.incarnation.current().map(|current| current.id);
        let told = self.told().config;
        let state = self.state.lock();
        let others = state.list.iter().flat_map(|list| &list.living).filter(|one| Some(one.incarnation) != me);
        let config_differs = others.filter(|one| !one.config.is_empty()).any(|one| one.config != told);
        let mut shares: Vec<_> =
            state.wanted.keys().map(|merchant| (*merchant, state.views.share(*merchant))).collect();
        shares.sort_by_key(|(merchant, _)| *merchant);
        Census { config_differs: config_differs && !told.is_empty(), duties: self.duties.all(me), shares }
    }

    /// As [`Shared::duty`](crate::journal::Shared::duty).
    pub(super) async fn duty(&self, duty: Duty) -> Result<bool, JournalError> {
        let Some(current) = self.incarnation.current() else { return Ok(false) };
        let name = duty.to_string();
        match self.duties.ask(&name, current.id) {
            Answer::Mine => return Ok(true),
            Answer::Others => return Ok(false),
            Answer::Unknown => {}
        }
        let (asked, me) = (name.clone(), current.id);
        let holder = self.database.write(move |tx| {
            let statements = duty::take(&asked, me);
            Box::pin(async move {
                let rows = tx.all(&statements).await?;
                duty::holder(rows.last().map(Vec::as_slice).unwrap_or_default())
            })
        });
        let Some((holder, lasts)) = holder.await? else { return Ok(false) };
        self.duties.is(&name, holder, lasts);
        // It may have been lost while that was asked.
        Ok(holder == current.id && self.incarnation.current().is_some_and(|now| now.id == current.id))
    }
}

/// For how long a lease is trusted, from the start of the renewal on.
fn trusted(lease: Duration) -> Duration {
    lease.saturating_sub((lease / 10).max(LEAST_MARGIN))
}

/// Each third of the lease, or when that of another one is over without its having been renewed.
fn again_in(list: &List, me: i64, lease: Duration) -> Duration {
    let third = (lease / 3).mul_f64(0.9 + fastrand::f64() / 10.0);
    let others = list.living.iter().filter(|one| one.incarnation != me);
    let over = others.map(|one| u64::try_from(one.alive_until.saturating_sub(list.now)).unwrap_or(0)).min();
    over.map_or(third, |over| third.min(Duration::from_millis(over) + LOOK_AFTER))
}

/// Growing, and not the same for all.
fn pause_after(failures: u32) -> Duration {
    let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE);
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// What stands for a configuration, once that is known: nobody who does not have the journal's key can find out what is in it by trying.
fn code(key: &[u8], config: &[u8]) -> String {
    if config.is_empty() {
        return String::new();
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(config);
    hex::encode(mac.finalize().into_bytes().get(..CODE).unwrap_or_default())
}
