//! A disk that fails as it is told, and a clock that is wrong as it is told, under a gate: `faults/disk.c` and
//! `faults/clock.c`, loaded into the gate before libc.

use crate::harness::{Setup, World};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The disk under one gate's journal.
pub struct Disk {
    control: PathBuf,
}

/// A gate on such a disk, which works so far. Its follow-up is quick.
pub fn world_on_a_disk(change: impl FnOnce(&mut Setup)) -> (World, Disk) {
    let mut control = PathBuf::new();
    let world = World::with(|setup| {
        control = setup.dir.join("disk");
        setup.env.push(("LD_PRELOAD".to_owned(), shim("disk").to_str().unwrap().to_owned()));
        setup.env.push(("TOLLGATE_DISK".to_owned(), control.to_str().unwrap().to_owned()));
        setup.hurry();
        change(setup);
    });
    (world, Disk { control })
}

impl Disk {
    /// Behaves like this from now on; the words are in `faults/disk.c`.
    pub fn does(&self, word: &str) {
        fs::write(&self.control, word).unwrap();
    }

    pub fn works(&self) {
        self.does("");
    }
}

/// The power fails: the gate is gone, and of its journal what was never synced. The caller starts the gate again.
pub fn power_cut(world: &World) {
    world.kill9();
    let journal = world.journal_file();
    for end in ["", "-wal"] {
        let beside = |more: &str| PathBuf::from(format!("{}{end}{more}", journal.display()));
        let _ = fs::remove_file(beside(""));
        if beside(".disk").exists() {
            fs::copy(beside(".disk"), beside("")).unwrap();
        }
    }
    let _ = fs::remove_file(format!("{}-shm", journal.display()));
}

/// A time of day that is wrong as it is told, under one gate: `faults/clock.c`.
pub struct Clock {
    control: PathBuf,
}

impl Clock {
    /// The right one so far, under the gate that is set up.
    pub fn under(setup: &mut Setup) -> Self {
        let clock = Self { control: setup.dir.join("clock") };
        setup.env.push(("LD_PRELOAD".to_owned(), shim("clock").to_str().unwrap().to_owned()));
        setup.env.push(("TOLLGATE_CLOCK".to_owned(), clock.control.to_str().unwrap().to_owned()));
        clock
    }

    /// Is ahead by so many seconds from now on.
    pub fn is_ahead(&self, seconds: i64) {
        let new = self.control.with_extension("new");
        fs::write(&new, seconds.to_string()).unwrap();
        fs::rename(new, &self.control).unwrap();
    }
}

/// The compiled shim of this name.
fn shim(name: &str) -> PathBuf {
    static COMPILED: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut compiled = COMPILED.lock().unwrap();
    // Another test binary may be at it at the same time.
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.so", std::process::id()));
    let shim = built.with_file_name(format!("{name}.so"));
    if !compiled.iter().any(|done| done == name) {
        let source = format!("{}/tests/gate/faults/{name}.c", env!("CARGO_MANIFEST_DIR"));
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&built).args([&source, "-ldl"]);
        assert!(compiler.status().unwrap().success(), "a C compiler is needed");
        fs::rename(&built, &shim).unwrap();
        compiled.push(name.to_owned());
    }
    shim
}
