//! A database that does not write is as good as none: a standby, or a primary that was demoted.

use crate::fleet::{Fleet, is_ready};
use crate::harness::within;
use crate::wire::PATIENCE;

#[test]
fn a_database_that_turns_read_only_is_given_up_until_it_writes() {
    let fleet = Fleet::of(1);
    let name = fleet.database.name.clone();
    let only = |only: &str| {
        fleet.server().sql("postgres", &format!("ALTER DATABASE {name} SET default_transaction_read_only = {only}"));
        fleet.server().sql(
            "postgres",
            &format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{name}'"),
        );
    };
    only("on");
    fleet.is_paid("READ-ONLY");
    assert_eq!(fleet.callback(0, "READ-ONLY").status(), 503);
    assert!(fleet.attempts("READ-ONLY").is_empty());
    is_ready(&fleet, 0, 503);
    only("off");
    assert!(within(PATIENCE * 2, || fleet.ready(0) == 200), "it comes back by itself");
    assert!(within(PATIENCE, || fleet.callback(0, "READ-ONLY").status() == 200));
}
