//! A program that prints the list. It gets no shell and no input, and the gate's environment.

use super::LARGEST_TEXT;
use super::error::{SourceError, said};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process;

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// A path, or a name that is looked for in PATH.
    pub program: String,
    /// As they are: nothing is expanded.
    pub arguments: Vec<String>,
}

/// Bytes kept of what it writes to stderr.
const KEPT_OF_STDERR: usize = 512;

/// What it writes to stdout. Dropped, this kills the program and whatever it has started.
pub(super) async fn output(command: &Command) -> Result<Vec<u8>, SourceError> {
    let mut child = process::Command::new(&command.program)
        .args(&command.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| SourceError::NotStarted(error.kind()))?;
    let group = Group::of(&child);
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(SourceError::NotSetUp("pipes".to_owned()));
    };
    let (text, complaint) = tokio::join!(whole(stdout), end(stderr));
    let text = text?;
    let status = child.wait().await.map_err(|error| SourceError::BrokeOff(error.kind().to_string()))?;
    group.has_ended();
    if status.success() { Ok(text) } else { Err(failed(status, &complaint)) }
}

fn failed(status: ExitStatus, complaint: &[u8]) -> SourceError {
    let complaint = said(&String::from_utf8_lossy(complaint), None);
    let stderr = if complaint.is_empty() { "it says nothing on stderr".to_owned() } else { complaint };
    SourceError::Failed { status: status.to_string(), stderr }
}

/// All of it, up to the limit. Reading ends there, which ends a program that writes on.
async fn whole(output: impl AsyncRead + Unpin) -> Result<Vec<u8>, SourceError> {
    let mut text = Vec::new();
    let read = output.take(LARGEST_TEXT as u64 + 1).read_to_end(&mut text).await;
    read.map_err(|error| SourceError::BrokeOff(error.kind().to_string()))?;
    if text.len() > LARGEST_TEXT { Err(SourceError::TooLarge) } else { Ok(text) }
}

/// The last of it: what went wrong is said last.
async fn end(mut output: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut chunk = [0; KEPT_OF_STDERR];
    while let Ok(count @ 1..) = output.read(&mut chunk).await {
        kept.extend_from_slice(chunk.get(..count).unwrap_or_default());
        let surplus = kept.len().saturating_sub(KEPT_OF_STDERR);
        kept.drain(..surplus);
    }
    kept
}

/// The program with all that it has started, killed when this is dropped, unless it has ended.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &process::Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // That it is gone already is the only thing that can be wrong.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::AmountUnit;
    use crate::reconcile::pending_orders::listing::Listing;
    use crate::reconcile::pending_orders::source::{Place, Source};
    use std::time::{Duration, Instant};

    async fn run(script: &str, deadline: Duration) -> Result<Listing, SourceError> {
        let command = Command { program: "sh".to_owned(), arguments: vec!["-c".to_owned(), script.to_owned()] };
        Source { place: Place::Command(command), amount_unit: AmountUnit::Fen }.read(100, deadline).await
    }

    const PATIENT: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn what_it_prints_is_the_list() {
        let listing = run(r#"cat; echo '{"order": 1, "channel": "app"}'; echo noise >&2"#, PATIENT).await.unwrap();
        assert_eq!(listing.orders.len(), 1);
    }

    #[tokio::test]
    async fn a_program_that_fails_is_heard() {
        let failed = run("seq 1000 >&2; echo 'login\tfailed' >&2; exit 3", PATIENT).await.unwrap_err();
        let SourceError::Failed { status, stderr } = failed else { panic!("{failed}") };
        assert!(status.contains('3'), "{status}");
        assert!(stderr.ends_with("login failed") || stderr.chars().count() <= 201, "{stderr}");
        let killed = run("kill -9 $$", PATIENT).await.unwrap_err();
        assert!(killed.to_string().contains("it says nothing"), "{killed}");
        let command = Command { program: "no-such-program".to_owned(), arguments: Vec::new() };
        assert_eq!(output(&command).await, Err(SourceError::NotStarted(std::io::ErrorKind::NotFound)));
    }

    #[tokio::test]
    async fn a_program_that_never_ends_is_killed_with_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let written = directory.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", written.display());
        let since = Instant::now();
        assert_eq!(run(&script, Duration::from_millis(500)).await, Err(SourceError::TimedOut));
        assert!(since.elapsed() < PATIENT);
        let pid = std::fs::read_to_string(&written).unwrap();
        let gone = || match std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())) {
            // A zombie waits for init only.
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        while !gone() {
            assert!(since.elapsed() < PATIENT, "sleep {pid} goes on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_program_that_prints_too_much_is_stopped() {
        assert_eq!(run("exec cat /dev/zero", PATIENT).await, Err(SourceError::TooLarge));
    }
}
