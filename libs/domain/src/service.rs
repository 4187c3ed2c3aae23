//! The services: who owns which noun, and which processes command them.

use crate::noun::Noun;
use crate::process::Process;

/// A service. Only it writes its nouns.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Service {
    Feedback,
    Intake,
    Policy,
}

impl Service {
    /// All services, in order of their names.
    pub const ALL: [Service; 3] = [Service::Feedback, Service::Intake, Service::Policy];

    /// What it is called in subjects, commands and folders.
    pub fn name(self) -> &'static str {
        match self {
            Service::Feedback => "feedback",
            Service::Intake => "intake",
            Service::Policy => "policy",
        }
    }

    /// The service of this name.
    pub fn parse(name: &str) -> Option<Service> {
        Service::ALL.into_iter().find(|service| service.name() == name)
    }

    /// The service that owns a noun.
    pub fn of(noun: &Noun) -> Service {
        match noun {
            Noun::Case(_) | Noun::Customer(_) | Noun::Import(_) => Service::Intake,
            Noun::Policy => Service::Policy,
            Noun::Suggestion(_) => Service::Feedback,
        }
    }

    /// The processes that command its nouns.
    pub fn processes(self) -> &'static [Process] {
        match self {
            Service::Feedback => &[Process::CaptureSuggestions],
            Service::Intake | Service::Policy => &[],
        }
    }

    /// Whether it folds or reacts to records of nouns of this name. It need not understand the others.
    pub fn reads(self, noun: &str) -> bool {
        match self {
            Service::Feedback => matches!(noun, "case" | "policy" | "suggestion"),
            Service::Intake => matches!(noun, "case" | "customer" | "import" | "policy"),
            Service::Policy => noun == "policy",
        }
    }
}
