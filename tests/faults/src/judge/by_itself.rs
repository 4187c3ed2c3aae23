//! What happens by itself happens once, at its due time: promises break, escalations climb.

use std::collections::{BTreeMap, BTreeSet};

use seva_domain::case;
use seva_domain::escalation::{self, RaisedBy};
use seva_domain::noun::{Event, Noun};
use seva_domain::record::Record;
use seva_domain::values::{At, CaseId, PromiseId};

use super::log::Facts;
use super::{Finding, Verdict};

/// A promise, as the log tells it.
struct Promise {
    case: CaseId,
    due: At,
    is_made: bool,
    /// How it ended, each time it did.
    ends: Vec<&'static str>,
}

#[derive(Default)]
struct ByItself {
    promises: BTreeMap<PromiseId, Promise>,
    /// When the rung that an escalation is on must have answered.
    deadlines: BTreeMap<CaseId, At>,
    /// How often a broken promise was escalated.
    raised: BTreeMap<PromiseId, u64>,
    promises_end: Finding,
    climbs: Finding,
    escalated: Finding,
}

/// The name of what is judged of promises.
const PROMISES: &str = "promises end once, and break when due";

/// Judges what happened by itself.
pub(super) fn judge(verdict: &mut Verdict, facts: &Facts) {
    let found = found(facts);
    let ended = |end| found.promises.values().filter(|promise| promise.ends.contains(&end)).count() as u64;
    verdict.counts.extend([("promises broken", ended("broken")), ("promises kept", ended("kept"))]);
    verdict.findings.extend([
        (PROMISES, found.promises_end),
        ("escalations climb once, at each deadline", found.climbs),
        ("broken promises are escalated, once at most", found.escalated),
    ]);
}

/// Judges promises alone, where nothing is escalated.
pub(super) fn judge_promises(verdict: &mut Verdict, facts: &Facts) {
    verdict.findings.push((PROMISES, found(facts).promises_end));
}

fn found(facts: &Facts) -> ByItself {
    let mut found = ByItself::default();
    for (standing, event) in facts.events() {
        match (standing.record.noun, event) {
            (Noun::Case(case), Event::Case(event)) => found.of_case(case, &standing.record, event),
            (Noun::Escalation(case), Event::Escalation(event)) => {
                found.of_escalation(case, &standing.record, event);
            }
            _ => {}
        }
    }
    found.finish(facts);
    found
}

impl ByItself {
    fn of_case(&mut self, case: CaseId, record: &Record, event: &case::Event) {
        match event {
            case::Event::PromiseProposed(proposed) => {
                let promise = Promise { case, due: proposed.due, is_made: false, ends: Vec::new() };
                self.promises.insert(proposed.promise, promise);
            }
            case::Event::PromiseMade(made) => {
                if let Some(promise) = self.promises.get_mut(&made.promise) {
                    promise.is_made = true;
                }
            }
            case::Event::PromiseRenegotiated(put_off) => {
                let Some(promise) = self.promises.get_mut(&put_off.promise) else { return };
                let is_in_time = promise.ends.is_empty() && record.effective_at < promise.due;
                self.promises_end.check(is_in_time, || format!("{} was put off too late", put_off.promise));
                promise.due = put_off.due;
            }
            case::Event::PromiseKept(kept) => self.ends(kept.promise, record, "kept"),
            case::Event::PromiseBroken(broken) => self.ends(broken.promise, record, "broken"),
            case::Event::PromiseRefused(refused) => {
                if let Some(promise) = self.promises.get_mut(&refused.promise) {
                    promise.ends.push("refused");
                }
            }
            _ => {}
        }
    }

    /// Kept before it was due, or broken when it was.
    fn ends(&mut self, id: PromiseId, record: &Record, how: &'static str) {
        let Some(promise) = self.promises.get_mut(&id) else { return };
        let (due, effective_at, recorded_at) = (promise.due, record.effective_at, record.recorded_at);
        let is_in_time = match how {
            "broken" => effective_at == due && recorded_at >= due,
            _ => effective_at < due,
        };
        self.promises_end.check(is_in_time, || format!("{id}, due at {due:?}, is {how} at {effective_at:?}"));
        promise.ends.push(how);
    }

    fn of_escalation(&mut self, case: CaseId, record: &Record, event: &escalation::Event) {
        match event {
            escalation::Event::Raised(raised) => {
                if let RaisedBy::BrokenPromise(promise) = raised.by {
                    *self.raised.entry(promise).or_default() += 1;
                }
            }
            escalation::Event::Placed(placed) => {
                self.deadlines.insert(case, placed.answer_by);
            }
            escalation::Event::Climbed(climbed) => {
                self.deadlines.insert(case, climbed.answer_by);
            }
            escalation::Event::Unanswered(unanswered) => {
                let deadline = self.deadlines.remove(&case);
                let at = unanswered.answer_by;
                let is_right = deadline == Some(at) && record.effective_at == at && record.recorded_at >= at;
                self.climbs.check(is_right, || {
                    let effective_at = record.effective_at;
                    format!("{case} went unanswered at {effective_at:?}, for {at:?}; its deadline was {deadline:?}")
                });
            }
            escalation::Event::Accepted(_)
            | escalation::Event::Declined(_)
            | escalation::Event::Resolved(_) => {
                let deadline = self.deadlines.remove(&case);
                let is_in_time = deadline.is_none_or(|deadline| record.effective_at < deadline);
                self.climbs.check(is_in_time, || format!("{case} was answered after {deadline:?}"));
            }
            // A case that is closed ends it before deadlines are looked at.
            escalation::Event::Ended(_) | escalation::Event::Exhausted(_) => {
                self.deadlines.remove(&case);
            }
        }
    }

    /// By the end nothing is due any more.
    fn finish(&mut self, facts: &Facts) {
        for (case, deadline) in &self.deadlines {
            self.climbs.check(false, || format!("{case} should have climbed at {deadline:?}"));
        }
        let nouns: BTreeSet<Noun> = facts.records().iter().map(|standing| standing.record.noun).collect();
        for (id, promise) in &self.promises {
            let is_one = promise.ends.len() == 1 && promise.is_made == (promise.ends != ["refused"]);
            self.promises_end
                .check(is_one, || format!("{id}, due at {:?}, ended as {:?}", promise.due, promise.ends));
            if promise.ends.contains(&"broken") {
                let times = self.raised.get(id).copied().unwrap_or_default();
                self.escalated.check(times <= 1 && nouns.contains(&Noun::Escalation(promise.case)), || {
                    format!("{id} was broken, and escalated {times} times")
                });
            }
        }
    }
}
