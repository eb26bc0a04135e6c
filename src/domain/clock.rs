//! The only place that reads the time of day. Deadlines and cache ages use tokio's and the standard library's
//! monotonic clock instead, which nobody can turn back.
//!
//! A process has one time, which is the system's as long as that does not jump: [`steady`] says what is done then.

pub mod steady;

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use std::sync::OnceLock;
use std::time::Instant;
use steady::{Look, STEP, Steady};

static CLOCK: Steady = Steady::new();

/// Now, in UTC. While the system's clock is not believed, this goes on without it.
#[must_use]
pub fn now() -> Timestamp {
    let (wall, mono) = clocks();
    let now = CLOCK.read(wall.as_millisecond(), mono);
    if now == wall.as_millisecond() { wall } else { Timestamp::from_millisecond(now).unwrap_or(wall) }
}

/// The system's clock, and milliseconds of the monotonic one since this was asked first.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn clocks() -> (Timestamp, i64) {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let mono = BEGAN.get_or_init(Instant::now).elapsed().as_millis();
    (Timestamp::now(), i64::try_from(mono).unwrap_or(i64::MAX))
}

/// When this process began to count.
#[must_use]
pub fn began() -> Timestamp {
    now().checked_sub(SignedDuration::from_millis(clocks().1)).unwrap_or(Timestamp::MIN)
}

/// What has become of the system's clock since this was asked the last time.
#[must_use]
pub fn look() -> Look {
    let (wall, mono) = clocks();
    CLOCK.look(wall.as_millisecond(), mono)
}

/// Believes the system's clock again, which has jumped by so much. Whatever waits for a time must be moved with it.
pub fn settle(by: SignedDuration) {
    CLOCK.settle(by);
}

/// Goes on from `at`, a time that is known to be over, if the system's clock is behind it.
pub fn go_on_from(at: Timestamp) {
    if at.duration_since(now()) > SignedDuration::from_millis(STEP) {
        go_by(at);
    }
}

/// Goes on from `at`, whatever the system's clock shows.
pub fn go_by(at: Timestamp) {
    CLOCK.go_on_from(at.as_millisecond(), clocks().1);
}

/// By how much the system's clock is away from the time, while it is not believed.
#[must_use]
pub fn away() -> Option<SignedDuration> {
    // So that a jump that nobody has seen yet is.
    let _ = now();
    CLOCK.away()
}

/// Whether `at` can be the time at all: no clock is right that shows one before this program was written.
#[must_use]
pub fn can_be(at: Timestamp) -> bool {
    steady::can_be(at)
}

/// China's offset: WeChat Pay writes its times in Beijing time (UTC+8), which has no daylight saving since 1991.
const BEIJING_HOURS: i8 = 8;

/// Reads WeChat's `time_end`, `yyyyMMddHHmmss` in Beijing time (`docs/reference/wechatpay-v2.md` section 4.1).
///
/// ```
/// let paid_at = tollgate::domain::clock::from_time_end("20240101123456").unwrap();
/// assert_eq!(paid_at.to_string(), "2024-01-01T04:34:56Z");
/// assert_eq!(tollgate::domain::clock::rfc3339_beijing(paid_at), "2024-01-01T12:34:56+08:00");
/// ```
#[must_use]
pub fn from_time_end(text: &str) -> Option<Timestamp> {
    from_beijing(DateTime::strptime("%Y%m%d%H%M%S", text).ok()?)
}

/// Reads the times of a bill, `yyyy-MM-dd HH:mm:ss` in Beijing time (`docs/reference/wechatpay-v2.md` section 10.1).
///
/// ```
/// let paid_at = tollgate::domain::clock::from_trade_time("2024-01-01 12:34:56").unwrap();
/// assert_eq!(paid_at.to_string(), "2024-01-01T04:34:56Z");
/// ```
#[must_use]
pub fn from_trade_time(text: &str) -> Option<Timestamp> {
    from_beijing(DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?)
}

/// The moment at which Beijing's clocks show `at`.
#[must_use]
pub fn from_beijing(at: DateTime) -> Option<Timestamp> {
    jiff::tz::offset(BEIJING_HOURS).to_timestamp(at).ok()
}

/// What Beijing's clocks show at a moment.
#[must_use]
pub fn beijing(at: Timestamp) -> DateTime {
    jiff::tz::offset(BEIJING_HOURS).to_datetime(at)
}

/// Writes WeChat's `time_end`; the reverse of [`from_time_end`].
///
/// ```
/// let paid_at = tollgate::domain::clock::from_time_end("20240101003456").unwrap();
/// assert_eq!(tollgate::domain::clock::time_end(paid_at), "20240101003456");
/// ```
#[must_use]
pub fn time_end(at: Timestamp) -> String {
    beijing(at).strftime("%Y%m%d%H%M%S").to_string()
}

/// RFC 3339 in UTC, to the millisecond, as the journal has times and as commands and the API show them.
///
/// ```
/// let at = "2024-01-01T12:34:56.7891+08:00".parse().unwrap();
/// assert_eq!(tollgate::domain::clock::rfc3339(at), "2024-01-01T04:34:56.789Z");
/// ```
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// RFC 3339 with Beijing's offset, as WeChat Pay's API v3 writes times and as `X-Verified-Time-End` carries them.
#[must_use]
pub fn rfc3339_beijing(at: Timestamp) -> String {
    at.display_with_offset(jiff::tz::offset(BEIJING_HOURS)).to_string()
}
