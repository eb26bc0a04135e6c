//! The journal's file: what a gate does that cannot have it, and that nobody who looks into it takes anything away.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::APP;
use crate::harness::{World, until};
use crate::program::Ended;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;

/// A gate that starts with the configuration as it is now, and should not.
fn start(world: &World) -> Ended {
    let ended = world.command(&["run"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{}", ended.stderr);
    // Beside what the log says of the configuration, which is JSON here.
    let errors = ended.stderr.lines().filter(|line| !line.starts_with('{')).count();
    assert_eq!(errors, 1, "{}", ended.stderr);
    ended
}

fn start_on(world: &World, path: &str) -> Ended {
    let file = world.config_file();
    let mut config: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    config["journal"]["path"] = json!(path);
    std::fs::write(file, config.to_string()).unwrap();
    start(world)
}

fn says(ended: &Ended, words: &[&str]) {
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not in {:?}", ended.stderr);
    }
}

#[test]
fn a_directory_that_is_not_there_or_read_only_is_told_in_one_line() {
    let world = World::new();
    let missing = world.dir().join("missing/journal.db");
    says(
        &start_on(&world, missing.to_str().unwrap()),
        &["missing/journal.db", "directory must be there", "No such file"],
    );
    // Root may write anywhere, but not here.
    says(&start_on(&world, "/sys/journal.db"), &["/sys/journal.db", "writable for this user"]);
}

#[test]
fn the_journal_is_there_before_the_port_is_open() {
    let world = World::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    world.change_config(|config| config["listen"] = json!(taken.local_addr().unwrap().to_string()));
    // A gate that gets no port has made its journal already, so whoever sees the port can use the commands.
    let path = world.dir().join("another.db");
    says(&start_on(&world, path.to_str().unwrap()), &["cannot listen on"]);
    assert!(path.exists());
}

#[test]
fn a_second_gate_on_the_same_journal_names_the_file_and_the_first() {
    let world = World::new();
    let ended = start(&world);
    let process = format!("process {}", world.gate.pid());
    says(&ended, &["journal.db is in use by", &process, "stop that gate first"]);
    world.wechat.order(&APP, "FIRST-1").paid(100);
    assert_eq!(world.app_callback("FIRST-1").status(), 200);
}

#[test]
fn the_journal_of_a_newer_program_is_refused_and_left_alone() {
    let world = World::new();
    world.kill9();
    let journal = Connection::open(world.journal_file()).unwrap();
    journal.pragma_update(None, "user_version", 99).unwrap();
    drop(journal);
    says(&start(&world), &["journal.db", "version 99", "run the newer tollgate"]);
    assert_eq!(world.journal("SELECT user_version FROM pragma_user_version"), 99);
}

#[test]
fn somebody_elses_file_is_refused_and_left_alone() {
    let world = World::new();
    let file = world.dir().join("theirs.db");
    let theirs = Connection::open(&file).unwrap();
    theirs.execute_batch("CREATE TABLE customer (name TEXT); INSERT INTO customer VALUES ('one')").unwrap();
    drop(theirs);
    let before = std::fs::read(&file).unwrap();
    says(&start_on(&world, file.to_str().unwrap()), &["theirs.db", "no journal of tollgate"]);
    let after = Connection::open(&file).unwrap();
    let tables: i64 = after.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!((tables, before.len()), (1, std::fs::read(&file).unwrap().len()));
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let world = World::new();
    let file = world.dir().join("letter.db");
    let text = "Dear Sir or Madam, this is a letter. ".repeat(200);
    std::fs::write(&file, &text).unwrap();
    says(&start_on(&world, file.to_str().unwrap()), &["letter.db is no journal of tollgate"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

/// SQLite's lock on the file is what keeps others from removing the log, and closing any other handle of it drops that.
#[test]
fn the_gate_keeps_its_lock_on_the_file_when_it_opens_more_connections() {
    let world = World::new();
    until("the figures, which are read with a connection of their own", || world.gate.log().contains("unconfirmed"));
    let (process, inode) = (world.gate.pid().to_string(), std::fs::metadata(world.journal_file()).unwrap().ino());
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let words = locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = words.filter(|words| words.contains(&"POSIX") && words.contains(&process.as_str()));
    let on_the_file = ours.filter(|words| words.iter().any(|word| word.ends_with(&format!(":{inode}")))).count();
    assert_eq!(on_the_file, 1, "{locks}");
}

#[test]
fn whoever_looks_into_it_meanwhile_takes_nothing_away() {
    let mut world = World::with(|setup| setup.hurry());
    world.upstream.answers(Reply::Breaks);
    for order in ["LOOK-1", "LOOK-2", "LOOK-3"] {
        world.wechat.order(&APP, order).paid(100);
        assert_eq!(world.app_callback(order).status(), 502);
        // As the sqlite3 tool does. A handle that takes itself for the last one removes the log.
        let looker = Connection::open(world.journal_file()).unwrap();
        looker.query_row("SELECT count(*) FROM entry", [], |row| row.get::<_, i64>(0)).unwrap();
        looker.close().unwrap();
    }
    world.kill9();
    world.upstream.answers(Reply::ok(b"taken"));
    world.restart();
    for order in ["LOOK-1", "LOOK-2", "LOOK-3"] {
        until(order, || world.upstream.acted_after(0).iter().any(|acted| acted.request.text().contains(order)));
    }
}
