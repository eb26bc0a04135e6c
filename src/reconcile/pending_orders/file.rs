//! A file that something else writes.

use super::LARGEST_TEXT;
use super::error::SourceError;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio::task::spawn_blocking;

/// Its text. A file that grows while it is read is cut in its last line, which is malformed then.
pub(super) async fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    let path = path.to_path_buf();
    spawn_blocking(move || read_now(&path)).await.unwrap_or(Err(SourceError::TimedOut))
}

fn read_now(path: &PathBuf) -> Result<Vec<u8>, SourceError> {
    let fault = |error: io::Error| SourceError::File(error.kind());
    // Opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(fault)?.is_file() {
        return Err(SourceError::File(io::ErrorKind::InvalidInput));
    }
    let mut text = Vec::new();
    File::open(path).map_err(fault)?.take(LARGEST_TEXT as u64 + 1).read_to_end(&mut text).map_err(fault)?;
    if text.len() > LARGEST_TEXT { Err(SourceError::TooLarge) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_file_of_the_right_size_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("list");
        assert_eq!(read(&path).await, Err(SourceError::File(io::ErrorKind::NotFound)));
        assert_eq!(read(directory.path()).await, Err(SourceError::File(io::ErrorKind::InvalidInput)));
        std::fs::write(&path, "[]").unwrap();
        assert_eq!(read(&path).await.unwrap(), b"[]");
        File::create(&path).unwrap().set_len(LARGEST_TEXT as u64 + 1).unwrap();
        assert_eq!(read(&path).await, Err(SourceError::TooLarge));
    }
}
