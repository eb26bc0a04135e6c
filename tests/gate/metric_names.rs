//! The names are the same everywhere: in a scrape, in the docs, in the alerts and on the dashboard.

use crate::fakes::tls::Certificate;
use crate::fakes::upstream::Reply;
use crate::fakes::wechat::{APP, Bill};
use crate::harness::{World, until};
use crate::scrape::Scrape;
use crate::servers::Postgres;
use crate::sweep::swept;
use crate::wire::Request;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = include_str!("../../docs/metrics.md");
const ALERTS: &str = include_str!("../../deploy/prometheus/tollgate.rules.yml");
const ALERTS_TESTED: &str = include_str!("../../deploy/prometheus/tollgate.rules.test.yml");
const DASHBOARD: &str = include_str!("../../deploy/grafana/tollgate.json");

/// Type and labels of every name, as the page has them.
fn on_the_page() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `tollgate_") || line.starts_with("| `process_"));
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let mut next = || cells.next().unwrap().to_owned();
        let (name, kind, labels) = (next(), next(), next());
        (
            name.trim_matches('`').to_owned(),
            (kind, labels.split_whitespace().map(|label| label.trim_matches('`').to_owned()).collect()),
        )
    };
    rows.map(row).collect()
}

/// The same of a scrape.
fn scraped(scrape: &Scrape) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let family = |(name, kind): (&str, &str)| {
        let (shown, sample) = match kind {
            "counter" => (format!("{name}_total"), format!("{name}_total")),
            "info" => (format!("{name}_info"), format!("{name}_info")),
            "histogram" => (name.to_owned(), format!("{name}_count")),
            _ => (name.to_owned(), name.to_owned()),
        };
        let labels = scrape.series(&sample, &[]).flat_map(|(labels, _)| labels.keys().cloned()).collect();
        (shown, (kind.to_owned(), labels))
    };
    scrape.families().map(family).collect()
}

/// Every word that is one of our names.
fn named_in(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words =
        text.split(|c| !is_part(c)).filter(|word| word.starts_with("tollgate_") || word.starts_with("process_"));
    words.map(str::to_owned).collect()
}

/// A gate that has seen everything there are numbers of.
fn eventful(certificate: &Certificate) -> World {
    let world = World::with(|setup| {
        swept(setup);
        setup.speaks_v3();
        setup.config["channels"]["new"]["platform_certificates"] = json!(["${file:platform_1.pem}"]);
        let (cert, key) = certificate.write(&setup.dir);
        setup.config["tls"] = json!({ "cert": cert, "key": key });
        let path = setup.dir.join("unpaid.jsonl");
        std::fs::write(&path, "").unwrap();
        let file = json!({ "name": "shop", "every": "1s", "route": "app", "file": { "path": path } });
        setup.config["pending_orders"] = json!([file]);
    });
    let id = world.wechat.order(&APP, "LOST-1").paid(250);
    world.wechat.order(&APP, "PAID-1").paid(100);
    world.upstream.answers_once(Reply::Says { status: 500, content_type: "text/plain", body: Vec::new() });
    let mut wire = certificate.connect(world.gate.addr);
    wire.send(&Request::post("/pay/success").form("OrderID=PAID-1").bytes());
    world.heard(&wire.answer().unwrap());
    world.wechat.bill(&APP, "20261122", &Bill::default().paid(&APP, "LOST-1", &id, 250));
    let ended = world.command(&["sweep", "--channel", "app", "--date", "2026-11-22", "--wait", "20s"]);
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    world
}

/// What is told of a journal in a database alone.
const OF_A_DATABASE: [&str; 8] = [
    "tollgate_journal_round_trip_seconds",
    "tollgate_journal_retries_total",
    "tollgate_lease_lost_total",
    "tollgate_replicas",
    "tollgate_replicas_config_differs",
    "tollgate_clock_skew_seconds",
    "tollgate_duty",
    "tollgate_query_share",
];

fn is_of_a_database(name: &str) -> bool {
    OF_A_DATABASE.contains(&name)
}

/// The families that a gate tells of a journal in a database; `None` if databases are to be skipped.
fn of_a_database(
    page: &BTreeMap<String, (String, BTreeSet<String>)>,
) -> Option<BTreeMap<String, (String, BTreeSet<String>)>> {
    let server = Postgres::shared()?;
    server.run("CREATE USER names PASSWORD 'secret'; GRANT CREATE ON DATABASE shop TO names");
    let world = World::with(|setup| {
        let url = format!("postgres://names:secret@127.0.0.1:{}/shop", server.port);
        setup.config["journal"] = json!({ "url": url, "schema": "names", "lease": "2s" });
    });
    world.wechat.order(&APP, "PAID-1").paid(100);
    let of_ours =
        || scraped(&world.scrape()).into_iter().filter(|(name, _)| is_of_a_database(name)).collect::<BTreeMap<_, _>>();
    let wanted: BTreeMap<_, _> = page.clone().into_iter().filter(|(name, _)| is_of_a_database(name)).collect();
    until("what is told of a journal in a database", || {
        // So that something is under way when its connection ends, and is done again.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20 {
                    server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'names'");
                }
            });
            for _ in 0..20 {
                world.app_callback("PAID-1");
            }
        });
        of_ours() == wanted
    });
    Some(of_ours())
}

#[test]
fn the_page_has_every_name_with_its_type_and_labels_and_none_besides() {
    let certificate = Certificate::new();
    let world = eventful(&certificate);
    let page = on_the_page();
    let names = |all: &BTreeMap<_, _>| all.keys().cloned().collect::<BTreeSet<String>>();
    // The source, the journal's figures and the follow-up have their own times.
    let own: BTreeSet<_> = names(&page).into_iter().filter(|name| !is_of_a_database(name)).collect();
    until("everything that there are numbers of", || names(&scraped(&world.scrape())).is_superset(&own));
    let scrape = world.scrape();
    let mut there = scraped(&scrape);
    match of_a_database(&page) {
        Some(others) => there.extend(others),
        None => there.extend(page.clone().into_iter().filter(|(name, _)| is_of_a_database(name))),
    }
    assert_eq!(there, page);
    assert!(scrape.one("tollgate_tls_certificate_days_left", &[("listener", "callbacks")]) > 1.0);
    assert_eq!(scrape.one("tollgate_source_failures", &[("source", "shop")]), 0.0);
    assert!(scrape.one("tollgate_sweep_last_success_timestamp_seconds", &[("mch_id", APP.mch_id)]) > 1e9);
}

#[test]
fn alerts_and_dashboard_ask_for_what_there_is() {
    let page = on_the_page();
    for (file, text) in [("alerts", ALERTS), ("their tests", ALERTS_TESTED), ("dashboard", DASHBOARD)] {
        for name in named_in(text) {
            let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let is_there = page.contains_key(&name)
                || histogram.and_then(|name| page.get(name)).is_some_and(|(kind, _)| kind == "histogram");
            assert!(is_there, "{file}: {name} is on no scrape");
        }
    }
}

#[test]
fn every_alert_is_tested_and_every_family_is_drawn() {
    let alerts: Vec<_> = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        let tested = ALERTS_TESTED.matches(&format!("alertname: {alert}\n")).count();
        assert!(tested > 0, "no test raises {alert}");
    }
    let drawn = named_in(DASHBOARD);
    for (name, (kind, _)) in on_the_page() {
        let name = if kind == "histogram" { format!("{name}_bucket") } else { name };
        let also_as = name.replace("_bucket", "_sum");
        assert!(
            drawn.contains(&name) || drawn.contains(&also_as) || name == "process_threads",
            "{name} is nowhere on the dashboard"
        );
    }
}
