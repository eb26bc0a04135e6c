//! The JSON API: what it shows of orders and callbacks, and what can be done about them, over real sockets.

use crate::fakes::wechat::{APP, OPENID, SignType, notification};
use crate::harness::{ADMIN_TOKEN, World, until};
use crate::wire::{Message, Request};
use serde_json::{Value, json};

const APP_ORDERS: &str = "/api/orders/app";

impl World {
    /// Waits until an order of channel app stands so; its only entry.
    fn stands(&self, order: &str, state: &str) -> Value {
        let mut found = Value::Null;
        until(&format!("{order} to be {state}"), || {
            let answer = self.admin_get(&format!("{APP_ORDERS}/{order}"));
            found = if answer.status() == 200 { answer.json()["entries"][0].take() } else { Value::Null };
            found["state"] == state
        });
        found
    }

    fn orders(&self, query: &str) -> Vec<String> {
        let page = self.admin_json(&format!("/api/orders{query}"));
        page["orders"].as_array().unwrap().iter().map(|order| order["order"].as_str().unwrap().to_owned()).collect()
    }

    /// The latest line of the audit trail.
    fn audited(&self) -> Value {
        self.admin_json("/api/audit?limit=1")["audit"][0].take()
    }
}

fn problem(answer: &Message, status: u16) -> Value {
    assert_eq!(answer.status(), status, "{}", answer.text());
    assert_eq!(answer.header("Content-Type").as_deref(), Some("application/problem+json"), "{}", answer.text());
    let problem = answer.json();
    assert_eq!((&problem["status"], &problem["type"]), (&json!(status), &json!("about:blank")), "{problem}");
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
    problem
}

#[test]
fn an_order_is_told_from_its_claim_to_its_delivery() {
    let world = World::new();
    let transaction_id = world.wechat.order(&APP, "STORY-1").paid(6600);
    let answer = world.callback("OrderID=STORY-1&TotalFee=6600");
    let id = answer.header("X-Request-Id").unwrap();
    let entry = world.stands("STORY-1", "accepted");
    assert_eq!((&entry["verdict"], &entry["reason"]), (&json!("paid"), &json!("paid")), "{entry}");
    assert_eq!(entry["claimed"], json!({ "transaction_id": null, "total_fee": 6600, "fee_type": "CNY" }));
    assert_eq!(
        (&entry["payment"]["transaction_id"], &entry["payment"]["total_fee"]),
        (&json!(transaction_id), &json!(6600))
    );
    assert_eq!((&entry["sendings"][0]["status"], &entry["sendings"][0]["accepted"]), (&json!(200), &json!(true)));
    assert!(entry["explanation"].is_string() && entry["what_to_do"].is_string());
    for time in [&entry["received_at"], &entry["payment"]["paid_at"], &entry["accepted_at"]] {
        assert!(time.as_str().unwrap().ends_with('Z'), "{entry}");
    }
    let callback = world.admin_json(&format!("/api/callbacks/{id}"));
    assert_eq!(callback["entries"][0]["order"], "STORY-1");
    assert_eq!(world.orders("?text=STORY"), ["STORY-1"]);
    let ledger = world.admin_json("/api/ledger?text=STORY-1");
    assert_eq!(ledger["found"][0]["payment"]["transaction_id"], json!(transaction_id));
}

#[test]
fn a_channel_with_a_slash_in_its_name_is_one_segment() {
    let world = World::new();
    world.callback("OrderID=SLASH-1&paymentcenter_id=PC1&ChannelID=2&CustomerID=c1");
    let order = world.admin_json("/api/orders/2%2Fc1/SLASH-1");
    assert_eq!((&order["channel"], &order["entries"][0]["out_trade_no"]), (&json!("2/c1"), &json!("PC1")));
    problem(&world.admin_get("/api/orders/2/c1/SLASH-1"), 404);
    assert_eq!(world.orders("?channel=2%2Fc1"), ["SLASH-1"]);
}

#[test]
fn a_refused_callback_is_found_by_its_id_and_its_reason() {
    let world = World::new();
    let answer = world.callback("OrderID=A&OrderID=B");
    let id = answer.header("X-Request-Id").unwrap();
    let mut found = Value::Null;
    until("the refused callback", || {
        found = world.admin_json("/api/refused?reason=field-repeated");
        !found["refused"].as_array().unwrap().is_empty()
    });
    assert_eq!(found["refused"][0]["request_id"], json!(id));
    assert_eq!(world.admin_json(&format!("/api/callbacks/{id}"))["refused"][0]["reason"], "field-repeated");
    assert_eq!(world.admin_json("/api/refused?reason=route-unknown")["refused"], json!([]));
    problem(&world.admin_get("/api/callbacks/00000000-0000-7000-8000-000000000000"), 404);
}

#[test]
fn pages_follow_each_other() {
    let world = World::new();
    for number in 0..5 {
        world.app_callback(&format!("PAGE-{number}"));
    }
    let mut query = "?limit=2&text=PAGE&state=asking".to_owned();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let page = world.admin_json(&format!("/api/orders{query}"));
        seen.extend(page["orders"].as_array().unwrap().iter().map(|order| order["order"].clone()));
        match page["next"].as_str() {
            Some(next) => query = format!("?limit=2&text=PAGE&state=asking&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(json!(seen), json!(["PAGE-4", "PAGE-3", "PAGE-2", "PAGE-1", "PAGE-0"]));
}

#[test]
fn parameters_that_make_no_sense_are_refused() {
    let world = World::new();
    for target in [
        "/api/orders?stat=parked",
        "/api/orders?state=sleeping",
        "/api/orders?state=",
        "/api/orders?state=parked&state=asking",
        "/api/orders?reason=because",
        "/api/orders?origin=heaven",
        "/api/orders?since=yesterday",
        "/api/orders?limit=0",
        "/api/orders?limit=201",
        "/api/orders?limit=x",
        "/api/orders?cursor=x",
        "/api/orders?text=",
        "/api/orders?text=%00",
        "/api/orders?channel=a%20b",
        "/api/orders/app/a%20b",
        "/api/orders/app/A?x=1",
        "/api/callbacks/not-an-id",
        "/api/ledger",
        "/api/refused?cursor=0",
        "/api/sweeps/x",
        "/api/sweeps/0",
        "/api/sweeps/1?what=other",
        "/api/overview?x=1",
        "/api/config?x",
    ] {
        problem(&world.admin_get(target), 400);
    }
    for target in ["/api", "/api/", "/api/order", "/api/orders/app", "/api/orders/app/A/B", "/api/sweeps/99"] {
        problem(&world.admin_get(target), 404);
    }
    let answer = world.admin_post("/api/orders");
    problem(&answer, 405);
    assert_eq!(answer.header("Allow").as_deref(), Some("GET,HEAD"));
}

#[test]
fn s07_a_redelivery_is_confirmed_again_and_audited() {
    let world = World::with(|setup| setup.hurry());
    world.wechat.order(&APP, "AGAIN-1").paid(100);
    world.app_callback("AGAIN-1");
    let entry = world.stands("AGAIN-1", "accepted")["entry"].clone();
    let decided = json!({ "override": ["accepted"], "because": "it was lost" });
    let again = Request::post(&format!("{APP_ORDERS}/AGAIN-1/redeliver"));
    let answer = world.admin_ask(again.json(decided.to_string()));
    assert_eq!(answer.status(), 202, "{}", answer.text());
    let done = json!({ "action": "redeliver", "channel": "app", "order": "AGAIN-1", "entries": [entry] });
    assert_eq!(answer.json(), done);
    until("the second delivery", || world.upstream.requests().len() == 2);
    assert!(world.wechat.queries().len() >= 2);
    let line = world.audited();
    assert_eq!(
        (&line["action"], &line["who"], &line["from"]),
        (&json!("redeliver"), &json!("token"), &json!("127.0.0.1"))
    );
    assert_eq!((&line["order"], &line["entries"]), (&json!("AGAIN-1"), &json!([entry])));
    // The command says who as well.
    let args = ["redeliver", "AGAIN-1", "--override", "accepted", "--because", "it was lost"];
    assert_eq!(world.command(&args).code, 0);
    let line = world.audited();
    assert_eq!((&line["action"], &line["from"]), (&json!("redeliver"), &json!("cli")), "{line}");
    assert!(line["who"].as_str().unwrap().starts_with("cli:"), "{line}");
}

#[test]
fn what_is_parked_is_left_alone_until_it_is_unparked() {
    let world = World::with(|setup| setup.hurry());
    world.app_callback("PARK-1");
    world.stands("PARK-1", "asking");
    let answer = world.admin_post(&format!("{APP_ORDERS}/PARK-1/park"));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    world.wechat.order(&APP, "PARK-1").paid(100);
    let asked = world.wechat.queries().len();
    // Another order that comes later is asked about and delivered meanwhile.
    world.app_callback("PARK-2");
    world.wechat.order(&APP, "PARK-2").paid(100);
    world.stands("PARK-2", "accepted");
    let entry = world.stands("PARK-1", "parked");
    assert_eq!(entry["reason"], "parked-by-operator", "{entry}");
    let of_parked = |queries: usize| world.wechat.queries().len() - queries;
    assert!(of_parked(asked) < 30, "it is not asked about: {}", of_parked(asked));
    problem(&world.admin_post(&format!("{APP_ORDERS}/PARK-1/park")), 409);
    let answer = world.admin_post(&format!("{APP_ORDERS}/PARK-1/unpark"));
    assert_eq!(answer.status(), 202, "{}", answer.text());
    world.stands("PARK-1", "accepted");
    problem(&world.admin_post(&format!("{APP_ORDERS}/PARK-1/unpark")), 409);
    let trail = world.admin_json("/api/audit");
    let actions: Vec<_> =
        trail["audit"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["unpark", "park"], "what did nothing has no line");
}

#[test]
fn what_is_asked_by_hand_changes_nothing_and_is_audited() {
    let world = World::new();
    let transaction_id = world.wechat.order(&APP, "ASK-1").paid(100);
    let answer = world.admin_post(&format!("{APP_ORDERS}/ASK-1/query"));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let said = answer.json();
    assert_eq!((&said["verdict"], &said["transaction_id"]), (&json!("paid"), &json!(transaction_id)), "{said}");
    let line = world.audited();
    assert_eq!((&line["action"], &line["outcome"]), (&json!("query"), &json!("paid")), "{line}");
    problem(&world.admin_get(&format!("{APP_ORDERS}/ASK-1")), 404);
    problem(&world.admin_post("/api/orders/nobody/ASK-1/query"), 404);
    world.upstream_saw_nothing();
}

#[test]
fn a_query_asks_by_the_number_that_the_callback_named() {
    let world = World::new();
    world.callback("OrderID=MINE-1&paymentcenter_id=THEIRS-1&ChannelID=2&CustomerID=c1");
    let answer = world.admin_post("/api/orders/2%2Fc1/MINE-1/query");
    assert_eq!(answer.json()["out_trade_no"], "THEIRS-1", "{}", answer.text());
}

#[test]
fn nothing_is_done_to_what_is_not_there() {
    let world = World::new();
    for action in ["redeliver", "park", "unpark"] {
        problem(&world.admin_post(&format!("{APP_ORDERS}/NONE-1/{action}")), 404);
    }
    assert_eq!(world.admin_json("/api/audit")["audit"], json!([]));
    let get = world.admin_get(&format!("{APP_ORDERS}/NONE-1/redeliver"));
    problem(&get, 405);
    assert_eq!(get.header("Allow").as_deref(), Some("POST"));
}

#[test]
fn the_whole_is_told_at_a_glance() {
    let world = World::new();
    world.wechat.order(&APP, "GLANCE-1").paid(100);
    world.app_callback("GLANCE-1");
    world.app_callback("GLANCE-2");
    let mut overview = Value::Null;
    until("both to be counted", || {
        overview = world.admin_json("/api/overview");
        overview["today"]["entries"]["accepted"] == 1 && !overview["today"]["by_reason"][0].is_null()
    });
    assert_eq!((&overview["ready"], &overview["today"]["confirmed"]), (&json!(true), &json!(1)), "{overview}");
    assert_eq!(overview["today"]["by_channel"]["app"]["accepted"], 1);
    assert_eq!(overview["today"]["by_reason"], json!([{ "reason": "order-not-found", "count": 1 }]));
    assert_eq!(overview["wechat_hosts"][0]["open"], false);
    let budget = &overview["query_budgets"][0];
    assert!(budget["left"].as_u64() <= budget["at_once"].as_u64(), "{budget}");
    assert!(overview["upstreams"][0]["answered_at"].is_string(), "{overview}");
    assert!(overview["figures"]["bytes"].as_u64().unwrap() > 0);
}

#[test]
fn an_upstream_that_does_not_answer_is_told() {
    let world = World::with(|setup| setup.config["upstream"] = json!("http://127.0.0.1:1"));
    world.wechat.order(&APP, "DOWN-1").paid(100);
    assert_eq!(world.app_callback("DOWN-1").status(), 502);
    let upstream = world.admin_json("/api/overview")["upstreams"][0].take();
    assert_eq!(
        (&upstream["reason"], &upstream["answered_at"]),
        (&json!("upstream-unreachable"), &json!(null)),
        "{upstream}"
    );
}

#[test]
fn without_a_journal_what_needs_it_says_so() {
    let world = World::with(|setup| setup.config["journal"] = json!("none"));
    for target in ["/api/orders", "/api/orders/app/A", "/api/refused", "/api/sweeps", "/api/sources", "/api/audit"] {
        problem(&world.admin_get(target), 503);
    }
    let overview = world.admin_json("/api/overview");
    assert_eq!(
        (&overview["ready"], &overview["today"], &overview["figures"]),
        (&json!(true), &json!(null), &json!(null))
    );
    world.wechat.order(&APP, "BARE-1").paid(100);
    assert_eq!(world.admin_post(&format!("{APP_ORDERS}/BARE-1/query")).json()["verdict"], "paid");
}

#[test]
fn coming_and_going_are_audited() {
    let world = World::new();
    let origin = format!("http://{}", world.gate.admin());
    let form = |token: &str| {
        let form = Request::post("/login").at(world.gate.admin()).form(format!("token={token}"));
        world.admin_send(&form.header("Origin", &origin))
    };
    form("wrong");
    let cookie = form(ADMIN_TOKEN).header("Set-Cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let out = Request::post("/logout").at(world.gate.admin()).header("Cookie", &cookie).header("Origin", &origin);
    world.admin_send(&out);
    let mut lines = Value::Null;
    until("three lines", || {
        lines = world.admin_json("/api/audit")["audit"].take();
        lines.as_array().unwrap().len() == 3
    });
    let said: Vec<_> = lines.as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(said, ["logout", "login", "login-refused"]);
    let who = lines[1]["who"].as_str().unwrap();
    assert!(who.starts_with("session:") && who == lines[0]["who"].as_str().unwrap(), "{lines}");
    assert!(!cookie.contains(who.trim_start_matches("session:")) || who.len() < 20);
}

#[test]
fn nothing_personal_and_no_secret_is_told() {
    let world = World::new();
    world.wechat.order(&APP, "MASK-1").paid(100);
    let answer = world.wechat_calls_back("app", notification(&APP, "MASK-1", 100), APP.key, SignType::Md5);
    assert_eq!(answer.status(), 200);
    for target in
        ["/api/orders", "/api/orders/app/MASK-1", "/api/overview", "/api/config", "/api/refused", "/api/audit"]
    {
        let text = world.admin_get(target).text();
        for secret in [OPENID, APP.key, ADMIN_TOKEN, "openid"] {
            assert!(!text.contains(secret), "{target}: {secret}: {text}");
        }
    }
}

#[test]
fn the_document_describes_every_path() {
    let world = World::new();
    let document = world.admin_json("/api/openapi.json");
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    for path in [
        "/api/orders",
        "/api/orders/{channel}/{order}",
        "/api/orders/{channel}/{order}/redeliver",
        "/api/orders/{channel}/{order}/park",
        "/api/orders/{channel}/{order}/unpark",
        "/api/orders/{channel}/{order}/query",
        "/api/callbacks/{id}",
        "/api/ledger",
        "/api/refused",
        "/api/sweeps",
        "/api/sweeps/{id}",
        "/api/sources",
        "/api/overview",
        "/api/audit",
        "/api/config",
    ] {
        assert!(paths.iter().any(|known| *known == path), "{path}: {paths:?}");
    }
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    assert!(document["components"]["securitySchemes"]["token"].is_object());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for status in ["400", "401", "421", "429", "503"] {
                assert!(operation["responses"][status].is_object(), "{method} {path}: {status}");
            }
            assert_eq!(operation["responses"]["403"].is_object(), method == "post", "{method} {path}");
        }
    }
}
