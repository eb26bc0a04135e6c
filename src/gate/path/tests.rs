use super::*;

#[test]
fn a_pattern_is_filled_with_what_a_sender_could_send() {
    let pattern = PathPattern::parse("/wxpay/{channel}/{order}").unwrap();
    let fill = |channel, order| {
        pattern.fill(|name| match name {
            "channel" => Some(channel),
            "order" => order,
            _ => None,
        })
    };
    assert_eq!(fill("app", Some("A_|*@-1")).unwrap(), "/wxpay/app/A_%7C%2A%40-1");
    assert_eq!(fill("app", None), Err(NotFilled::Unknown("order".to_owned())));
    for channel in ["2/c1", ".", "..", ""] {
        assert_eq!(fill(channel, Some("1")), Err(NotFilled::NotCanonical), "{channel:?}");
    }
}

#[test]
fn placeholders_stand_for_whole_segments_as_sent() {
    let pattern = PathPattern::parse("/{shop}/notify/{channel}").unwrap();
    assert_eq!(pattern.placeholders().collect::<Vec<_>>(), ["shop", "channel"]);
    let values = pattern.matches("/s1/notify/a%7Cb").unwrap();
    assert_eq!((values.get("shop"), values.get("channel"), values.get("x")), (Some("s1"), Some("a%7Cb"), None));
    assert!(pattern.matches("//notify/a").is_none());
}

#[test]
fn patterns_that_could_never_match_or_mean_two_things_are_refused() {
    for (text, error) in [
        ("pay", BadPattern::NotAbsolute),
        ("", BadPattern::NotAbsolute),
        ("/a//b", BadPattern::NotCanonical),
        ("/a/../b", BadPattern::NotCanonical),
        ("/a;b", BadPattern::NotCanonical),
        ("/%41", BadPattern::NotCanonical),
        ("/a?b=c", BadPattern::NotCanonical),
        ("/支付", BadPattern::NotCanonical),
        ("/a{b}", BadPattern::Placeholder),
        ("/{}", BadPattern::Placeholder),
        ("/{a b}", BadPattern::Placeholder),
        ("/{a", BadPattern::Placeholder),
        ("/{a}/{b}/{a}", BadPattern::Repeated("a".to_owned())),
    ] {
        assert_eq!(PathPattern::parse(text), Err(error), "{text}");
    }
    for text in ["/", "/a/", "/a/{b}/", "/a%7Cb", "/a:b@c/+$"] {
        assert_eq!(PathPattern::parse(text).map(|pattern| pattern.as_str().to_owned()).as_deref(), Ok(text));
    }
}

#[test]
fn patterns_overlap_if_a_path_matches_both() {
    for (one, other, overlap) in [
        ("/a", "/a", true),
        ("/a", "/b", false),
        ("/a", "/a/", false),
        ("/{x}", "/a", true),
        ("/{x}", "/", false),
        ("/a/{x}", "/{y}/b", true),
        ("/a/{x}", "/b/{x}", false),
        ("/a/{x}", "/a/{x}/c", false),
    ] {
        let (one, other) = (PathPattern::parse(one).unwrap(), PathPattern::parse(other).unwrap());
        assert_eq!((one.overlaps(&other), other.overlaps(&one)), (overlap, overlap), "{one:?} {other:?}");
    }
}
