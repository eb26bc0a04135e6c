//! A journal that is damaged is named at the start, with what is wrong and what to do: no gate starts that would answer 503.

use crate::fakes::wechat::APP;
use crate::harness::World;
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A way to damage the file at this path.
type Damage = fn(&Path);

fn sql(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

fn schema(path: &Path, sql: &str) {
    let journal = Connection::open(path).unwrap();
    journal.execute_batch(&format!("PRAGMA writable_schema = ON; {sql}; PRAGMA writable_schema = OFF")).unwrap();
}

fn write_at(path: &Path, at: u64, bytes: &[u8]) {
    fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

fn beside(path: &Path, end: &str) -> std::path::PathBuf {
    format!("{}{end}", path.display()).into()
}

/// The first page of a table or an index, counted from 0.
fn page_of(path: &Path, name: &str) -> u64 {
    let journal = Connection::open(path).unwrap();
    let page: i64 =
        journal.query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [name], |row| row.get(0)).unwrap();
    u64::try_from(page - 1).unwrap()
}

const TABLE: &[(&str, Damage, &[&str])] = &[
    ("its first page is garbage", |path| write_at(path, 0, &[0xa5; 4096]), &["first page is damaged"]),
    ("its header is zeros", |path| write_at(path, 0, &[0; 100]), &["first page is damaged"]),
    (
        "the end is cut off",
        |path| {
            let length = path.metadata().unwrap().len();
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length / 2 / 4096 * 4096).unwrap();
        },
        &["is damaged", "Keep a copy", ".recover", "journal check"],
    ),
    ("the entries' page is zeros", |path| write_at(path, page_of(path, "entry") * 4096, &[0; 4096]), &["is damaged"]),
    (
        "the page of an index is garbage",
        |path| write_at(path, page_of(path, "entry_order") * 4096, &[0xa5; 4096]),
        &["is damaged"],
    ),
    (
        "a few bytes of a page have flipped",
        |path| write_at(path, page_of(path, "request") * 4096 + 3, &[0xff; 4]),
        &["is damaged"],
    ),
    ("a table is not there", |path| sql(path, "DROP TABLE probe"), &["is damaged: it has no table probe"]),
    ("the requests are not there", |path| sql(path, "DROP TABLE request"), &["is damaged: it has no table request"]),
    ("an index is not there", |path| sql(path, "DROP INDEX entry_list"), &["is damaged: it has no index entry_list"]),
    ("a view is not there", |path| sql(path, "DROP VIEW ledger"), &["it has no view ledger"]),
    (
        "a table has other columns",
        |path| sql(path, "ALTER TABLE refused RENAME COLUMN detail TO more"),
        &["its table refused is not as this program makes it"],
    ),
    (
        "a column is missing",
        |path| sql(path, "ALTER TABLE minute DROP COLUMN latencies"),
        &["its table minute is not as this program makes it"],
    ),
    (
        "its layout says less than its version",
        |path| {
            schema(
                path,
                "DELETE FROM sqlite_schema WHERE name IN ('sweep_row', 'sweep_row_payment', 'sweep_row_what')",
            );
        },
        &["is damaged"],
    ),
    (
        "it is empty, and its log is not",
        |path| {
            fs::write(path, b"").unwrap();
            fs::write(beside(path, "-wal"), [0x37, 0x7f, 6, 0x82, 0, 0, 0, 0]).unwrap();
        },
        &["is damaged: it is empty, and its log (-wal) is not"],
    ),
    (
        "its log is garbage",
        |path| fs::write(beside(path, "-wal"), [0xa5; 8192]).unwrap(),
        &["is damaged: its log (-wal) does not begin like one"],
    ),
    (
        "it is a directory",
        |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
        &["journal.db", "is a directory"],
    ),
    (
        "it is somebody else's",
        |path| {
            fs::remove_file(path).unwrap();
            sql(path, "CREATE TABLE customer (name TEXT)");
        },
        &["is no journal of tollgate"],
    ),
    ("it is a text", |path| fs::write(path, "order,amount\n".repeat(1000)).unwrap(), &["is no journal of tollgate"]),
    ("it is from a newer program", |path| sql(path, "PRAGMA user_version = 99"), &["layout version 99"]),
];

#[test]
fn each_damaged_journal_is_named_at_the_start_with_what_is_wrong_and_what_to_do() {
    let world = World::new();
    for index in 0..20 {
        let order = format!("KEPT-{index}");
        world.wechat.order(&APP, &order).paid(100);
        assert_eq!(world.app_callback(&order).status(), 200);
    }
    let written = "SELECT count(*) FROM attempt WHERE ended_at NOT NULL";
    crate::harness::until("the journal to be written", || world.journal(written) == 20);
    world.kill9();
    let path = world.journal_file();
    sql(&path, "PRAGMA wal_checkpoint(TRUNCATE)");
    let whole = fs::read(&path).unwrap();
    let remove = |end: &str| {
        let _ = fs::remove_file(beside(&path, end));
        let _ = fs::remove_dir(beside(&path, end));
    };
    // What follows ends with this: it is sound, and the gate gets as far as its port.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    world.change_config(|config| config["listen"] = serde_json::json!(taken.local_addr().unwrap().to_string()));
    let mut wrong = Vec::new();
    let sound: (&str, Damage, &[&str]) = ("nothing is wrong", |_| (), &["cannot listen on"]);
    for (name, damage, words) in TABLE.iter().chain([&sound]) {
        ["", "-wal", "-shm"].into_iter().for_each(remove);
        fs::write(&path, &whole).unwrap();
        damage(&path);
        let before = fs::read(&path).unwrap_or_default();
        let ended = world.command(&["run"]);
        let is_sound = *name == "nothing is wrong";
        let missing: Vec<_> = words.iter().filter(|word| !ended.stderr.contains(**word)).collect();
        if ended.code != 1 || !missing.is_empty() || !ended.stderr.contains("journal.db") && !is_sound {
            wrong.push(format!("{name}: {} without {missing:?}: {}", ended.code, ended.stderr));
        }
        if fs::read(&path).unwrap_or_default() != before && !is_sound {
            wrong.push(format!("{name}: the start has written into it"));
        }
        let checked = world.command(&["journal", "check"]);
        let told = checked.stdout.clone() + &checked.stderr;
        if checked.code != i32::from(!is_sound) || !told.contains("journal.db") {
            wrong.push(format!("{name}: journal check ends {} with {told}", checked.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
