//! Starting this very program again in this very process, with its sockets: when whoever took over is gone too early.

use super::SharedSocket;
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The sockets stand in a row from here on, where no other descriptor is.
const ROW: RawFd = 3000;

/// Becomes the same program with the same arguments and the sockets. It does not come back unless that fails.
pub fn start(sockets: Vec<SharedSocket>) -> io::Error {
    let mut command = Command::new(own_program());
    command.args(std::env::args_os().skip(1));
    match in_a_row(&sockets) {
        Ok(row) => {
            let names: Vec<_> = sockets.iter().map(|shared| shared.purpose.name()).collect();
            command.env("LISTEN_FDS", row.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
            command.env("LISTEN_FDS_FIRST_FD", ROW.to_string()).env_remove("LISTEN_PID");
            let error = command.exec();
            drop(row);
            error
        }
        Err(error) => {
            tracing::warn!(%error, "the sockets cannot be passed on; they are opened anew");
            command.exec()
        }
    }
}

/// The file that this process was started from, even if another one has its name by now.
fn own_program() -> std::path::PathBuf {
    if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { std::env::current_exe().unwrap_or_default() }
}

fn in_a_row(sockets: &[SharedSocket]) -> io::Result<Vec<OwnedFd>> {
    let mut row = Vec::with_capacity(sockets.len());
    for (place, shared) in (ROW..).zip(sockets) {
        let descriptor = fcntl_dupfd_cloexec(&shared.socket, place)?;
        if descriptor.as_raw_fd() != place {
            return Err(io::Error::other("their place is taken"));
        }
        row.push(descriptor);
    }
    for descriptor in &row {
        fcntl_setfd(descriptor, FdFlags::empty())?;
    }
    Ok(row)
}
