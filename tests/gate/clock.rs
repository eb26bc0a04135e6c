//! A clock that is wrong, for a moment or at the start, ends nothing: what waits goes on, and what is kept stays.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::APP;
use crate::faults::Clock;
use crate::follow_up::{explained, stands};
use crate::harness::{Setup, World, until};
use serde_json::json;

const DAY: i64 = 24 * 3600;

/// A gate under a clock that can be set, whose follow-up tries each second for a day.
fn world(change: impl FnOnce(&mut Setup)) -> (World, Clock) {
    let mut clock = None;
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["follow_up"]["ask_again_for"] = json!("1d");
        setup.config["follow_up"]["redeliver_for"] = json!("1d");
        clock = Some(Clock::under(setup));
        change(setup);
    });
    (world, clock.unwrap())
}

/// An order that is paid and not accepted, and one that is not paid yet.
fn unfinished(world: &World) {
    world.upstream.answers(Reply::Says { status: 500, content_type: "text/plain", body: b"no".to_vec() });
    world.wechat.order(&APP, "PAID-1").paid(100);
    assert_eq!(world.app_callback("PAID-1").status(), 500);
    world.wechat.order(&APP, "ASKED-1").state("NOTPAY");
    assert_eq!(world.app_callback("ASKED-1").status(), 503);
}

/// Both go on, until they are done.
fn go_on(world: &World) {
    assert_eq!(explained(world, "PAID-1")["state"], "delivering", "{}", explained(world, "PAID-1"));
    assert_eq!(explained(world, "ASKED-1")["state"], "asking", "{}", explained(world, "ASKED-1"));
    let (sent, asked) = (world.upstream.requests_for("PAID-1").len(), world.wechat.asked("ASKED-1"));
    until("the paid one to be sent again", || world.upstream.requests_for("PAID-1").len() > sent);
    until("the other to be asked about again", || world.wechat.asked("ASKED-1") > asked);
    world.upstream.answers(Reply::ok(b"taken"));
    world.wechat.order(&APP, "ASKED-1").paid(100);
    stands(world, "PAID-1", "accepted");
    stands(world, "ASKED-1", "accepted");
}

/// The gate has seen that its clock is another, or the right one again.
fn sees(world: &World, line: &str) {
    until(line, || world.gate.log().contains(line));
}

/// Both have been tried since; so long the gate has worked under this clock.
fn works_under_it(world: &World) {
    let (sent, asked) = (world.upstream.requests_for("PAID-1").len(), world.wechat.asked("ASKED-1"));
    until("the paid one to be tried", || world.upstream.requests_for("PAID-1").len() >= sent + 2);
    until("the other to be asked about", || world.wechat.asked("ASKED-1") >= asked + 2);
}

fn a_jump_ends_nothing(seconds: i64) {
    let (world, clock) = world(|_| ());
    unfinished(&world);
    clock.is_ahead(seconds);
    sees(&world, "the system's clock has jumped");
    works_under_it(&world);
    let away = world.admin_json("/api/config")["clock_away_s"].as_i64().unwrap();
    assert!((away - seconds).abs() < 60, "{away}");
    let metrics = world.admin_get("/metrics").text();
    let line = metrics.lines().find(|line| line.starts_with("tollgate_clock_away_seconds ")).unwrap();
    assert!(!line.ends_with(" 0"), "{line}");
    clock.is_ahead(0);
    sees(&world, "the system's clock is back");
    assert_eq!(world.admin_json("/api/config")["clock_away_s"], json!(null));
    go_on(&world);
}

#[test]
fn a_clock_that_jumps_ten_days_ahead_and_back_gives_up_nothing() {
    a_jump_ends_nothing(10 * DAY);
}

#[test]
fn a_clock_that_goes_back_by_a_day_delays_nothing() {
    a_jump_ends_nothing(-DAY);
}

/// What waits since before the process is not given up for the time that it did not see.
#[test]
fn a_start_with_a_clock_ten_days_ahead_gives_up_nothing() {
    let (mut world, clock) = world(|_| ());
    unfinished(&world);
    world.kill9();
    clock.is_ahead(10 * DAY);
    world.restart();
    works_under_it(&world);
    go_on(&world);
}

#[test]
fn a_start_in_1970_delays_nothing_and_gives_up_nothing() {
    let (mut world, clock) = world(|_| ());
    unfinished(&world);
    world.kill9();
    clock.is_ahead(-56 * 365 * DAY);
    world.restart();
    works_under_it(&world);
    clock.is_ahead(0);
    sees(&world, "the system's clock is back");
    go_on(&world);
}

#[test]
fn a_first_start_in_1970_gives_up_nothing_when_the_clock_is_set_and_the_gates_first_day_is_right() {
    let (world, clock) = world(|setup| {
        std::fs::write(setup.dir.join("clock"), (-56 * 365 * DAY).to_string()).unwrap();
    });
    unfinished(&world);
    assert_eq!(world.admin_json("/api/config")["gate_since"], json!(null), "nobody knows what day it is");
    clock.is_ahead(0);
    sees(&world, "the system's clock is believed as it is now");
    works_under_it(&world);
    let tomorrow = tollgate::domain::clock::beijing(tollgate::domain::clock::now()).date().tomorrow().unwrap();
    until("the gate's first day", || world.admin_json("/api/config")["gate_since"] == json!(tomorrow.to_string()));
    go_on(&world);
}

#[test]
fn a_jump_ahead_forgets_nothing_that_is_kept() {
    let (mut world, clock) = world(|setup| setup.config["journal"]["keep"] = json!("90d"));
    world.wechat.order(&APP, "DONE-1").paid(100);
    assert_eq!(world.app_callback("DONE-1").status(), 200);
    stands(&world, "DONE-1", "accepted");
    world.kill9();
    clock.is_ahead(400 * DAY);
    // It cleans as it starts, and writes down that it was there after that.
    world.restart();
    until("a callback to be taken in", || world.app_callback("OTHER-1").status() == 503);
    until("the follow-up", || world.wechat.asked("OTHER-1") >= 2);
    assert_eq!(world.journal("SELECT count(*) FROM entry WHERE \"order\" = 'DONE-1'"), 1);
}

/// The gate goes by its own time, and so must whoever asks it for something by its journal.
#[test]
fn what_a_command_asks_for_while_the_clock_is_wrong_is_done_at_once() {
    for seconds in [10 * DAY, -10 * DAY] {
        let (world, clock) = world(|_| ());
        world.wechat.order(&APP, "AGAIN-1").paid(100);
        assert_eq!(world.app_callback("AGAIN-1").status(), 200);
        stands(&world, "AGAIN-1", "accepted");
        clock.is_ahead(seconds);
        sees(&world, "the system's clock has jumped");
        let file = world.config_file();
        let decided = ["--override", "accepted", "--because", "a test"];
        let args =
            [&["redeliver", "AGAIN-1", "--wait", "20s", "--config", file.to_str().unwrap()], &decided[..]].concat();
        let env: Vec<_> = world.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let ended = crate::program::command(&args, &env);
        assert_eq!(ended.code, 0, "{seconds}: {} {}", ended.stdout, ended.stderr);
        until("it to be sent again", || world.upstream.requests_for("AGAIN-1").len() >= 2);
    }
}

#[test]
fn a_session_holds_while_the_clock_is_wrong() {
    let (world, clock) = world(|_| ());
    let form = format!("token={}", crate::harness::ADMIN_TOKEN);
    let login = crate::wire::Request::post("/login").form(&form).at(world.gate.admin());
    let origin = format!("http://{}", world.gate.admin());
    let answer = world.admin_send(&login.header("Origin", &origin));
    let cookie = answer.header("Set-Cookie").unwrap().split(';').next().unwrap().to_owned();
    let looks_in = || {
        let request = crate::wire::Request::get("/api/config").at(world.gate.admin());
        world.admin_send(&request.header("Cookie", &cookie)).status()
    };
    assert_eq!(looks_in(), 200);
    for seconds in [10 * DAY, -10 * DAY, 0] {
        clock.is_ahead(seconds);
        assert_eq!(looks_in(), 200, "{seconds}");
    }
}
