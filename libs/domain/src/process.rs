//! Processes: what one noun's record makes another noun do. Each lives in the service whose nouns it commands.

use crate::case;
use crate::noun::{Command, Event, Noun};
use crate::record::Record;
use crate::suggestion::{self, Captured};
use crate::values::{Direction, Kind, SuggestionId};

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
}

impl Process {
    /// What it is called in records.
    pub fn name(self) -> &'static str {
        match self {
            Process::CaptureSuggestions => "capture_suggestions",
        }
    }

    /// What it does because of a record. A step that its noun refuses, or that is so already, leaves nothing.
    pub fn react(self, record: &Record) -> Vec<Reaction> {
        match self {
            Process::CaptureSuggestions => {
                record.events.iter().filter_map(|e| capture(record, &e.event)).collect()
            }
        }
    }
}

fn capture(record: &Record, event: &Event) -> Option<Reaction> {
    let Noun::Case(case) = record.noun else { return None };
    let (interaction, captured) = match event {
        Event::Case(case::Event::InteractionLogged(logged))
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
        Event::Case(case::Event::Reclassified(reclassified)) if reclassified.to == Kind::Suggestion => {
            let captured = Captured {
                text: reclassified.text.clone(),
                classification: reclassified.classification.clone(),
                customer: Some(reclassified.customer),
                case: Some(case),
                interaction: Some(reclassified.interaction),
            };
            (reclassified.interaction, captured)
        }
        Event::Case(_) | Event::Customer(_) | Event::Import(_) | Event::Policy(_) | Event::Suggestion(_) => {
            return None;
        }
    };
    // The interaction names the suggestion, so that one found to be a suggestion twice is captured once.
    let suggestion = SuggestionId::derive(&[interaction.bytes()]);
    let command = Command::Suggestion(suggestion::Command::Capture(captured));
    Some(Reaction { name: "capture", noun: Noun::Suggestion(suggestion), command })
}
