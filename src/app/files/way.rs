//! The way to a file: the names on which it depends what a reader of its path finds.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// Names that are gone through to one file, the links' included: far more than a path has.
const STEPS: usize = 1000;

/// A name in a folder behind which another file can be put.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    /// Without links on the way to it.
    pub(super) folder: PathBuf,
    pub(super) name: OsString,
}

/// Where these files really are, every link on the way to them, and what is missing on it.
pub(super) fn spots<'f>(files: impl IntoIterator<Item = &'f PathBuf>) -> BTreeSet<Spot> {
    let mut spots = BTreeSet::new();
    let mut folders = HashMap::new();
    for file in files {
        let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else { continue };
        let real = folders.entry(folder).or_insert_with(|| walk(".".into(), folder, &mut spots));
        let Some(real) = real else { continue };
        let is = walk(real.clone(), Path::new(name), &mut spots);
        spots.extend(is.as_deref().and_then(Spot::of));
    }
    spots
}

impl Spot {
    fn of(path: &Path) -> Option<Self> {
        Some(Self { folder: path.parent()?.to_owned(), name: path.file_name()?.to_owned() })
    }
}

/// Goes `way` from a folder on, as the system would, and notes links. `None` if it ends at a name that is missing, which
/// is noted too.
fn walk(mut at: PathBuf, way: &Path, spots: &mut BTreeSet<Spot>) -> Option<PathBuf> {
    let mut ahead = names_backwards(way);
    for _ in 0..STEPS {
        let Some(name) = ahead.pop() else { return Some(at) };
        let next = at.join(&name);
        match std::fs::read_link(&next) {
            Ok(target) => {
                spots.extend(Spot::of(&next));
                ahead.extend(names_backwards(&target));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                spots.extend(Spot::of(&next));
                return None;
            }
            Err(_) => at = next,
        }
    }
    None
}

/// The last name first. The root is a name that leads there from anywhere.
fn names_backwards(path: &Path) -> Vec<OsString> {
    let names = path.components().filter(|name| *name != Component::CurDir);
    names.rev().map(|name| name.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn at(folder: &Path, name: &str) -> Spot {
        Spot { folder: folder.to_owned(), name: name.into() }
    }

    #[test]
    fn a_way_has_every_link_and_the_place_where_the_file_is() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("real/1")).unwrap();
        fs::write(root.join("real/1/config.yaml"), "").unwrap();
        symlink("real", root.join("etc")).unwrap();
        symlink("1", root.join("real/..data")).unwrap();
        symlink("..data/config.yaml", root.join("real/config.yaml")).unwrap();
        symlink(root.join("etc/../etc/config.yaml"), root.join("mine.yaml")).unwrap();
        let real = root.join("real");
        let ways = spots(&[root.join("mine.yaml")]);
        // The second time around, `etc` is left by `..` from where it leads to.
        let back = real.join("..");
        let expected =
            [at(&root, "mine.yaml"), at(&root, "etc"), at(&back, "etc"), at(&back.join("real"), "config.yaml")];
        assert!(expected.iter().all(|spot| ways.contains(spot)), "{ways:?}");
        assert!(ways.contains(&at(&back.join("real/1"), "config.yaml")), "{ways:?}");
    }

    #[test]
    fn a_way_ends_at_what_is_missing_and_in_a_ring_of_links() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        symlink("two", root.join("one")).unwrap();
        symlink("one", root.join("two")).unwrap();
        let ways = spots(&[root.join("keys/app/key.pem"), root.join("one")]);
        assert_eq!(ways, BTreeSet::from([at(&root, "keys"), at(&root, "one"), at(&root, "two")]));
    }
}
