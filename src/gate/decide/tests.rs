use super::*;

#[test]
fn observe_lets_through_what_was_refused_for_its_claim_or_verdict_and_nothing_else() {
    for reason in Reason::ALL.iter().copied() {
        assert!(permit(Err(reason), Mode::Enforce).is_err(), "{reason}");
        let passes = matches!(reason.stage(), Stage::Claim | Stage::Verdict(_));
        match permit(Err(reason), Mode::Observe) {
            Ok(pass) => assert!(passes && pass.confirmed().is_none() && pass.would_refuse() == Some(reason)),
            Err(_) => assert!(!passes, "{reason}"),
        }
    }
}
