//! What the system says of this process, in the names that all programs use. Elsewhere than on Linux only what every
//! system knows.

use super::Gauges;
use jiff::Timestamp;
use rustix::process::{Resource, getrlimit};

/// Hundredths of a second: what Linux counts processor time in wherever a program can see it.
const TICKS: f64 = 100.0;

pub(super) fn expose(now: &mut Gauges, started: Timestamp) {
    let started = started.as_millisecond() as f64 / 1000.0;
    now.gauge("process_start_time_seconds", "When the process began", started);
    if let Some(most) = getrlimit(Resource::Nofile).current {
        now.gauge("process_max_fds", "Open files and connections that it may have", most as f64);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        // One of them is the directory itself.
        now.gauge("process_open_fds", "Open files and connections", open.count().saturating_sub(1) as f64);
    }
    if let Some((resident, threads)) = status() {
        now.gauge("process_resident_memory_bytes", "Memory in use", resident);
        now.gauge("process_threads", "Threads", threads);
    }
    if let Some(seconds) = processor_time() {
        now.seconds("process_cpu_seconds", "Processor time used", seconds);
    }
}

/// Bytes of memory, and threads.
fn status() -> Option<(f64, f64)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    Some((value("VmRSS:")? * 1024.0, value("Threads:")?))
}

/// Seconds in the program and in the system.
fn processor_time() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name before it may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map_while(|field| field.parse::<f64>().ok());
    Some((times.next()? + times.next()?) / TICKS)
}
