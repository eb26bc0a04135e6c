//! `check --resolve`: everybody who is named in a configuration is asked once whether he is there, and nothing else.

use crate::fakes::upstream::Upstream;
use crate::harness::{Setup, World};
use crate::program::Ended;
use serde_json::{Value, json};
use std::net::TcpListener;

fn resolved(world: &World) -> (Ended, Value) {
    let ended = world.command(&["check", "--resolve", "--json"]);
    let told = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stderr));
    (ended, told)
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A source on route `app` that lists this.
fn listed(setup: &mut Setup, text: &str) {
    let list = setup.dir.join("unpaid.jsonl");
    std::fs::write(&list, text).unwrap();
    setup.route("app")["synthesize"] = json!({ "body": "OrderID={{ order }}&paymentcenter_id=&TotalFee={{ amount }}" });
    setup.config["pending_orders"] =
        json!([{ "name": "shop", "every": "1h", "route": "app", "file": { "path": list } }]);
}

#[test]
fn all_is_well_where_everybody_is_there() {
    let world = World::with(|setup| {
        let other = Upstream::start();
        setup.channel_upstream("2/c1", &other);
        listed(
            setup,
            "{\"order\":\"A-1\",\"channel\":\"app\",\"amount\":100}\n{\"order\":\"A-2\",\"channel\":\"app\"}\n\
             {\"order\":\"A-3\",\"channel\":\"app\"}\n{\"order\":\"A-4\",\"channel\":\"app\"}\n",
        );
    });
    let (ended, told) = resolved(&world);
    assert_eq!(ended.code, 0, "{told} {}", ended.stderr);
    assert_eq!(told["upstreams"].as_array().unwrap().len(), 2, "{told}");
    assert!(told["upstreams"].as_array().unwrap().iter().all(|one| one["answers"] == true && one["problem"].is_null()));
    let source = json!({
        "source": "shop", "rows": 4, "malformed": 0, "orders": ["A-1", "A-2", "A-3"], "problem": null,
    });
    assert_eq!(told["sources"], json!([source]));
    let journal = json!({ "path": world.journal_file(), "writable": true, "problem": null });
    assert_eq!(told["journal"], journal);
    assert!(told["asked"].as_array().unwrap().iter().all(|one| one["answers"] == true), "{told}");
    let left: Vec<_> = std::fs::read_dir(world.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("tollgate-check")), "{left:?}");
    world.upstream_saw_nothing();
    let told = world.command(&["check", "--resolve"]).stdout;
    for words in ["takes connections", "source shop: 4 rows", "A-1, app, 1.00 CNY", "its folder can be written"] {
        assert!(told.contains(words), "no {words} in {told}");
    }
    let unresolved = world.command(&["check", "--json"]);
    let unresolved: Value = serde_json::from_str(&unresolved.stdout).unwrap();
    let unread = |told: &Value| told["unread_secrets"].as_array().unwrap().len();
    assert_eq!((unread(&resolved(&world).1), unread(&unresolved) > 0), (0, true), "they were read by --resolve only");
    assert!(["upstreams", "sources", "journal", "asked"].iter().all(|key| unresolved[key].is_null()), "{unresolved}");
}

#[test]
fn an_order_system_that_is_not_there_is_told() {
    let world = World::new();
    let nobody = nobody();
    world.change_config(|config| config["channels"]["app"]["upstream"] = json!(format!("http://{nobody}")));
    let (ended, told) = resolved(&world);
    assert_eq!(ended.code, 1, "{told}");
    let silent: Vec<_> = told["upstreams"].as_array().unwrap().iter().filter(|one| one["answers"] == false).collect();
    assert_eq!(silent.len(), 1, "{told}");
    assert!(silent[0]["upstream"].as_str().unwrap().ends_with(&nobody) && !silent[0]["problem"].is_null(), "{told}");
    let told = world.command(&["check", "--resolve"]).stdout;
    assert!(told.contains(&nobody) && told.contains("cannot be reached"), "{told}");
}

#[test]
fn an_order_system_that_speaks_no_tls_is_told() {
    let world = World::new();
    let plain = world.upstream.addr;
    world.change_config(|config| config["upstream"] = json!(format!("https://{plain}")));
    let (ended, told) = resolved(&world);
    assert_eq!(ended.code, 1, "{told}");
    assert!(told["upstreams"][0]["problem"].as_str().unwrap().starts_with("TLS: "), "{told}");
}

#[test]
fn a_source_that_cannot_be_read_or_used_is_told() {
    let world = World::with(|setup| {
        listed(setup, "{\"order\":\"B-1\",\"channel\":\"app\"}\n{\"order\":\"B 2\",\"channel\":\"app\"}\n");
    });
    let (ended, told) = resolved(&world);
    let source = &told["sources"][0];
    assert_eq!((ended.code, &source["rows"], &source["malformed"]), (1, &json!(2), &json!(1)), "{told}");
    assert!(source["problem"].as_str().unwrap().starts_with("row 2: order"), "{told}");

    std::fs::write(world.dir().join("unpaid.jsonl"), "{\"order\":\"B-3\",\"channel\":\"nobody\"}\n").unwrap();
    let (ended, told) = resolved(&world);
    assert_eq!(ended.code, 1, "{told}");
    assert_eq!(told["sources"][0]["problem"], "order B-3: there is no channel nobody");

    std::fs::remove_file(world.dir().join("unpaid.jsonl")).unwrap();
    let (ended, told) = resolved(&world);
    assert_eq!((ended.code, &told["sources"][0]["rows"]), (1, &json!(0)), "{told}");
    assert!(told["sources"][0]["problem"].as_str().unwrap().contains("cannot be read"), "{told}");
}

#[test]
fn a_journal_that_cannot_be_made_is_told() {
    let world = World::new();
    let file = world.dir().join("a-file");
    std::fs::write(&file, "").unwrap();
    world.change_config(|config| config["journal"] = json!({ "path": file.join("journal.db") }));
    let (ended, told) = resolved(&world);
    assert_eq!((ended.code, &told["journal"]["writable"]), (1, &json!(false)), "{told}");
    assert!(told["journal"]["problem"].as_str().unwrap().contains("no file can be made in"), "{told}");
    world.change_config(|config| config["journal"] = json!("none"));
    let (ended, told) = resolved(&world);
    assert_eq!((ended.code, &told["journal"]), (0, &Value::Null), "{told}");
}

/// The word of others may have it in it.
#[test]
fn no_secret_is_told() {
    let nobody = nobody();
    let world = World::with(|setup| listed(setup, ""));
    world.change_config(|config| {
        let url = format!("mysql://reader:CANARY-PASSWORD@{nobody}/shop");
        let sql = json!({ "url": url, "query": "SELECT order_no AS `order`, channel FROM orders" });
        config["pending_orders"] = json!([{ "name": "shop", "route": "app", "sql": sql }]);
    });
    for args in [&["check", "--resolve"][..], &["check", "--resolve", "--json"]] {
        let ended = world.command(args);
        assert_eq!(ended.code, 1, "{}", ended.stdout);
        assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("CANARY"), "{}{}", ended.stdout, ended.stderr);
    }
}
