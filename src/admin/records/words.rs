//! Words and times as the document describes them: each is a schema of its own, made of the words that there are.

use crate::domain::reason;
use crate::journal;
use crate::journal::audit::Action as Audited;
use crate::journal::sweeps;
use std::borrow::Cow;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

macro_rules! words {
    ($($name:ident, $what:literal, $words:expr;)*) => {
        $(
            #[doc = $what]
            #[derive(Debug)]
            pub enum $name {}

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    let word = ObjectBuilder::new().schema_type(Type::String).description(Some($what));
                    word.enum_values(Some($words)).into()
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed(stringify!($name))
                }
            }
        )*
    };
}

words! {
    State, "How an entry stands.", journal::State::ALL.map(journal::State::as_str);
    Origin, "What brought an order, or why it is sent.", journal::Origin::ALL.map(journal::Origin::as_str);
    Reason, "A reason code; docs/reasons.md says what each means.", reason::Reason::ALL.iter().map(|reason| reason.code());
    Verdict, "What WeChat Pay's word comes to.", reason::Verdict::ALL.map(reason::Verdict::as_str);
    Progress, "How far a sweep is.", sweeps::Progress::ALL.map(sweeps::Progress::as_str);
    RowKind, "What a row of a bill is.", sweeps::RowKind::ALL.map(sweeps::RowKind::as_str);
    Override, "What only a person decides.", journal::Override::ALL.map(journal::Override::as_str);
    Action, "What somebody did.", Audited::ALL.map(Audited::as_str);
}

/// A time: RFC 3339, in UTC in answers.
#[derive(Debug)]
pub enum Time {}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let time = ObjectBuilder::new().schema_type(Type::String).description(Some("RFC 3339; in UTC in answers."));
        time.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).into()
    }
}

impl ToSchema for Time {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Time")
    }
}
