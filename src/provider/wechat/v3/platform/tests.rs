use super::*;
use crate::provider::wechat::v3::tests::{MESSAGES, api_v3_keys, at, platform};
use jiff::SignedDuration;

#[test]
fn a_list_is_opened_with_any_key_and_must_say_what_is_in_it() {
    for list in MESSAGES["lists"].as_array().unwrap() {
        let read = read(list["body"].as_str().unwrap().as_bytes(), &api_v3_keys());
        let name = &list["name"];
        match &list["reads"] {
            serde_json::Value::Array(serials) => {
                let read: Vec<_> = read.unwrap().iter().map(|one| one.serial.to_string()).collect();
                assert_eq!(read, serials.iter().map(|serial| serial.as_str().unwrap()).collect::<Vec<_>>(), "{name}");
            }
            word => {
                let error = match word.as_str().unwrap() {
                    "unreadable" => BadList::Unreadable,
                    "sealed" => BadList::Sealed,
                    "certificate" => BadList::Certificate,
                    other => panic!("{other}"),
                };
                assert_eq!(read, Err(error), "{name}");
            }
        }
    }
    assert_eq!(read(b"[]", &api_v3_keys()), Err(BadList::Unreadable));
    assert_eq!(read(br#"{"data":{}}"#, &api_v3_keys()), Err(BadList::Unreadable));
}

#[test]
fn what_is_listed_no_longer_stays_until_it_expires() {
    let (merchant, other) = (MerchantId::parse("1900009191").unwrap(), MerchantId::parse("1900009192").unwrap());
    let certificates = platform();
    let serial = |at: usize| certificates[at].serial.to_string();
    let known = Downloaded::default();
    assert_eq!(known.last_ends(&merchant), None);
    known.keep(merchant, vec![certificates[0].clone()], at());
    known.keep(merchant, vec![certificates[1].clone(), certificates[2].clone()], at());
    assert!(known.find(&merchant, &serial(0), at()).is_some() && known.find(&merchant, &serial(1), at()).is_some());
    assert_eq!(known.find(&merchant, &serial(2), at()), None, "it has ended");
    assert_eq!(known.find(&merchant, &serial(0).to_lowercase(), at()), None);
    assert_eq!(known.find(&other, &serial(0), at()), None);
    assert_eq!(known.last_ends(&merchant), Some(certificates[1].not_after));
    let later = certificates[0].not_after + SignedDuration::from_secs(1);
    assert_eq!(known.find(&merchant, &serial(0), later), None);
    known.keep(merchant, Vec::new(), later);
    assert_eq!(known.of(&merchant), []);
}
