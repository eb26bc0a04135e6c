//! What was before the gate is nothing that the gate sends again: a schedule begins with its first whole day.

use crate::fakes::wechat::{APP, Bill, C1};
use crate::harness::{Setup, World, until};
use crate::sweep::swept;
use jiff::Span;
use jiff::civil::Date;
use rusqlite::Connection;
use serde_json::{Value, json};

fn today() -> Date {
    tollgate::domain::clock::beijing(tollgate::domain::clock::now()).date()
}

fn days_ago(days: i64) -> Date {
    today().checked_sub(Span::new().days(days)).unwrap()
}

/// Every one of the last days has a paid order that the shop got before the gate was there; channel app is swept like this.
/// So is another merchant's channel, from the first day on, whatever was before: its sweeps show that schedules were looked at.
fn shop(setup: &mut Setup, sweep: Value) {
    swept(setup);
    setup.config["channels"]["app"]["sweep"] = sweep;
    let all = json!({ "route": "app", "at": "00:00", "days": 1, "from": "2020-01-01", "before_gate": "deliver" });
    setup.route("app")["synthesize"] = json!({ "body": "OrderID={{ order }}{% if channel != \"app\" %}\
        &paymentcenter_id={{ out_trade_no }}&ChannelID={{ channel_parts[0] }}&CustomerID={{ channel_parts[1] }}{% endif %}" });
    setup.config["channels"]["2/c1"]["sweep"] = all;
    for ago in 0..5 {
        let (day, order) = (days_ago(ago).strftime("%Y%m%d").to_string(), format!("HISTORY-{ago}"));
        let id = setup.wechat().order(&APP, &order).paid(100);
        setup.wechat().bill(&APP, &day, &Bill::default().paid(&APP, &order, &id, 100));
        setup.wechat().bill(&C1, &day, &Bill::default());
    }
}

fn schedules_were_looked_at(world: &World) {
    let of_the_other = format!("SELECT count(*) FROM sweep WHERE state = 'done' AND mch_id = '{}'", C1.mch_id);
    until("schedules to be looked at", || world.journal(&of_the_other) > 0);
}

/// As if the journal had been made so many days ago.
fn made_days_ago(world: &mut World, days: i64) {
    world.kill9();
    let journal = Connection::open(world.journal_file()).unwrap();
    journal.execute("UPDATE clock SET made_at = made_at - ?1", [days * 24 * 3_600_000]).unwrap();
    journal.execute("DELETE FROM sweep", []).unwrap();
    drop(journal);
    world.restart();
}

#[test]
fn what_the_shop_had_before_the_gate_came_is_not_sent_again() {
    let world = World::with(|setup| shop(setup, json!({ "route": "app", "at": "00:00", "days": 3 })));
    schedules_were_looked_at(&world);
    let of_ours = format!("SELECT count(*) FROM sweep WHERE mch_id = '{}'", APP.mch_id);
    assert_eq!(world.journal(&of_ours), 0);
    world.upstream_saw_nothing();
}

#[test]
fn an_earlier_day_is_compared_and_told_and_nothing_of_it_is_delivered() {
    let sweep = json!({ "route": "app", "at": "00:00", "days": 3, "from": days_ago(2).to_string() });
    let world = World::with(|setup| shop(setup, sweep));
    let compared = "SELECT count(*) FROM sweep WHERE state = 'done' AND dry_run AND found = 1 AND channels = 'app'";
    until("two days to be compared", || world.journal(compared) >= 2);
    assert_eq!(world.journal("SELECT count(*) FROM sweep WHERE NOT dry_run AND channels = 'app'"), 0);
    assert!(world.gate.log().contains("before the gate's first whole one"), "nobody was told");
    assert_eq!(world.journal("SELECT count(*) FROM entry WHERE \"order\" LIKE 'HISTORY%'"), 0);
    world.upstream_saw_nothing();
}

#[test]
fn who_wants_it_gets_earlier_days_delivered() {
    let from = days_ago(2).to_string();
    let sweep = json!({ "route": "app", "at": "00:00", "days": 3, "from": from, "before_gate": "deliver" });
    let world = World::with(|setup| shop(setup, sweep));
    for order in ["HISTORY-1", "HISTORY-2"] {
        until(order, || !world.upstream.requests_for(order).is_empty());
    }
    assert!(world.upstream.requests_for("HISTORY-3").is_empty());
}

#[test]
fn a_gate_that_has_been_there_delivers_what_never_called_back() {
    let mut world = World::with(|setup| shop(setup, json!({ "route": "app", "at": "00:00", "days": 4 })));
    made_days_ago(&mut world, 3);
    for order in ["HISTORY-1", "HISTORY-2"] {
        until(order, || !world.upstream.requests_for(order).is_empty());
    }
    assert!(world.upstream.requests_for("HISTORY-3").is_empty(), "on that day the gate was made");
}

#[test]
fn since_when_the_gate_is_there_is_told_wherever_somebody_looks() {
    let mut world = World::with(|setup| shop(setup, json!({ "route": "app" })));
    made_days_ago(&mut world, 2);
    let since = days_ago(1).to_string();
    assert_eq!(world.admin_json("/api/config")["gate_since"], json!(since));
    assert_eq!(world.admin_json("/api/overview")["config"]["gate_since"], json!(since));
    assert!(world.admin_get("/sweeps").text().contains(&since));
    let text = world.command(&["journal", "check"]);
    let line = text.stdout.lines().find(|line| line.contains("gate since")).unwrap();
    assert!(line.contains(&since), "{line}");
    let report: Value = serde_json::from_str(&world.command(&["journal", "check", "--json"]).stdout).unwrap();
    assert_eq!(report["gate_since"], json!(since));
}

#[test]
fn a_from_before_the_gate_is_warned_of_with_both_dates() {
    let from = days_ago(2).to_string();
    let world = World::with(|setup| shop(setup, json!({ "route": "app", "from": from })));
    let first = today().tomorrow().unwrap().to_string();
    let warnings = |world: &World| {
        let ended = world.command(&["check", "--json"]);
        assert_eq!(ended.code, 0, "a warning refuses nothing: {}", ended.stderr);
        serde_json::from_str::<Value>(&ended.stdout).unwrap()["warnings"].clone()
    };
    let says = |warnings: &Value, words: &[&str]| {
        let of_app = |warning: &&Value| warning["key"] == "channels.app.sweep.from";
        let text = warnings.as_array().unwrap().iter().find(of_app).unwrap()["text"].as_str().unwrap().to_owned();
        assert!(text.contains("from is before the gate's first whole day"), "{text}");
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    };
    says(&warnings(&world), &[&from, &first, "journal was made"]);
    assert!(world.command(&["check"]).stdout.contains("from is before the gate's first whole day"));
    // What is usable and may not be meant is said in the log, too.
    world.change_config(|config| config["journal"]["path"] = json!(world.dir().join("none-yet.db")));
    says(&warnings(&world), &[&from, "no journal yet"]);
    world.change_config(|config| config["channels"]["app"]["sweep"]["from"] = json!("2099-01-01"));
    assert!(!warnings(&world).to_string().contains("channels.app.sweep.from"));
}

#[test]
fn by_hand_everything_is_sent_and_said() {
    let world = World::with(|setup| shop(setup, json!({ "route": "app" })));
    let day = days_ago(1).to_string();
    let ended =
        world.command(&["sweep", "--channel", "app", "--date", &day, "--to", &today().to_string(), "--wait", "20s"]);
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("2 of 2 days. What the order system got then"), "{}", ended.stderr);
    assert!(!world.upstream.requests_for("HISTORY-1").is_empty());
    let dry = world.command(&["sweep", "--channel", "app", "--date", &day, "--dry-run"]);
    assert!(!dry.stderr.contains("first whole day"), "{}", dry.stderr);
}
