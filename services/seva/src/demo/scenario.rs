//! The week as data: who comes to the shop, what is said, and what is made of it.

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, de};
use seva_api::pb::common::v1::{CaseKind, Channel};
use seva_api::pb::feedback::v1::Audience;
use seva_api::pb::intake::v1::{Identity, IdentityKind};

use crate::identity;

/// How many days the week has.
const DAYS: u8 = 7;

/// Everything the demo plays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Week {
    /// The customer whose story the summary tells.
    pub(crate) story: String,
    pub(crate) customers: Vec<Person>,
    pub(crate) steps: Vec<Step>,
}

/// An invented customer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Person {
    pub(crate) key: String,
    pub(crate) name: String,
    #[serde(deserialize_with = "identities")]
    pub(crate) identities: Vec<Identity>,
}

/// One thing that happens, under an id that later steps and the request carry.
#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    pub(crate) id: String,
    /// The member of staff who enters it; absent: the front desk.
    #[serde(default = "front_desk")]
    pub(crate) by: String,
    #[serde(flatten)]
    pub(crate) what: What,
}

/// What can happen.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum What {
    /// A customer is registered with all identities.
    Register {
        who: String,
    },
    /// A customer becomes known by one more identity.
    Identity {
        who: String,
        #[serde(deserialize_with = "one_identity")]
        identity: Identity,
    },
    /// Somebody says something to the shop.
    Say(Saying),
    /// The shop answers in the case of an earlier step.
    Reply {
        at: Moment,
        to: String,
        #[serde(deserialize_with = "channel")]
        channel: Channel,
        #[serde(default)]
        lang: Option<String>,
        text: String,
    },
    Resolve {
        case: String,
        text: String,
    },
    Confirm {
        case: String,
    },
    Reject {
        case: String,
        text: String,
    },
    Reopen {
        case: String,
        text: String,
    },
    Reclassify {
        case: String,
        #[serde(deserialize_with = "kind")]
        kind: CaseKind,
        text: String,
    },
    /// A member of staff has an idea.
    Capture {
        at: Moment,
        lang: String,
        text: String,
    },
    Acknowledge {
        suggestion: String,
    },
    Reroute {
        suggestion: String,
        department: String,
        text: String,
    },
    Adopt {
        suggestion: String,
        text: String,
    },
    Decline {
        suggestion: String,
        text: String,
    },
    Outcome {
        suggestion: String,
        #[serde(deserialize_with = "audience")]
        audience: Audience,
        text: String,
    },
}

/// What somebody says.
#[derive(Debug, Deserialize)]
pub(crate) struct Saying {
    pub(crate) at: Moment,
    /// Absent: nobody known.
    #[serde(default)]
    pub(crate) who: Option<String>,
    /// The kind of identity they are known by this time; absent: all they have.
    #[serde(default, deserialize_with = "via")]
    pub(crate) via: Option<IdentityKind>,
    #[serde(deserialize_with = "channel")]
    pub(crate) channel: Channel,
    pub(crate) lang: String,
    /// Leaves the language to be detected.
    #[serde(default)]
    pub(crate) blind: bool,
    #[serde(deserialize_with = "kind")]
    pub(crate) kind: CaseKind,
    #[serde(default)]
    pub(crate) thread: String,
    /// An earlier step whose case this belongs to.
    #[serde(default)]
    pub(crate) case: Option<String>,
    pub(crate) text: String,
}

impl Week {
    /// Reads the week that is built in.
    pub(crate) fn load() -> anyhow::Result<Week> {
        Ok(toml::from_str(include_str!("week.toml"))?)
    }

    /// The customer of that key.
    pub(crate) fn person(&self, key: &str) -> anyhow::Result<&Person> {
        let found = self.customers.iter().find(|person| person.key == key);
        found.ok_or_else(|| anyhow::anyhow!("the week has no customer `{key}`"))
    }
}

impl Person {
    /// What they are known by: all of it, or the first of a kind.
    pub(crate) fn known_by(&self, kind: Option<IdentityKind>, added: &[Identity]) -> Vec<Identity> {
        let all = self.identities.iter().chain(added);
        match kind {
            Some(kind) => all.filter(|identity| identity.kind() == kind).take(1).cloned().collect(),
            None => self.identities.clone(),
        }
    }
}

impl What {
    /// When it is said to have happened, where the caller may say.
    pub(crate) fn at(&self) -> Option<Moment> {
        match self {
            What::Say(saying) => Some(saying.at),
            What::Reply { at, .. } | What::Capture { at, .. } => Some(*at),
            What::Register { .. }
            | What::Identity { .. }
            | What::Resolve { .. }
            | What::Confirm { .. }
            | What::Reject { .. }
            | What::Reopen { .. }
            | What::Reclassify { .. }
            | What::Acknowledge { .. }
            | What::Reroute { .. }
            | What::Adopt { .. }
            | What::Decline { .. }
            | What::Outcome { .. } => None,
        }
    }

    /// What is said or written in it; empty where nothing is.
    pub(crate) fn text(&self) -> &str {
        match self {
            What::Say(saying) => &saying.text,
            What::Reply { text, .. }
            | What::Resolve { text, .. }
            | What::Reject { text, .. }
            | What::Reopen { text, .. }
            | What::Reclassify { text, .. }
            | What::Capture { text, .. }
            | What::Reroute { text, .. }
            | What::Adopt { text, .. }
            | What::Decline { text, .. }
            | What::Outcome { text, .. } => text,
            What::Register { .. }
            | What::Identity { .. }
            | What::Confirm { .. }
            | What::Acknowledge { .. } => "",
        }
    }

    /// A word for the progress line.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            What::Register { .. } => "register",
            What::Identity { .. } => "identity",
            What::Say(saying) => match saying.kind {
                CaseKind::Complaint => "complaint",
                CaseKind::Suggestion => "suggestion",
                CaseKind::Refund => "refund",
                CaseKind::Enquiry => "question",
                CaseKind::Unspecified | CaseKind::Internal | CaseKind::Other => "contact",
            },
            What::Reply { .. } => "answer",
            What::Resolve { .. } => "resolve",
            What::Confirm { .. } => "confirm",
            What::Reject { .. } => "reject",
            What::Reopen { .. } => "reopen",
            What::Reclassify { .. } => "reclassify",
            What::Capture { .. } => "staff idea",
            What::Acknowledge { .. } => "acknowledge",
            What::Reroute { .. } => "reroute",
            What::Adopt { .. } => "adopt",
            What::Decline { .. } => "decline",
            What::Outcome { .. } => "outcome",
        }
    }
}

/// A day of the week and a time of day.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Moment {
    day: u8,
    minutes: u16,
}

impl Moment {
    /// Reads `3 08:41`.
    pub(super) fn parse(text: &str) -> Option<Moment> {
        let (day, time) = text.split_once(' ')?;
        let (hours, minutes) = time.split_once(':')?;
        let day: u8 = day.parse().ok()?;
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        let fits = (1..=DAYS).contains(&day) && hours < 24 && minutes < 60;
        fits.then_some(Moment { day, minutes: hours * 60 + minutes })
    }

    /// The instant, in the week of the last seven whole days (UTC) before this start.
    pub(crate) fn before(self, start: Timestamp) -> anyhow::Result<Timestamp> {
        let midnight = start.to_zoned(TimeZone::UTC).start_of_day()?.timestamp();
        let back = SignedDuration::from_hours(24 * i64::from(DAYS + 1 - self.day));
        Ok(midnight.checked_sub(back)?.checked_add(SignedDuration::from_mins(i64::from(self.minutes)))?)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        let text = String::deserialize(deserializer)?;
        Moment::parse(&text)
            .ok_or_else(|| de::Error::custom(format_args!("`{text}` is no day and time such as `3 08:41`")))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "day {} {:02}:{:02}", self.day, self.minutes / 60, self.minutes % 60)
    }
}

fn front_desk() -> String {
    "front-desk".to_owned()
}

/// Reads a value of a protobuf enumeration from its name without prefix, in lower case.
fn named<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    prefix: &str,
    from_name: fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    let value = from_name(&format!("{prefix}_{}", text.to_ascii_uppercase()));
    value.ok_or_else(|| de::Error::custom(format_args!("`{text}` is no {}", prefix.to_ascii_lowercase())))
}

fn audience<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Audience, D::Error> {
    named(deserializer, "AUDIENCE", Audience::from_str_name)
}

fn channel<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Channel, D::Error> {
    named(deserializer, "CHANNEL", Channel::from_str_name)
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<CaseKind, D::Error> {
    named(deserializer, "CASE_KIND", CaseKind::from_str_name)
}

fn via<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IdentityKind>, D::Error> {
    named(deserializer, "IDENTITY_KIND", IdentityKind::from_str_name).map(Some)
}

fn one_identity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Identity, D::Error> {
    identity::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn identities<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Identity>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| identity::parse(text).map_err(de::Error::custom)).collect()
}

#[cfg(test)]
#[path = "scenario_tests.rs"]
mod tests;
