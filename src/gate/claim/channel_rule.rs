//! Which channel a callback selects, by the rules of its route. What it says may select among the configured channels
//! and proves nothing (threats E-16, V-06).

use super::{Field, Unreadable};
use crate::domain::order::ChannelId;
use crate::domain::reason::Reason;

/// One rule of a route's `channel`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRule {
    /// The rule applies only if this field is absent or empty.
    pub when_empty: Option<Field>,
    /// Which channel then.
    pub choose: Choose,
}

/// How a rule names a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choose {
    /// This one.
    Is(ChannelId),
    /// The values of these fields, joined by `/`. The rule applies only if none of them is absent or empty.
    From(Vec<Field>),
}

impl Choose {
    /// The fields that a choice looks at.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        match self {
            Self::Is(_) => &[],
            Self::From(fields) => fields,
        }
    }
}

/// The channel of the first rule that applies; `None` if none does. `value` looks a field up: `None` if it is absent or
/// empty.
///
/// # Errors
/// If a value that a rule asks for cannot be read, or the values are no [`ChannelId`].
pub(super) fn select<T: AsRef<str>>(
    rules: &[ChannelRule],
    value: impl Fn(&Field) -> Result<Option<T>, Unreadable>,
) -> Result<Option<ChannelId>, Unreadable> {
    for rule in rules {
        if let Some(field) = &rule.when_empty
            && value(field)?.is_some()
        {
            continue;
        }
        let chosen = match &rule.choose {
            Choose::Is(channel) => Some(*channel),
            Choose::From(fields) => fields
                .iter()
                .map(&value)
                .collect::<Result<Option<Vec<_>>, _>>()?
                .map(|values| join(fields, &values))
                .transpose()?,
        };
        if chosen.is_some() {
            return Ok(chosen);
        }
    }
    Ok(None)
}

fn join<T: AsRef<str>>(fields: &[Field], values: &[T]) -> Result<ChannelId, Unreadable> {
    let mut joined = String::new();
    for value in values {
        // "2/c" with "1" would be the same channel as "2" with "c/1".
        if values.len() > 1 && value.as_ref().contains('/') {
            return Err(no_channel(fields));
        }
        if !joined.is_empty() {
            joined.push('/');
        }
        joined.push_str(value.as_ref());
    }
    ChannelId::parse(&joined).map_err(|_| no_channel(fields))
}

fn no_channel(fields: &[Field]) -> Unreadable {
    let names: Vec<_> = fields.iter().map(Field::to_string).collect();
    Unreadable::new(Reason::FieldMalformed, format!("{} cannot be a channel's name", names.join("/")))
}
