//! The process dies at the worst moment, or the machine does: what was taken in is delivered all the same, and the legacy
//! system can tell that it is the same delivery.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::APP;
use crate::faults::{Disk, power_cut, world_on_a_disk};
use crate::harness::{World, until};
use crate::wire::{Message, Request, Wire};
use serde_json::json;
use std::thread;

/// What ends the gate, before it is started again.
type End = fn(&World);

const KILLED: End = World::kill9;
const POWER_CUT: End = power_cut;

fn world() -> (World, Disk) {
    world_on_a_disk(|_| ())
}

/// The callback's answer, if there was one.
fn call_back(world: &World, order: &str) -> Option<Message> {
    let mut wire = Wire::to(world.gate.addr);
    wire.send(&Request::post("/pay/success").form(format!("OrderID={order}")).bytes());
    wire.answer()
}

/// A callback for a paid order, under which the gate dies unless it answers.
fn killed_under_a_callback(world: &World, order: &str) {
    world.wechat.order(&APP, order).paid(100);
    assert!(call_back(world, order).is_none(), "the gate should have died");
    until("the gate's death", || !world.gate.is_running());
}

/// An order that is confirmed, on disk, and not accepted: what a later death must not take along.
fn taken_in_before(world: &World) {
    world.upstream.answers(Reply::Breaks);
    world.wechat.order(&APP, "BEFORE").paid(100);
    assert_eq!(world.app_callback("BEFORE").status(), 502);
    until("its sending to be on disk", || world.journal("SELECT count(*) FROM attempt WHERE ended_at NOT NULL") > 0);
    world.upstream.answers(Reply::ok(b"taken"));
}

fn requests(world: &World, order: &str) -> Vec<Message> {
    world.upstream.requests_for(&format!("OrderID={order}"))
}

/// The attempt's number and origin of each sending, all of which are the same delivery.
fn sendings(world: &World, order: &str) -> Vec<(u64, String)> {
    let requests = requests(world, order);
    let header = |request: &Message, name: &str| request.header(name).unwrap();
    let deliveries: Vec<_> = requests.iter().map(|request| header(request, "X-Tollgate-Delivery")).collect();
    assert!(deliveries.windows(2).all(|pair| pair[0] == pair[1]), "{deliveries:?}");
    let number = |request: &Message| header(request, "X-Tollgate-Attempt").parse().unwrap();
    requests.iter().map(|request| (number(request), header(request, "X-Tollgate-Origin"))).collect()
}

fn is_delivered(world: &World, order: &str) -> Vec<(u64, String)> {
    until(&format!("the delivery of {order}"), || {
        world.upstream.acted_after(0).iter().any(|acted| acted.request.text() == format!("OrderID={order}"))
    });
    sendings(world, order)
}

fn sent(attempt: u64, origin: &str) -> (u64, String) {
    (attempt, origin.to_owned())
}

#[test]
fn killed_before_the_write_nothing_was_promised_and_the_sender_may_come_again() {
    let (mut world, disk) = world();
    taken_in_before(&world);
    is_delivered(&world, "BEFORE");
    until("the journal to be quiet", || world.journal("SELECT count(*) FROM entry WHERE state = 'accepted'") == 1);
    disk.does("kill-before-write");
    killed_under_a_callback(&world, "NEW");
    disk.works();
    world.restart();
    assert!(requests(&world, "NEW").is_empty());
    assert_eq!(world.app_callback("NEW").status(), 200);
    assert_eq!(sendings(&world, "NEW"), [sent(1, "callback")]);
}

#[test]
fn killed_after_the_write_and_before_its_fsync_it_is_delivered_since_the_machine_lives() {
    let (mut world, disk) = world();
    disk.does("kill-before-fsync");
    killed_under_a_callback(&world, "NEW");
    disk.works();
    world.restart();
    let sendings = is_delivered(&world, "NEW");
    assert_eq!(sendings[0].1, "follow-up");
}

#[test]
fn a_power_cut_before_the_fsync_takes_only_what_was_not_answered() {
    let (mut world, disk) = world();
    taken_in_before(&world);
    disk.does("kill-before-fsync");
    // It dies of this callback, or of the redelivery.
    assert!(call_back_if_it_lives(&world, "NEW").is_none());
    until("the gate's death", || !world.gate.is_running());
    power_cut(&world);
    disk.works();
    world.restart();
    is_delivered(&world, "BEFORE");
    assert_eq!(world.journal("SELECT count(*) FROM entry WHERE \"order\" = 'NEW'"), 0);
}

/// What the gate answers, if it is there.
fn call_back_if_it_lives(world: &World, order: &str) -> Option<Message> {
    std::net::TcpStream::connect(world.gate.addr).ok().and_then(|_| call_back(world, order))
}

/// The log has it and no disk does: the next process knows the order, and must not take that for being on disk.
#[test]
fn what_was_written_before_a_kill_and_answered_after_it_survives_a_power_cut() {
    // Nothing else is written while nothing can be.
    let (mut world, disk) = world_on_a_disk(|setup| setup.config["follow_up"]["ask_again"] = json!(["10m"]));
    disk.does("kill-before-fsync");
    world.wechat.order(&APP, "NEW").state("NOTPAY");
    assert!(call_back(&world, "NEW").is_none());
    until("the gate's death", || !world.gate.is_running());
    disk.works();
    world.restart();
    disk.does("hold-writes");
    let answer = world.app_callback("NEW");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (503, "not-paid-yet"));
    power_cut(&world);
    disk.works();
    world.wechat.order(&APP, "NEW").paid(100);
    world.restart();
    let ended = world.command(&["redeliver", "NEW"]);
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    is_delivered(&world, "NEW");
}

fn synced_and_not_answered(end: End) {
    let (mut world, disk) = world();
    disk.does("kill-after-fsync");
    killed_under_a_callback(&world, "NEW");
    disk.works();
    end(&world);
    world.restart();
    let sendings = is_delivered(&world, "NEW");
    assert_eq!(sendings[0].1, "follow-up");
}

#[test]
fn killed_after_the_fsync_it_is_delivered_although_nobody_was_answered() {
    synced_and_not_answered(KILLED);
}

#[test]
fn a_power_cut_after_the_fsync_loses_nothing() {
    synced_and_not_answered(POWER_CUT);
}

fn before_it_is_forwarded(end: End) {
    let (mut world, _disk) = world();
    world.wechat.order(&APP, "NEW").paid(100);
    world.wechat.hold();
    thread::scope(|scope| {
        let answer = scope.spawn(|| call_back(&world, "NEW"));
        until("the order to be on disk", || world.journal("SELECT count(*) FROM entry") == 1);
        end(&world);
        assert!(answer.join().unwrap().is_none());
    });
    assert!(requests(&world, "NEW").is_empty());
    world.restart();
    world.wechat.release();
    let sendings = is_delivered(&world, "NEW");
    assert_eq!(sendings[0].1, "follow-up");
}

#[test]
fn killed_before_it_is_forwarded_it_is_delivered_later() {
    before_it_is_forwarded(KILLED);
}

#[test]
fn killed_while_it_is_forwarded_it_is_sent_once_more_as_the_second_attempt() {
    let (mut world, _disk) = world();
    world.wechat.order(&APP, "NEW").paid(100);
    world.upstream.hold();
    thread::scope(|scope| {
        let answer = scope.spawn(|| call_back(&world, "NEW"));
        until("the upstream to have it", || requests(&world, "NEW").len() == 1);
        until("the attempt to be on disk", || world.journal("SELECT count(*) FROM attempt") == 1);
        world.kill9();
        assert!(answer.join().unwrap().is_none());
    });
    world.restart();
    until("the second attempt", || requests(&world, "NEW").len() == 2);
    world.upstream.release();
    assert_eq!(is_delivered(&world, "NEW"), [sent(1, "callback"), sent(2, "follow-up")]);
}

/// The legacy system acted, the sender was told, and the journal knows nothing of either.
fn acted_and_not_marked(end: End) {
    let (mut world, disk) = world();
    world.wechat.order(&APP, "NEW").paid(100);
    world.wechat.hold();
    thread::scope(|scope| {
        let answer = scope.spawn(|| world.app_callback("NEW"));
        until("the order to be on disk", || world.journal("SELECT count(*) FROM entry") == 1);
        disk.does("hold-writes");
        world.wechat.release();
        assert_eq!(answer.join().unwrap().status(), 200);
    });
    end(&world);
    disk.works();
    world.restart();
    until("it to be sent again", || requests(&world, "NEW").len() == 2);
    // Not even that it was sent is on disk, so its number may be given again; the delivery's name is the same.
    let sendings = sendings(&world, "NEW");
    assert_eq!(sendings[0], sent(1, "callback"));
    assert_eq!((sendings[1].0 >= 1, sendings[1].1.as_str()), (true, "follow-up"));
}

#[test]
fn killed_when_the_upstream_has_acted_and_that_is_not_written_it_is_sent_again() {
    acted_and_not_marked(KILLED);
}

#[test]
fn a_power_cut_when_the_upstream_has_acted_and_that_is_not_written_sends_it_again() {
    acted_and_not_marked(POWER_CUT);
}

#[test]
fn an_acceptance_that_was_written_is_not_sent_again_after_a_kill() {
    let (mut world, _disk) = world();
    world.wechat.order(&APP, "DONE").paid(100);
    assert_eq!(world.app_callback("DONE").status(), 200);
    until("the mark", || world.journal("SELECT count(*) FROM entry WHERE state = 'accepted'") == 1);
    world.restart();
    // Whatever is due is taken in order, so when this one is delivered the other would have been.
    world.upstream.answers_once(Reply::Breaks);
    world.wechat.order(&APP, "NEXT").paid(100);
    assert_eq!(world.app_callback("NEXT").status(), 502);
    assert_eq!(is_delivered(&world, "NEXT"), [sent(1, "callback"), sent(2, "follow-up")]);
    assert_eq!(sendings(&world, "DONE"), [sent(1, "callback")]);
}

#[test]
fn what_is_not_paid_stays_out_through_every_death() {
    let (mut world, disk) = world();
    world.wechat.order(&APP, "UNPAID").state("NOTPAY");
    world.wechat.order(&APP, "CLOSED").state("CLOSED");
    for word in ["kill-before-write", "kill-before-fsync", "kill-after-fsync"] {
        for order in ["UNPAID", "CLOSED", "MADE-UP"] {
            disk.does(word);
            call_back_if_it_lives(&world, order);
            disk.works();
            world.restart();
        }
    }
    world.wechat.order(&APP, "PAID").paid(100);
    assert_eq!(world.app_callback("PAID").status(), 200);
    let asked = world.wechat.asked("UNPAID");
    until("the follow-up to ask again", || world.wechat.asked("UNPAID") > asked + 1);
    assert_eq!(world.upstream.requests().len(), 1);
}
