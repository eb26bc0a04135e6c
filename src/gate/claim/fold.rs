//! One spelling for all the spellings of a name that some backend takes for the same (threats E-03, P-09).
//!
//! PHP turns ` `, `.` and `[` into `_` and cuts `[...]` off, ASP.NET ignores case, CGI turns `-` into `_`, C programs
//! stop at NUL, binders read `a[b]` as `a.b`. Keeping nothing but lower-case letters and digits is coarser than each of
//! them, so what folds apart here is apart for all of them.

use crate::net::byte_set::ByteSet;

/// The folded name.
pub(super) fn fold(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    fold_into(&mut folded, name);
    folded
}

/// Whether a backend may read `name` as one of the folded names that `is` knows: the name as a whole, or what is left
/// when it takes subscripts and members away (`OrderID[0].x`). `start` is the folded name of what it is a member of.
pub(super) fn any_spelling(start: &str, name: &str, mut is: impl FnMut(&str) -> bool) -> bool {
    let mut folded = String::with_capacity(start.len() + name.len());
    folded.push_str(start);
    name.split(['.', '[', '\0']).any(|piece| {
        fold_into(&mut folded, piece);
        folded.len() > start.len() && is(&folded)
    })
}

/// What a name may be made of so that it folds without being decoded.
pub(super) fn is_plain(byte: u8) -> bool {
    PLAIN.has(byte)
}

/// Every byte of every name is asked about.
static PLAIN: ByteSet = ByteSet::alphanumeric_and(b"_-");

/// Whether `fold(name) == folded`, without allocating, for a name of `A-Z a-z 0-9 _ -` only.
pub(super) fn plain_name_folds_to(name: &[u8], folded: &str) -> bool {
    name.iter().filter(|byte| !matches!(byte, b'_' | b'-')).map(u8::to_ascii_lowercase).eq(folded.bytes())
}

fn fold_into(folded: &mut String, name: &str) {
    // Upper case first: it takes the long s and the dotless i to letters that have a plain lower case.
    let letters = name.chars().map(half_width).flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    folded.extend(letters.filter(|letter| letter.is_alphanumeric()));
}

/// Full-width forms are what Windows maps to ASCII when it has to fit a name into a code page.
fn half_width(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(letter) - 0xfee0).unwrap_or(letter),
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_of_a_name_folds_to_one() {
        for name in
            ["OrderID", "orderid", " Order.ID", "order_id", "ORDER-ID\0", "Ｏrderıd", "Order\u{200b}ID", "OrderİD"]
        {
            assert_eq!(fold(name), "orderid", "{name:?}");
        }
        assert_eq!(fold("订单号"), "订单号");
    }

    #[test]
    fn subscripts_and_members_are_spellings_of_their_owner() {
        for name in [
            "OrderID",
            "OrderID[]",
            "OrderID[0]",
            "OrderID[a][b]",
            "OrderID.x",
            "OrderID\0.jpg",
            "[OrderID]",
            "Order.ID",
        ] {
            assert!(any_spelling("", name, |folded| folded == "orderid"), "{name:?}");
        }
        for name in ["OrderIDs", "MyOrderID", "x.OrderID", "Order"] {
            assert!(!any_spelling("", name, |folded| folded == "orderid"), "{name:?}");
        }
        assert!(any_spelling("data", "order_id[0]", |folded| folded == "dataorderid"));
    }

    proptest! {
        #[test]
        fn the_fast_comparison_agrees_with_folding(name in "[A-Za-z0-9_-]{0,12}", other in "[A-Za-z0-9_-]{0,12}") {
            let name_again: String = name.chars().rev().collect::<String>().chars().rev().flat_map(|c| [c, '_']).collect();
            prop_assert!(plain_name_folds_to(name.as_bytes(), &fold(&name_again)));
            prop_assert_eq!(plain_name_folds_to(name.as_bytes(), &fold(&other)), fold(&name) == fold(&other));
        }
    }
}
