//! How the provider misbehaves: told by rules, or by the name of a charge.
//!
//! A charge named `sandbox_<name>`, with anything after a `-`, misbehaves by itself on its first instruction: `sandbox_lose_answer`,
//! `sandbox_answer_late`, `sandbox_work_late`, `sandbox_tell_twice`, `sandbox_pending` (paid after two seconds),
//! `sandbox_pending_then_failed`, `sandbox_decline_<code>`. For example `sandbox_decline_insufficient_funds-1`.

use serde::{Deserialize, Serialize};

/// How late a charge's name makes an answer: later than clients wait by themselves.
const NAMED_LATE_MS: u64 = 12_000;

/// After how long a charge's name lets a pending refund end.
const NAMED_PENDING_MS: u64 = 2_000;

/// A way to misbehave. The last three say what becomes of a new refund, the others what becomes of a call.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum Behaviour {
    /// Does the work, then cuts the connection.
    LoseAnswer,
    /// Does the work, then waits before it answers.
    AnswerLate { after_ms: u64 },
    /// Waits before it does the work, and does it even if the caller has gone.
    WorkLate { after_ms: u64 },
    /// Does nothing and answers 503.
    Down,
    /// Declines with this code.
    Decline { code: String },
    /// Stays pending; then it is paid, or fails with the code. Without a time it waits for `settle`.
    Pending { after_ms: Option<u64>, code: Option<String> },
    /// Sends each webhook of the refund twice.
    TellTwice,
}

/// What the provider is called for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Call {
    Ask,
    Instruct,
}

/// A standing rule. What it does not name, it leaves open.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    how: Behaviour,
    /// How many more calls it is for; without it, all.
    #[serde(default)]
    times: Option<u32>,
    #[serde(default)]
    on: Option<Call>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    charge: Option<String>,
}

/// A call as rules see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival<'a> {
    pub(super) call: Call,
    pub(super) key: Option<&'a str>,
    pub(super) charge: Option<&'a str>,
    /// Whether it makes a refund that is not there yet.
    pub(super) is_new: bool,
}

impl Behaviour {
    /// Whether it says what becomes of a new refund.
    fn decides(&self) -> bool {
        match self {
            Behaviour::Decline { .. } | Behaviour::Pending { .. } | Behaviour::TellTwice => true,
            Behaviour::LoseAnswer
            | Behaviour::AnswerLate { .. }
            | Behaviour::WorkLate { .. }
            | Behaviour::Down => false,
        }
    }

    /// What a charge's name asks for.
    fn named(charge: &str) -> Option<Behaviour> {
        let name = charge.strip_prefix("sandbox_")?.split('-').next()?;
        let pending = |code| Behaviour::Pending { after_ms: Some(NAMED_PENDING_MS), code };
        match name {
            "lose_answer" => Some(Behaviour::LoseAnswer),
            "answer_late" => Some(Behaviour::AnswerLate { after_ms: NAMED_LATE_MS }),
            "work_late" => Some(Behaviour::WorkLate { after_ms: NAMED_LATE_MS }),
            "tell_twice" => Some(Behaviour::TellTwice),
            "pending" => Some(pending(None)),
            "pending_then_failed" => Some(pending(Some("account_closed".to_owned()))),
            _ => name.strip_prefix("decline_").map(|code| Behaviour::Decline { code: code.to_owned() }),
        }
    }
}

impl Rule {
    fn is_for(&self, arrival: Arrival<'_>) -> bool {
        let fits = |named: Option<&str>, given| named.is_none_or(|named| given == Some(named));
        self.times != Some(0)
            && self.on.is_none_or(|on| on == arrival.call)
            && fits(self.key.as_deref(), arrival.key)
            && fits(self.charge.as_deref(), arrival.charge)
            && (arrival.is_new || !self.how.decides())
    }
}

/// How to treat this call: by the first rule for it, which is used up by one, else by its charge's name.
pub(super) fn choose(rules: &mut Vec<Rule>, arrival: Arrival<'_>) -> Option<Behaviour> {
    if let Some(rule) = rules.iter_mut().find(|rule| rule.is_for(arrival)) {
        rule.times = rule.times.map(|times| times - 1);
        let how = rule.how.clone();
        rules.retain(|rule| rule.times != Some(0));
        return Some(how);
    }
    arrival.charge.filter(|_| arrival.is_new).and_then(Behaviour::named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(json: &str) -> Vec<Rule> {
        serde_json::from_str(json).unwrap()
    }

    fn instruct<'a>(key: &'a str, charge: &'a str, is_new: bool) -> Arrival<'a> {
        Arrival { call: Call::Instruct, key: Some(key), charge: Some(charge), is_new }
    }

    #[test]
    fn a_rule_is_used_up_by_the_calls_it_is_for_and_the_next_one_follows() {
        let mut rules = rules(r#"[{"how": "down", "times": 2, "key": "rfd_1"}, {"how": "lose_answer"}]"#);
        let mut choose = |key| choose(&mut rules, instruct(key, "ch_1", true)).unwrap();
        assert_eq!(choose("rfd_2"), Behaviour::LoseAnswer);
        assert_eq!([choose("rfd_1"), choose("rfd_1")], [Behaviour::Down, Behaviour::Down]);
        assert_eq!(choose("rfd_1"), Behaviour::LoseAnswer);
    }

    #[test]
    fn what_becomes_of_a_refund_is_said_once() {
        let mut rules = rules(r#"[{"how": {"decline": {"code": "no"}}}]"#);
        assert_eq!(choose(&mut rules, instruct("rfd_1", "ch_1", false)), None);
        assert!(choose(&mut rules, instruct("rfd_1", "ch_1", true)).is_some());
    }

    #[test]
    fn a_rule_may_be_for_questions_alone() {
        let mut rules = rules(r#"[{"how": "lose_answer", "on": "ask"}]"#);
        assert_eq!(choose(&mut rules, instruct("rfd_1", "ch_1", true)), None);
        let ask = Arrival { call: Call::Ask, key: Some("rfd_1"), charge: None, is_new: false };
        assert_eq!(choose(&mut rules, ask), Some(Behaviour::LoseAnswer));
    }

    #[test]
    fn a_charge_misbehaves_by_its_name_on_the_first_instruction() {
        let by_name = |charge, is_new| choose(&mut Vec::new(), instruct("rfd_1", charge, is_new));
        let declined = Behaviour::Decline { code: "insufficient_funds".to_owned() };
        assert_eq!(by_name("sandbox_decline_insufficient_funds-7", true), Some(declined));
        assert_eq!(by_name("sandbox_lose_answer", true), Some(Behaviour::LoseAnswer));
        assert_eq!(by_name("sandbox_lose_answer", false), None);
        assert_eq!(by_name("ch_1", true), None);
    }

    #[test]
    fn a_rule_with_a_word_too_many_is_refused() {
        assert!(serde_json::from_str::<Rule>(r#"{"how": "down", "time": 1}"#).is_err());
        assert!(serde_json::from_str::<Rule>(r#"{"how": "dwon"}"#).is_err());
    }
}
