//! Processes: what one noun's record makes another noun do. Each lives in the service whose nouns it commands.

use crate::case;
use crate::escalation::{self, Raised, RaisedBy};
use crate::noun::{Command, Event, Noun};
use crate::policy::Policy;
use crate::record::Record;
use crate::suggestion::{self, Captured};
use crate::values::{CaseId, Direction, Kind, SuggestionId};

/// One step that a process takes because of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reaction {
    /// The step's name within the process.
    pub name: &'static str,
    pub noun: Noun,
    pub command: Command,
}

/// What reacts to records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Process {
    /// A suggestion in an interaction is captured: when it is logged as one, or later found to be one.
    CaptureSuggestions,
    /// When a case is closed its escalation is over.
    EndWithCases,
    /// A broken promise is escalated, if the policy says so.
    EscalateBrokenPromises,
}

impl Process {
    /// What it is called in records.
    pub fn name(self) -> &'static str {
        match self {
            Process::CaptureSuggestions => "capture_suggestions",
            Process::EndWithCases => "end_with_cases",
            Process::EscalateBrokenPromises => "escalate_broken_promises",
        }
    }

    /// How many steps it takes because of a record, at most, whatever the policy says.
    pub fn reactions_max(self, record: &Record) -> usize {
        record.events.iter().filter(|entry| self.step(record, &entry.event).is_some()).count()
    }

    /// What it does because of a record. A step that its noun refuses, or that is so already, leaves nothing.
    pub fn react(self, record: &Record, policy: Option<&Policy>) -> Vec<Reaction> {
        if self == Process::EscalateBrokenPromises
            && !policy.is_some_and(|policy| policy.document.promise.escalate_broken)
        {
            return Vec::new();
        }
        record.events.iter().filter_map(|entry| self.step(record, &entry.event)).collect()
    }

    fn step(self, record: &Record, event: &Event) -> Option<Reaction> {
        let (Noun::Case(case), Event::Case(event)) = (record.noun, event) else { return None };
        match self {
            Process::CaptureSuggestions => capture(case, event),
            Process::EndWithCases => end(case, event),
            Process::EscalateBrokenPromises => escalate(case, event),
        }
    }
}

fn capture(case: CaseId, event: &case::Event) -> Option<Reaction> {
    let (interaction, captured) = match event {
        case::Event::InteractionLogged(logged)
            if logged.kind == Kind::Suggestion && logged.direction == Direction::Inbound =>
        {
            let captured = Captured {
                text: logged.text.clone(),
                classification: logged.classification.clone(),
                customer: Some(logged.customer),
                case: Some(case),
                interaction: Some(logged.interaction),
            };
            (logged.interaction, captured)
        }
        case::Event::Reclassified(reclassified) if reclassified.to == Kind::Suggestion => {
            let captured = Captured {
                text: reclassified.text.clone(),
                classification: reclassified.classification.clone(),
                customer: Some(reclassified.customer),
                case: Some(case),
                interaction: Some(reclassified.interaction),
            };
            (reclassified.interaction, captured)
        }
        _ => return None,
    };
    // The interaction names the suggestion, so that one found to be a suggestion twice is captured once.
    let suggestion = SuggestionId::derive(&[interaction.bytes()]);
    let command = Command::Suggestion(suggestion::Command::Capture(captured));
    Some(Reaction { name: "capture", noun: Noun::Suggestion(suggestion), command })
}

fn end(case: CaseId, event: &case::Event) -> Option<Reaction> {
    let case::Event::ResolutionConfirmed(_) = event else { return None };
    let command = Command::Escalation(escalation::Command::End);
    Some(Reaction { name: "end", noun: Noun::Escalation(case), command })
}

fn escalate(case: CaseId, event: &case::Event) -> Option<Reaction> {
    let case::Event::PromiseBroken(broken) = event else { return None };
    let raised = Raised {
        by: RaisedBy::BrokenPromise(broken.promise),
        customer: broken.customer,
        kind: broken.about,
        reason: None,
        rung: None,
    };
    let command = Command::Escalation(escalation::Command::Raise(raised));
    Some(Reaction { name: "raise", noun: Noun::Escalation(case), command })
}
