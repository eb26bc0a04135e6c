//! The only place that reads the time of day. Deadlines and cache ages use tokio's and the standard library's
//! monotonic clock instead, which nobody can turn back.

use jiff::Timestamp;
use jiff::civil::DateTime;

/// Now, in UTC.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// China's offset: WeChat Pay writes its times in Beijing time (UTC+8), which has no daylight saving since 1991.
const BEIJING_HOURS: i8 = 8;

/// Reads WeChat's `time_end`, `yyyyMMddHHmmss` in Beijing time (`wechatpay-v2.md` section 4.1).
///
/// ```
/// let paid_at = tollgate::clock::from_time_end("20240101123456").unwrap();
/// assert_eq!(paid_at.to_string(), "2024-01-01T04:34:56Z");
/// assert_eq!(tollgate::clock::rfc3339_beijing(paid_at), "2024-01-01T12:34:56+08:00");
/// ```
#[must_use]
pub fn from_time_end(text: &str) -> Option<Timestamp> {
    from_beijing(DateTime::strptime("%Y%m%d%H%M%S", text).ok()?)
}

/// Reads the times of a bill, `yyyy-MM-dd HH:mm:ss` in Beijing time (`wechatpay-v2.md` section 10.1).
///
/// ```
/// let paid_at = tollgate::clock::from_trade_time("2024-01-01 12:34:56").unwrap();
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
/// let paid_at = tollgate::clock::from_time_end("20240101003456").unwrap();
/// assert_eq!(tollgate::clock::time_end(paid_at), "20240101003456");
/// ```
#[must_use]
pub fn time_end(at: Timestamp) -> String {
    beijing(at).strftime("%Y%m%d%H%M%S").to_string()
}

/// RFC 3339 in UTC, to the millisecond, as the journal has times and as commands and the API show them.
///
/// ```
/// let at = "2024-01-01T12:34:56.7891+08:00".parse().unwrap();
/// assert_eq!(tollgate::clock::rfc3339(at), "2024-01-01T04:34:56.789Z");
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
