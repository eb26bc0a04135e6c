//! The file's bytes as text, and where a file is looked for.

use super::problem::{Place, Problem, Problems};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where the file is if nobody names one.
const HERE: &str = "config.yaml";

/// Where it is then, if it is not there: where packages and containers put it.
const INSTALLED: &str = "/etc/tollgate/config.yaml";

const SAVE: &str = "in Windows' Notepad: Save as, encoding UTF-8; elsewhere: iconv -t UTF-8";

/// How much of a file is looked at for the zeros of UTF-16.
const BEGINNING: usize = 64;

/// The file that is meant if nobody names one: `config.yaml` here, else the one below `/etc`, if it is there.
#[must_use]
pub fn default_file() -> PathBuf {
    first_of([HERE, INSTALLED].map(Path::new))
}

/// The first that is there; if none is, the first.
fn first_of<const N: usize>(files: [&Path; N]) -> PathBuf {
    let there = files.iter().find(|file| file.exists()).or(files.first());
    there.copied().unwrap_or(Path::new(HERE)).to_path_buf()
}

/// Reads the text of the file at `path`.
///
/// # Errors
/// If there is none.
pub(super) fn read(path: &Path) -> Result<String, Problems> {
    let text = std::fs::read(path).map_err(|error| cannot_be_read(path, error.kind())).and_then(|bytes| decode(&bytes));
    text.map_err(|problem| Problems { file: path.to_path_buf(), list: vec![problem] })
}

fn cannot_be_read(path: &Path, why: ErrorKind) -> Problem {
    let (mut what, remedy) = match why {
        ErrorKind::NotFound => (
            format!("cannot be read ({why})"),
            "name the file with --config or TOLLGATE_CONFIG, or have one made: tollgate init",
        ),
        ErrorKind::IsADirectory => (format!("cannot be read ({why})"), "name the file in it"),
        _ => (format!("cannot be read ({why})"), "name the file with --config, and see that it is readable"),
    };
    if why == ErrorKind::NotFound && path == Path::new(HERE) && !Path::new(INSTALLED).exists() {
        what.push_str(&format!(", and {INSTALLED} is not there either"));
    }
    Problem { place: None, key: String::new(), what, remedy: remedy.to_owned() }
}

/// The text that these bytes are, without a leading mark.
fn decode(bytes: &[u8]) -> Result<String, Problem> {
    let wrong = |line: usize, column: usize, is: &str| Problem {
        place: Some(Place { line, column }),
        key: String::new(),
        what: format!("line {line} is {is}: save as UTF-8"),
        remedy: SAVE.to_owned(),
    };
    if is_utf_16(bytes) {
        return Err(wrong(1, 1, "UTF-16"));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text).to_owned()),
        Err(error) => {
            let before = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
            let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            Err(wrong(line, column, "not UTF-8 (GBK?)"))
        }
    }
}

/// By its mark, or by a zero beside nearly every letter.
fn is_utf_16(bytes: &[u8]) -> bool {
    let beginning = bytes.get(..bytes.len().min(BEGINNING)).unwrap_or_default();
    let zeros = beginning.iter().filter(|byte| **byte == 0).count();
    bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") || zeros > 1 && zeros * 3 > beginning.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(bytes: &[u8]) -> String {
        decode(bytes).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_utf_8_is_told_by_line_and_column() {
        // 收银台, as Notepad on a Chinese Windows saved it for decades.
        let gbk = b"listen: 127.0.0.1:8080\nupstream: http://127.0.0.1:5000\n# \xca\xd5\xd2\xf8\xcc\xa8\n";
        assert_eq!(problem(gbk), format!("3:3: line 3 is not UTF-8 (GBK?): save as UTF-8; {SAVE}"));
        assert!(
            problem("# 收银台 ".as_bytes().iter().chain(b"\xff").copied().collect::<Vec<_>>().as_slice())
                .starts_with("1:7:")
        );
        assert!(problem(b"\xca\xd5").starts_with("1:1: line 1 is not UTF-8"));
    }

    #[test]
    fn utf_16_is_named() {
        let little: Vec<u8> = "listen: 127.0.0.1:8080".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "listen: 127.0.0.1:8080".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [[&b"\xFF\xFE"[..], &little].concat(), [&b"\xFE\xFF"[..], &big].concat(), little, big] {
            assert!(problem(&bytes).starts_with("1:1: line 1 is UTF-16: save as UTF-8"), "{}", problem(&bytes));
        }
    }

    #[test]
    fn a_mark_and_windows_line_ends_are_fine() {
        assert_eq!(decode("\u{FEFF}a: 1\r\n".as_bytes()).unwrap(), "a: 1\r\n");
        assert_eq!(decode(b"").unwrap(), "");
    }

    #[test]
    fn the_first_file_that_is_there_is_meant() {
        let directory = tempfile::tempdir().unwrap();
        let [one, other] = ["one.yaml", "other.yaml"].map(|name| directory.path().join(name));
        assert_eq!(first_of([one.as_path(), other.as_path()]), one);
        std::fs::write(&other, "").unwrap();
        assert_eq!(first_of([one.as_path(), other.as_path()]), other);
        std::fs::write(&one, "").unwrap();
        assert_eq!(first_of([one.as_path(), other.as_path()]), one);
    }
}
