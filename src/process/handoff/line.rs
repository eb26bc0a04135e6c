//! The words between two gates: lines, and descriptors that come with one.

use rustix::cmsg_space;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Longer lines are not ours.
const LONGEST: usize = 1024;

/// More descriptors than there are purposes.
const MOST_DESCRIPTORS: usize = 4;

/// Sends a line, and descriptors with it.
pub(super) fn send(stream: &UnixStream, line: &str, descriptors: &[OwnedFd]) -> io::Result<()> {
    let line = format!("{line}\n");
    let descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(ErrorKind::InvalidInput.into());
    }
    #[cfg(target_os = "linux")]
    let flags = SendFlags::NOSIGNAL;
    #[cfg(not(target_os = "linux"))]
    let flags = SendFlags::empty();
    let sent = sendmsg(stream, &[IoSlice::new(line.as_bytes())], &mut control, flags)?;
    // So short a line fits into any socket's buffer.
    if sent == line.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
}

/// Receives a line without its end, and the descriptors that came with it. Nothing may have been sent behind it, which
/// is so where each side waits for the other's word.
pub(super) fn receive(stream: &UnixStream) -> io::Result<(String, Vec<OwnedFd>)> {
    let (mut line, mut descriptors) = (Vec::new(), Vec::new());
    loop {
        let mut piece = [0; LONGEST];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(stream, &mut [IoSliceMut::new(&mut piece)], &mut control, RecvFlags::empty())?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        if received.bytes == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        line.extend_from_slice(piece.get(..received.bytes).unwrap_or_default());
        if line.last() == Some(&b'\n') {
            break;
        }
        if line.len() > LONGEST {
            return Err(ErrorKind::InvalidData.into());
        }
    }
    for descriptor in &descriptors {
        // Programs that this one starts have no use for them.
        fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
    }
    line.pop();
    let line = String::from_utf8(line).map_err(|_| ErrorKind::InvalidData)?;
    Ok((line, descriptors))
}
