use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn failure(second: i64) -> Failure {
    Failure { at: at(second), status: Some(StatusCode::SERVICE_UNAVAILABLE), reason: Reason::NotAccepted }
}

/// This delivery of an order began after the latest that was accepted, and was not.
fn fails(standing: &mut Standing, order: &str, second: i64) -> Option<Change> {
    standing.failed(OrderId::parse(order).unwrap(), failure(second), standing.accepted_so_far())
}

/// One letter for each delivery: capital if it was accepted, else the order that was not.
fn after(deliveries: &str) -> (Standing, Vec<Change>) {
    let mut standing = Standing::default();
    let changes = deliveries.chars().zip(1..).filter_map(|(delivery, second)| {
        if delivery.is_uppercase() {
            return standing.accepted(at(second));
        }
        fails(&mut standing, &delivery.to_string(), second)
    });
    let changes = changes.collect();
    (standing, changes)
}

fn bring(failures: u64, second: i64) -> Option<Errand> {
    Some(Errand::BringForward(Bring { accepted_at: at(second), failures }))
}

/// Leaves it as it is when all of the journal's part is done.
fn settle(standing: &mut Standing) {
    while let Some(errand) = standing.errand() {
        standing.did(errand);
    }
}

#[test]
fn five_in_a_row_of_three_orders_make_it_failing_and_one_accepted_makes_it_well() {
    let (fails, recovers) = (Change::Fails, |second| Change::Recovers(at(second)));
    for (deliveries, changes) in [
        ("", vec![]),
        ("abcd", vec![]),
        ("abcde", vec![fails]),
        ("abcaa", vec![fails]),
        ("aaaaabbbbb", vec![]),
        ("aaaaabc", vec![fails]),
        ("ababababc", vec![fails]),
        ("abcdXe", vec![]),
        ("abcdXabcd", vec![]),
        ("abcdXabcda", vec![fails]),
        ("abcdefghi", vec![fails]),
        ("abcdeX", vec![fails, recovers(5)]),
        ("abcdefXX", vec![fails, recovers(5)]),
        ("abcdeXabcdeX", vec![fails, recovers(5), fails, recovers(11)]),
        ("abcdeXabcd", vec![fails, recovers(5)]),
    ] {
        let (standing, seen) = after(deliveries);
        assert_eq!(seen, changes, "{deliveries}");
        assert_eq!(standing.failing_since().is_some(), changes.last() == Some(&fails), "{deliveries}");
    }
}

#[test]
fn what_was_heard_last_is_told() {
    let (standing, _) = after("aXbc");
    assert_eq!((standing.accepted_at(), standing.failure()), (Some(at(2)), Some(failure(4))));
}

#[test]
fn what_waits_is_brought_forward_by_an_accepted_delivery_and_not_without_need() {
    let (mut standing, _) = after("");
    assert_eq!(standing.errand(), Some(Errand::Anew), "what was before the start is not known");
    standing.did(Errand::Anew);
    assert_eq!(standing.errand(), None);
    standing.accepted(at(1));
    assert_eq!(standing.errand(), bring(0, 1), "nor what waits since then");
    settle(&mut standing);
    standing.accepted(at(2));
    assert_eq!(standing.errand(), None, "nothing can wait");
    fails(&mut standing, "a", 3);
    assert_eq!(standing.errand(), None, "it may not take anything");
    standing.accepted(at(4));
    let errand = standing.errand().unwrap();
    assert_eq!(Some(errand), bring(1, 4));
    fails(&mut standing, "b", 5);
    standing.accepted(at(6));
    standing.did(errand);
    assert_eq!(standing.errand(), bring(2, 6), "what came while it was done");
}

/// Lets a probe be sent and refused.
fn probe(standing: &mut Standing) {
    let (mut now, every) = (Instant::now(), Duration::from_secs(1));
    while standing.begin_probe(now, every).is_none() {
        now += every;
    }
    standing.end_probe(now, true);
}

#[test]
fn while_it_fails_nothing_is_brought_forward() {
    let (mut standing, _) = after("Xabcd");
    settle(&mut standing);
    standing.accepted(at(6));
    "abcde".chars().for_each(|order| {
        fails(&mut standing, &order.to_string(), 7);
    });
    assert_eq!(standing.errand(), None);
}

#[test]
fn an_outage_that_a_probe_has_met_lets_all_be_brought_forward_once_more() {
    let (mut standing, _) = after("Xabcde");
    settle(&mut standing);
    probe(&mut standing);
    assert_eq!(standing.errand(), Some(Errand::Anew));
    standing.did(Errand::Anew);
    probe(&mut standing);
    assert_eq!(standing.errand(), None, "once");
    standing.accepted(at(9));
    assert_eq!(standing.errand(), bring(5, 9));
    settle(&mut standing);
    "abcde".chars().for_each(|order| {
        fails(&mut standing, &order.to_string(), 10);
    });
    standing.accepted(at(11));
    assert_eq!(standing.errand(), bring(10, 11), "no probe met that one");
}

/// A probe that hangs hides nothing, and those that hang are few.
#[test]
fn a_probe_that_hangs_does_not_keep_the_next_from_its_time() {
    let (start, every) = (Instant::now(), Duration::from_secs(20));
    let s = |seconds| start + Duration::from_secs(seconds);
    let (mut standing, _) = after("Xabcde");
    assert_eq!(standing.begin_probe(s(0), every), None);
    for time in [20, 40, 60, 80] {
        assert!(standing.begin_probe(s(time), every).is_some(), "{time}");
    }
    assert_eq!(standing.begin_probe(s(100), every), None, "enough of them hang");
    standing.end_probe(s(101), true);
    assert!(standing.begin_probe(s(101), every).is_some());
}

#[test]
fn one_probe_each_time_is_sent_while_it_fails_each_time_with_another_order() {
    let (start, every) = (Instant::now(), Duration::from_secs(20));
    let s = |seconds| start + Duration::from_secs(seconds);
    let (mut standing, _) = after("Xabcde");
    assert_eq!(standing.begin_probe(s(0), every), None);
    assert_eq!(standing.begin_probe(s(19), every), None);
    assert_eq!(standing.next_probe_in(s(19)), Some(Duration::from_secs(1)));
    assert_eq!(standing.begin_probe(s(20), every), Some(vec![]));
    standing.has_turn(Some(EntryId(1)));
    assert_eq!(standing.begin_probe(s(39), every), None);
    standing.end_probe(s(50), true);
    assert_eq!(standing.begin_probe(s(50), every), Some(vec![EntryId(1)]));
    standing.end_probe(s(50), false);
    assert_eq!(standing.begin_probe(s(50), every), None);
    assert_eq!(standing.begin_probe(s(51), every), Some(vec![EntryId(1)]), "soon, since it was not sent");
    standing.has_turn(None);
    standing.end_probe(s(51), true);
    assert_eq!(standing.begin_probe(s(71), every), Some(vec![]), "all had their turn");
    standing.end_probe(s(71), true);
    standing.accepted(at(8));
    assert_eq!((standing.begin_probe(s(200), every), standing.next_probe_in(s(200))), (None, None));
}

#[test]
fn a_shorter_time_between_probes_counts_at_once() {
    let (start, minutes) = (Instant::now(), Duration::from_secs(300));
    let (mut standing, _) = after("Xabcde");
    assert_eq!(standing.begin_probe(start, minutes), None);
    assert!(standing.begin_probe(start, Duration::from_secs(1)).is_some());
}

#[test]
fn after_a_start_a_few_probes_find_out_how_it_is() {
    let (start, every) = (Instant::now(), Duration::from_secs(20));
    let mut now = start;
    let (mut standing, _) = after("");
    assert_eq!(standing.begin_probe(now, every), None);
    for entry in 1..=5 {
        now += every;
        assert!(standing.begin_probe(now, every).is_some(), "{entry}");
        standing.has_turn(Some(EntryId(entry)));
        standing.end_probe(now, true);
    }
    assert_eq!(standing.begin_probe(now + every, every), None, "who waits has his own time");
    let (mut standing, _) = after("");
    standing.begin_probe(start, every);
    assert!(standing.begin_probe(start + every, every).is_some());
    standing.has_turn(None);
    standing.end_probe(start + every, false);
    assert_eq!(standing.begin_probe(start + 2 * every, every), None, "nothing waits");
}

#[test]
fn turns_are_remembered_within_a_bound() {
    let (mut standing, _) = after("Xabcde");
    let turns = i64::try_from(TURNS).unwrap();
    (0..=turns).for_each(|entry| standing.has_turn(Some(EntryId(entry))));
    assert_eq!((standing.probes.tried.len(), standing.probes.tried.front()), (TURNS, Some(&EntryId(1))));
}

#[test]
fn what_was_under_way_when_another_was_accepted_is_brought_forward_once_it_has_failed() {
    let (mut standing, _) = after("Xabcde");
    settle(&mut standing);
    let hung = standing.accepted_so_far();
    standing.accepted(at(8));
    settle(&mut standing);
    standing.failed(OrderId::parse("a").unwrap(), failure(30), hung);
    assert_eq!(standing.errand(), bring(6, 30));
    for order in ["b", "c", "d", "e", "f"] {
        assert_eq!(
            standing.failed(OrderId::parse(order).unwrap(), failure(30), hung),
            None,
            "that was the outage before"
        );
    }
    settle(&mut standing);
    fails(&mut standing, "b", 31);
    assert_eq!(standing.errand(), None, "that one began later");
}

#[test]
fn what_waits_for_a_channel_that_had_another_upstream_is_not_known() {
    let app = ["app", "web"].map(|id| ChannelId::parse(id).unwrap());
    let (mut standing, _) = after("X");
    standing.serves(&app[..1]);
    settle(&mut standing);
    standing.accepted(at(2));
    settle(&mut standing);
    standing.serves(&app[..1]);
    assert!(standing.errand().is_none() && !standing.is_doubted(), "as before");
    standing.serves(&app);
    assert!(standing.errand() == Some(Errand::Anew) && standing.is_doubted());
    settle(&mut standing);
    standing.accepted(at(3));
    assert_eq!(standing.errand(), bring(0, 3));
}

#[test]
fn three_orders_are_enough_to_find_out_how_it_is() {
    for (deliveries, is_doubted) in [("a", false), ("ab", false), ("abab", false), ("abc", true)] {
        let (mut standing, _) = after(deliveries);
        standing.has_turn(None);
        assert_eq!(standing.is_doubted(), is_doubted, "{deliveries}");
    }
}
