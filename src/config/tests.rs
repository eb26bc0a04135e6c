//! The folders `tests/config/accepted` and `tests/config/rejected`: a rejected file stands beside the exact messages it
//! must produce, and adding a case is adding a file.
//!
//! All of them are read in the environment of [`Surroundings`].

use super::*;
use crate::gate::claim::{Carrier, Field, Place as In};
use crate::journal::Place as JournalPlace;
use crate::provider::wechat::v2::preset::{DIALECT, PRESET};
use std::collections::BTreeSet;
use std::env::VarError;
use std::fs;
use std::io;

/// `${KEY}` and `${file:key}` (below the config's directory) are usable keys, `${EMPTY}` is set and empty, `${SHORT}`
/// is no key; `${PORT}` is an address, `${SHOP_DATABASE}` and `${JOURNAL_DATABASE}`
/// are databases. `${V3_KEY}` is an APIv3 key, and `${file:v3/NAME}`
/// a file of `tests/fixtures/wechatpay-v3/keys`. Certificates and keys for TLS are `cert.pem`, `key.pem`, `admin.pem` and
/// `admin.key`; an authority is `ca.pem`. Nothing else is there.
struct Surroundings;

const KEY: &str = "CANARYabcdefghijklmnopqrstuv0123";
const V3_FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wechatpay-v3/keys");
const V3_KEY: &str = "CANARYabcdefghijklmnopqrstuv-3-3";

impl Environment for Surroundings {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        let value = match name {
            "KEY" => KEY,
            "SHORT" => "CANARY",
            "V3_KEY" => V3_KEY,
            "EMPTY" => "",
            "PORT" => "127.0.0.1:8080",
            "JOURNAL_DATABASE" => "postgres://gate:CANARY@10.0.0.7/shop",
            "SHOP_DATABASE" => "mysql://reader:CANARY@127.0.0.1/shop",
            _ => return Err(VarError::NotPresent),
        };
        Ok(value.to_owned())
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("dir/key") => Ok(format!("{KEY}\n")),
            Some("dir/key-and-blank-line") => Ok(format!("{KEY}\n\n")),
            _ => {
                let mut parts = path.iter().rev().filter_map(|part| part.to_str());
                let (Some(name), Some("v3")) = (parts.next(), parts.next()) else {
                    return Err(io::ErrorKind::NotFound.into());
                };
                fs::read_to_string(Path::new(V3_FILES).join(name))
            }
        }
    }

    fn readable(&self, path: &Path) -> io::Result<()> {
        match path.file_name().and_then(|name| name.to_str()) {
            Some("ca.pem" | "cert.pem" | "key.pem" | "admin.pem" | "admin.key") => Ok(()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Every section with its keys, in the order of `docs/config.md`.
static SECTIONS: &[&read::Section] = &[
    &file::FILE,
    &routes::ROUTE,
    &fields::RULE,
    &reply::REPLY,
    &reply::SUCCESS,
    &reply::FAILURE,
    &accepted::ACCEPTED,
    &resign::RESIGN,
    &synthesize::SYNTHESIZE,
    &channels::CHANNEL,
    &channels::OUT_TRADE_NO,
    &sweep::SWEEP,
    &headers::HEADERS,
    &headers::SIGNATURE,
    &settings::WECHAT,
    &settings::CACHE,
    &settings::LIMITS,
    &settings::FORWARDING,
    &settings::TLS,
    &settings::LOG,
    &traces::TRACES,
    &admin::ADMIN,
    &journal::JOURNAL,
    &journal::TLS,
    &journal::KEEP,
    &follow_up::FOLLOW_UP,
    &pending::PENDING,
    &pending::SQL,
    &pending::HTTP,
    &pending::FILE,
];

/// No variable and no file.
struct Nothing;

impl Environment for Nothing {
    fn variable(&self, _: &str) -> Result<String, VarError> {
        Err(VarError::NotPresent)
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn readable(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }
}

const MINIMAL: &str = "
listen: 127.0.0.1:8080
upstream: http://127.0.0.1:5000
routes:
  - { name: a, path: /a, carrier: form, order: id, channel: app }
channels:
  app: { provider: wechat-v2, appid: wxd930ea5d5a258f4f, mch_id: 0123456789, key: ${KEY} }
";

fn parse(text: &str) -> Result<Config, Problems> {
    Config::parse(text, Path::new("dir/config.yaml"), &Surroundings)
}

fn minimal_and(more: &str) -> Result<Config, Problems> {
    parse(&format!("{MINIMAL}{more}"))
}

/// The text of a file of the repository.
fn shipped(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Every `.yaml` of a folder below `tests/config`: name without suffix, and text.
fn folder(name: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Traces are a problem of their own in a program that was built without them.
fn is_for_this_program((_, text): &(String, String)) -> bool {
    cfg!(feature = "otlp") || !text.contains("\ntraces:")
}

#[test]
fn accepted_files_are_accepted() {
    let files = folder("accepted");
    assert!(files.len() >= 8);
    for (name, text) in files.into_iter().filter(is_for_this_program) {
        if let Err(problems) = parse(&text) {
            panic!("{name}\n{problems}");
        }
    }
}

#[test]
fn rejected_files_produce_exactly_their_messages() {
    let files = folder("rejected");
    assert!(files.len() >= 30, "threat O-01 wants thirty broken files");
    let mut wrong = Vec::new();
    for (name, text) in files.into_iter().filter(is_for_this_program) {
        let expected = shipped(&format!("tests/config/rejected/{name}.txt"));
        let got = match Config::parse(&text, Path::new("config.yaml"), &Surroundings) {
            Ok(_) => "accepted".to_owned(),
            Err(problems) => problems.to_string(),
        };
        if got.trim_end() != expected.trim_end() {
            wrong.push(format!("--- {name}, got\n{got}\n--- expected\n{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_message_and_no_debug_output_repeats_a_value() {
    for (name, text) in folder("rejected") {
        let problems = Config::parse(&text, Path::new("config.yaml"), &Surroundings).unwrap_err();
        assert!(!format!("{problems} {problems:?}").contains("CANARY"), "{name}");
    }
    let misplaced = [
        "mode: CANARY",
        "listen: CANARY",
        "CANARY0123456789CANARY0123456789: 1",
        "tls: CANARY",
        "- CANARY",
        "deadline: CANARY",
        "headers: { amount: CANARY CANARY }",
        "wechat: { hosts: [CANARY] }",
        "log: { level: CANARY=CANARY }",
        "admin: { listen: 127.0.0.1:1, token: CANARY }",
        "cache: {key:CANARY0123456789CANARY0123456789}",
        "journal: CANARY",
        "limits: { body: CANARY }",
        "forwarding: { host: CANARY@CANARY }",
        "x: !CANARY y",
        "x: *CANARY",
        "x: \"CANARY",
        "x: {CANARY",
    ];
    for line in misplaced {
        let problems = minimal_and(line).unwrap_err();
        assert!(!format!("{problems} {problems:?}").contains("CANARY"), "{line}: {problems}");
    }
    let config = minimal_and("headers: { signature: { name: X-S, key: ${KEY} } }\n").unwrap();
    assert!(!format!("{config:?}").contains("CANARY"));
}

#[test]
fn the_shipped_file_is_right_without_and_with_its_secrets() {
    let text = shipped("config.yaml");
    let outline = Outline::parse(&text, Path::new("config.yaml"), &Nothing).unwrap();
    assert_eq!((outline.routes, outline.channels), (2, 2));
    assert_eq!(outline.unread_secrets, ["${WECHAT_APP_KEY}", "${WECHAT_C1_KEY}"]);
    let shared = text.replace("WECHAT_C1_KEY", "WECHAT_APP_KEY");
    let outline = Outline::parse(&shared, Path::new("config.yaml"), &Nothing).unwrap();
    assert_eq!(outline.unread_secrets, ["${WECHAT_APP_KEY}"], "named once, however many use it");
    let problems = Config::parse(&text, Path::new("config.yaml"), &Nothing).unwrap_err();
    assert_eq!(problems.list.len(), 2, "{problems}");
    assert!(problems.to_string().contains("WECHAT_APP_KEY is not set"), "{problems}");
}

#[test]
fn only_secrets_may_stay_unread() {
    let text = MINIMAL.replace("127.0.0.1:8080", "${PORT}");
    assert!(parse(&text).is_ok());
    let problems = Outline::parse(&text, Path::new("config.yaml"), &Nothing).unwrap_err();
    assert_eq!(problems.list.len(), 1, "{problems}");
}

#[test]
fn ids_stay_as_they_are_written() {
    for written in ["0123456789", "\"0123456789\"", "'0123456789'", "0600", "1e10", "0x1F", "true", "yes"] {
        let kept = written.trim_matches(['"', '\'']);
        let config = parse(&MINIMAL.replace("wxd930ea5d5a258f4f", written)).unwrap();
        assert_eq!(config.channels[0].account.payee().application.as_str(), kept);
        let config = parse(&MINIMAL.replace("0123456789", written));
        match config {
            Ok(config) => assert_eq!(config.channels[0].account.payee().merchant.as_str(), kept),
            Err(problems) => assert!(kept.contains(|c: char| c.is_ascii_alphabetic()), "{problems}"),
        }
    }
}

#[test]
fn a_reference_is_a_whole_value_and_stands_wherever_a_value_does() {
    for written in ["${KEY}", "\"${KEY}\"", "'${KEY}'", "${file:key}", "[${KEY}, ${file:key}]", "[\"${KEY}\"]"] {
        let config = parse(&MINIMAL.replace("${KEY}", written)).unwrap();
        let keys = config.accounts[0].credentials.v2().unwrap();
        assert_eq!(keys.signing.expose(), KEY.as_bytes(), "{written}");
    }
    for written in ["x${KEY}", "${KEY}x", "${file:key-and-blank-line}", "${file:}", "${}", "${1}", "${KEY KEY}", "$KEY"]
    {
        assert!(parse(&MINIMAL.replace("${KEY}", &format!("'{written}'"))).is_err(), "{written}");
    }
}

#[test]
fn a_reference_in_braces_does_not_move_the_columns() {
    let problems = parse(&MINIMAL.replace("${KEY} }", "${KEY}, kex: 1 }")).unwrap_err();
    let line = MINIMAL.lines().last().unwrap();
    let place = Place { line: MINIMAL.lines().count(), column: line.find(" }").unwrap() + 3 };
    assert_eq!(problems.list[0].place, Some(place), "{problems}");
}

#[test]
fn what_a_short_file_does_not_say_has_the_documented_default() {
    let page = shipped("docs/config.md");
    let (_, rest) = page.split_once("```yaml defaults\n").expect("docs/config.md shows the defaults");
    let (defaults, _) = rest.split_once("```").unwrap();
    let said = minimal_and(defaults).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(format!("{said:?}"), format!("{:?}", minimal_and("").unwrap()));
    let keys: Vec<_> = SECTIONS.iter().find(|section| section.name == "headers").unwrap().keys.to_vec();
    let named = |key: &&str| defaults.contains(&format!("\n  {key}:"));
    assert!(keys.iter().filter(|key| **key != "signature").all(named));
}

#[test]
fn the_shortest_file_of_the_page_is_right() {
    let page = shipped("docs/config.md");
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (shortest, _) = rest.split_once("```").unwrap();
    Outline::parse(shortest, Path::new("config.yaml"), &Nothing).unwrap_or_else(|problems| panic!("{problems}"));
}

/// `docs/config.md` has a heading for every section, and under it a row for every key and for nothing else.
#[test]
fn the_page_describes_every_key() {
    let page = shipped("docs/config.md");
    let mut described = 0;
    for part in page.split("\n## `").skip(1) {
        let (name, text) = part.split_once('`').unwrap();
        let section =
            SECTIONS.iter().find(|section| section.name == name).unwrap_or_else(|| panic!("no section {name}"));
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let (rows, keys): (BTreeSet<_>, BTreeSet<_>) = (rows.collect(), section.keys.iter().copied().collect());
        assert_eq!(rows, keys, "{name}");
        described += 1;
    }
    assert_eq!(described, SECTIONS.len());
}

#[cfg(feature = "otlp")]
#[test]
fn every_key_of_the_design_is_read() {
    let (_, text) = folder("accepted").into_iter().find(|(name, _)| name == "everything").unwrap();
    for section in SECTIONS {
        for key in section.keys {
            assert!(text.contains(&format!("{key}:")), "{}.{key} is not in everything.yaml", section.name);
        }
    }
    assert_eq!(parse(&text).unwrap().admin.unwrap().hosts, ["gate.example.com"]);
}

#[test]
fn the_journal_is_a_file_beside_the_configuration_unless_it_is_none() {
    let journal = minimal_and("").unwrap().journal.unwrap();
    assert_eq!(
        (journal.settings.meeting_place().unwrap(), journal.settings.room.records),
        (Path::new("dir/tollgate.db"), 100_000)
    );
    assert_eq!(minimal_and("journal: none\n").unwrap().journal, None);
}

#[test]
fn a_journal_in_a_database_is_told_apart_and_shows_no_password() {
    let journal = minimal_and("journal: { url: \"${JOURNAL_DATABASE}\", replica: gate-1 }\n").unwrap().journal.unwrap();
    assert!(journal.settings.is_shared());
    assert_eq!(journal.settings.meeting_place(), None);
    let JournalPlace::Database(database) = &journal.settings.place else { panic!("{journal:?}") };
    assert_eq!((database.schema.as_str(), database.replica.as_str()), ("tollgate", "gate-1"));
    let (lease, timeout) = (std::time::Duration::from_secs(15), std::time::Duration::from_secs(2));
    assert_eq!((database.lease, database.timeout, database.pool, database.migrate), (lease, timeout, 8, true));
    assert_eq!(journal.settings.to_string(), "postgres://10.0.0.7:5432/shop");
    assert!(!format!("{journal:?}").contains("CANARY"));
}

#[test]
fn a_url_that_is_there_is_read_for_an_outline_and_one_that_is_not_is_left() {
    let text = format!("{MINIMAL}journal: {{ url: \"${{JOURNAL_DATABASE}}\", password: \"${{file:key}}\" }}\n");
    let path = Path::new("dir/config.yaml");
    let outline = |environment: &dyn Environment| Outline::parse(&text, path, environment).unwrap();
    let there = outline(&Surroundings);
    assert!(!there.unread_secrets.contains(&"${JOURNAL_DATABASE}".to_owned()));
    assert_eq!(there.journal.unwrap().settings.to_string(), "postgres://10.0.0.7:5432/shop");
    let absent = outline(&Nothing);
    assert!(absent.unread_secrets.contains(&"${JOURNAL_DATABASE}".to_owned()), "{:?}", absent.unread_secrets);
    assert_eq!(absent.journal.unwrap().settings.to_string(), "${JOURNAL_DATABASE}");
}

#[test]
fn bodies_are_kept_for_a_while_and_entries_for_longer() {
    let days = |days: u64| std::time::Duration::from_secs(days * 24 * 3600);
    for (written, bodies, entries) in [
        ("{ path: j.db }", 30, 90),
        ("{ keep: 60d }", 30, 60),
        ("{ keep: 7d }", 7, 7),
        ("{ keep: { bodies: 1d } }", 1, 90),
        ("{ keep: { entries: 10d } }", 10, 10),
        ("{ keep: { bodies: 20d, entries: 10d } }", 10, 10),
    ] {
        let config = minimal_and(&format!("journal: {written}\n")).unwrap();
        let keep = config.journal.as_ref().unwrap().keep;
        assert_eq!((keep.bodies, keep.entries), (days(bodies), days(entries)), "{written}");
    }
    assert!(minimal_and("journal: { keep: { ledger: 3y } }\n").is_err());
}

#[test]
fn memory_for_bodies_holds_two_of_them_at_least() {
    let memory = |limits: &str| minimal_and(&format!("limits: {limits}\n")).map(|config| config.limits.server.memory);
    assert_eq!(memory("{ body: 64KiB }").unwrap(), 128 << 20);
    assert_eq!(memory("{ body: 64MiB }").unwrap(), 128 << 20);
    assert!(memory("{ memory: 1MiB, body: 512KiB }").is_ok());
    assert!(memory("{ memory: 1MiB, body: 513KiB }").is_err());
    assert!(memory("{ memory: 1KiB }").is_err());
}

#[test]
fn the_preset_says_what_a_notification_is() {
    let (_, text) = folder("accepted").into_iter().find(|(name, _)| name == "preset").unwrap();
    let config = parse(&text).unwrap();
    let [by_path, by_name] = config.routes.as_slice() else { panic!() };
    let fields = by_path.main.claim.fields();
    assert!(
        by_path.main.preset == Some(&PRESET)
            && by_path.methods == [hyper::Method::POST]
            && fields.carrier == Carrier::Xml
    );
    assert_eq!(fields.order, Field { place: In::Carrier, name: "out_trade_no".to_owned() });
    assert_eq!(by_path.main.accepted.return_code.as_deref(), Some("SUCCESS"));
    assert_eq!(
        fields.channel[0].choose,
        crate::gate::claim::Choose::From(vec![Field { place: In::Path, name: "channel".to_owned() }])
    );
    assert_eq!(by_name.main.accepted.body_contains.as_deref(), Some("OK"));
    assert_eq!(by_name.main.accepted.return_code, None, "what is written replaces the default");
}

#[test]
fn a_preset_of_both_languages_reads_and_answers_in_each() {
    let (_, text) = folder("accepted").into_iter().find(|(name, _)| name == "preset-of-both").unwrap();
    let config = parse(&text).unwrap();
    let [auto, written_out, by_path, own, custom] = config.routes.as_slice() else { panic!() };
    for (route, is_auto) in [(auto, true), (by_path, false), (own, false)] {
        let names: Vec<_> = route.readings().map(|reading| reading.preset.unwrap().name).collect();
        assert_eq!(names, ["wechat-v3", "wechat-v2"], "{}", route.name);
        for reading in route.readings() {
            let preset = reading.preset.unwrap();
            assert_eq!(reading.reply.dialect, Some(preset.dialect), "{}", route.name);
            assert_eq!(reading.claim.fields().carrier, preset.carrier, "{}", route.name);
            assert_eq!(reading.is_auto(), is_auto, "{}", route.name);
        }
    }
    assert!(written_out.main.is_auto() && written_out.also.is_empty());
    let own_rule = |reading: &crate::gate::route::Reading| reading.accepted.code.as_deref() == Some("SUCCESS");
    assert!(own.readings().all(own_rule) && own.readings().all(|reading| reading.reply.failure.is_some()));
    assert_eq!(auto.readings().filter(|reading| own_rule(reading)).count(), 1, "what v2 says stands in return_code");
    assert_eq!(custom.main.reply.dialect.unwrap().name, "wechat-v3");
}

#[test]
fn a_preset_keeps_its_dialect_beside_own_bodies() {
    let (_, text) = folder("accepted").into_iter().find(|(name, _)| name == "preset-own-bodies").unwrap();
    let config = parse(&text).unwrap();
    for route in &config.routes {
        assert_eq!(route.main.reply.dialect, Some(&DIALECT), "{}", route.name);
        assert!(route.main.reply.failure.is_some(), "{}", route.name);
    }
}

#[test]
fn what_a_section_leaves_out_has_its_default() {
    let (_, text) = folder("accepted").into_iter().find(|(name, _)| name == "partial").unwrap();
    let config = parse(&text).unwrap();
    let [sweep] = config.sweeps.as_slice() else { panic!() };
    assert_eq!((sweep.at, sweep.days), (jiff::civil::time(10, 30, 0, 0), 3));
    assert!(config.pending_orders.iter().all(|source| source.every == Duration::from_secs(30)));
    assert_eq!(config.headers.signature.unwrap().name, "x-verified-signature");
    assert_eq!(config.headers.channel, "x-verified-channel");
    assert_eq!((config.cache.capacity, config.cache.pending), (100_000, Duration::from_millis(100)));
    assert_eq!(config.follow_up.concurrency, 16);
    assert_eq!(config.routes[0].main.accepted.status, crate::gate::accepted::AcceptedStatus::Class(2));
}

#[test]
fn asking_gets_two_seconds_of_the_deadline_and_never_more_than_half() {
    for (written, confirm) in [("4500ms", 2000), ("1m", 2000), ("4s", 2000), ("3s", 1500), ("1500ms", 750)] {
        let config = minimal_and(&format!("deadline: {written}\n")).unwrap();
        assert_eq!(config.confirm_deadline, Duration::from_millis(confirm), "{written}");
    }
    let config = minimal_and("deadline: 1500ms\nconfirm_deadline: 1s\n").unwrap();
    assert_eq!(config.confirm_deadline, Duration::from_secs(1));
}

#[test]
fn a_pace_that_the_query_budget_does_not_carry_is_warned_of() {
    for (queries, pace, is_warned_of) in
        [(20, 10, false), (20, 11, true), (100, 50, false), (100, 51, true), (1, 1, false)]
    {
        let text = format!("wechat: {{ queries_per_second: {queries} }}\nfollow_up: {{ pace: {pace} }}\n");
        let config = minimal_and(&text).unwrap();
        let warned_of = config.warnings.iter().any(|warning| warning.key == "follow_up.pace");
        assert_eq!(warned_of, is_warned_of, "{queries} {pace}");
        assert_eq!(config.follow_up.pace, pace);
    }
    // The default is not written, so nobody is told of it.
    let config = minimal_and("wechat: { queries_per_second: 2 }\n").unwrap();
    assert!(!config.warnings.iter().any(|warning| warning.key.starts_with("follow_up")));
    assert_eq!((config.follow_up.pace, config.follow_up.probe), (10, Duration::from_secs(20)));
}

#[test]
fn a_file_that_is_not_there_is_one_plain_message() {
    let problems = Config::load(Path::new("no/such/config.yaml")).unwrap_err();
    let wanted = "no/such/config.yaml: cannot be read (entity not found); name the file with --config or TOLLGATE_CONFIG, or \
                  have one made: tollgate init";
    assert_eq!(problems.to_string(), wanted);
}

#[test]
fn hostile_yaml_is_stopped_early() {
    let bomb: String = (1..40)
        .map(|level| format!("x{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", ")))
        .fold("x0: &a0 [x, x, x]\n".to_owned(), |text, line| text + &line);
    let deep = "[".repeat(10_000);
    let deep_block: String = (0..500).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    let itself = "a: &a [*a]";
    let large = "#".repeat(17 << 20);
    let many = format!("[{}]", "a,".repeat(1_000_001));
    let kept = format!("{}[{}]", "&a [".repeat(20), "a,".repeat(50_000));
    for text in [
        &*bomb,
        &*deep,
        &*deep_block,
        itself,
        &*large,
        &*many,
        &*kept,
        "",
        "\u{FEFF}",
        "# nothing",
        "---\n---\n",
        "\0",
        "a: \u{E000}",
    ] {
        let problems = parse(text).unwrap_err();
        assert!(!problems.list.is_empty() && problems.list.len() <= 3, "{problems}");
    }
}

/// A file with so many channels, all of which notify one address.
fn with_channels(channels: u32, more: &str) -> String {
    let channel = |number: u32| {
        format!(
            "  c{number}: {{ provider: wechat-v2, appid: wx{number:016x}, mch_id: {number:010}, key: k{number:031}{more} }}\n"
        )
    };
    let routes = "  - { name: a, path: /a, preset: wechat-v2, channel: auto }\n";
    let channels: String = (1..=channels).map(channel).collect();
    format!("listen: 127.0.0.1:0\nupstream: http://u:80\nroutes:\n{routes}channels:\n{channels}")
}

#[test]
fn more_than_five_thousand_channels_are_read() {
    let config = parse(&with_channels(6_000, "")).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.channels.len(), 6_000);
}

#[test]
fn among_many_channels_those_that_are_alike_are_told_of() {
    let text = with_channels(100, ", sweep: { route: a }");
    assert_eq!(parse(&text).unwrap_or_else(|problems| panic!("{problems}")).sweeps.len(), 100);
    let (_, channel) = text.rsplit_once("  c100: ").unwrap();
    for (name, wanted) in [
        ("c7", vec!["channels.c7: stands at 12:3 already"]),
        (
            "other",
            vec![
                "routes[0].channel: is auto, and channels c100 and other are one account",
                "channels.other.sweep: cannot tell its payments from those of channel c100",
            ],
        ),
    ] {
        let problems = parse(&format!("{text}  {name}: {channel}")).unwrap_err();
        assert_eq!(problems.list.len(), wanted.len(), "{problems}");
        assert!(wanted.iter().all(|wanted| problems.to_string().contains(wanted)), "{problems}");
    }
}

#[test]
fn an_alias_stands_for_what_it_names() {
    let text = MINIMAL.replace("  app: {", "  app: &app {") + "  other: *app\n";
    assert_eq!(parse(&text).unwrap().channels.len(), 2);
}

#[test]
fn the_process_reads_files_beside_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    fs::write(&path, MINIMAL.replace("${KEY}", "${file:key}")).unwrap();
    assert!(Config::load(&path).is_err() && Outline::load(&path).is_ok());
    fs::write(directory.path().join("key"), format!("{KEY}\r\n")).unwrap();
    let config = Config::load(&path).unwrap();
    let keys = config.accounts[0].credentials.v2().unwrap();
    assert_eq!(keys.signing.expose(), KEY.as_bytes());
    assert_eq!(config.journal.unwrap().settings.meeting_place().unwrap(), directory.path().join("tollgate.db"));
    let with_tls = |cert: &str| fs::write(&path, MINIMAL.replace("${KEY}", "${file:key}") + cert).unwrap();
    with_tls("tls: { cert: key, key: key }\n");
    assert!(Config::load(&path).is_ok() && Outline::load(&path).is_ok());
    for absent in ["no-such.pem", "."] {
        with_tls(&format!("tls: {{ cert: {absent}, key: key }}\n"));
        let problems = Outline::load(&path).unwrap_err();
        assert!(problems.to_string().contains("tls.cert: cannot be read"), "{problems}");
    }
    with_tls("");
    fs::write(directory.path().join("key"), vec![b'x'; 1 << 20]).unwrap();
    assert!(Config::load(&path).unwrap_err().to_string().contains("cannot be read (file too large)"));
}

proptest::proptest! {
    /// Nothing that an editor can do to a file makes the reader panic, and what it refuses it explains.
    #[test]
    fn a_damaged_file_is_accepted_or_explained(at in 0usize..5000, length in 0usize..40, put in "[ -~\n]{0,8}") {
        let (_, text) = folder("accepted").into_iter().find(|(name, _)| name == "everything").unwrap();
        let damaged: String = text.chars().take(at).chain(put.chars()).chain(text.chars().skip(at + length)).collect();
        if let Err(problems) = parse(&damaged) {
            assert!(!problems.list.is_empty());
            assert!(problems.list.iter().all(|problem| problem.place.is_some()), "{problems}");
        }
    }
}
